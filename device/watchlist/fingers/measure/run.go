package measure

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/fingers"
)

// Setup says what to measure.
type Setup struct {
	Persons  int
	Searches int                  // of mates, a row, at most
	Others   int                  // searches without a mate, a row, at most
	Real     [][]*finger.Template // impressions by finger; nil: fingers are made up
	Workers  int                  // of a search, 0 for all cores
	Progress func(what string, done, of int)
}

// Result is what was measured.
type Result struct {
	Persons        int     `json:"persons"`
	Prints         int     `json:"prints"`
	Kernel         string  `json:"kernel"`
	Cores          int     `json:"cores"`
	Bytes          int     `json:"memory_bytes"`
	BytesPerPerson int     `json:"memory_bytes_a_person"`
	FillSeconds    float64 `json:"fill_seconds"`
	InsertDelete   float64 `json:"insert_delete_us"`
	// Comparisons of the filter a second on one core: templates of 48
	// cylinders with one of 48, and this crowd's.
	Filter48    float64 `json:"filter_48_per_second"`
	FilterCrowd float64 `json:"filter_crowd_per_second"`
	// Alike are the filter's scores of real prints against the crowd and
	// against each other: how far the crowd resembles people.
	Alike    []Alike `json:"alike,omitempty"`
	Searches []Row   `json:"searches"`
}

// Alike is one quantile of scores of different fingers by minutiae only.
type Alike struct {
	Quantile   float64 `json:"quantile"`
	RealCrowd  float64 `json:"real_against_crowd"`
	RealReal   float64 `json:"real_against_real"`
	ScoreCrowd float64 `json:"score_against_crowd"`
	ScoreReal  float64 `json:"score_against_real"`
}

// Row is one kind of search.
type Row struct {
	Fingers int     `json:"fingers"`
	Known   bool    `json:"positions_known"`
	Mates   int     `json:"mate_searches"`
	P50     float64 `json:"p50_ms"`
	P95     float64 `json:"p95_ms"`
	// CPU is the processor time of all cores, half the searches took less: on
	// a machine with other work the wall's times say little.
	CPU float64 `json:"p50_cpu_ms"`
	// FNIR at the score whose stated FPIR is 1e-3, by search and by comparing
	// all people fully, and what the filter stages lost.
	Threshold      float64 `json:"threshold"`
	FNIR           float64 `json:"fnir"`
	FNIRExhaustive float64 `json:"fnir_exhaustive"`
	Loss           float64 `json:"loss"`
	// Passed is how many of the mates were among the fully compared at all.
	Passed float64 `json:"mates_passed"`
	// Others are searches without a mate; False of them found somebody at the
	// threshold, and Measured is the score that one in a thousand reached
	// (the highest, where there were fewer), with the FNIR there.
	Others       int     `json:"other_searches"`
	False        int     `json:"others_at_threshold"`
	Measured     float64 `json:"others_score_1e3"`
	FNIRMeasured float64 `json:"fnir_at_others_score"`
}

// wanted is the FPIR of the figures.
const wanted = 1e-3

// kinds of searches: number of fingers, positions known or not.
var kinds = []struct {
	fingers int
	known   bool
}{{1, true}, {2, true}, {4, true}, {1, false}, {2, false}}

// mated are the positions that a person's real fingers take, in this order.
var mated = []int{2, 7, 3, 8}

// mateBase numbers the people with real fingers.
const mateBase = 1 << 30

// Run fills an index and measures it.
func Run(ctx context.Context, s Setup) (*Result, error) {
	if s.Persons < 1 || s.Persons > 1_000_000 || s.Searches < 1 || s.Others < 0 {
		return nil, fault.New("bench.setup", "%d people, %d and %d searches", s.Persons, s.Searches, s.Others)
	}
	var all []*finger.Template
	for _, f := range s.Real {
		all = append(all, f...)
	}
	crowd := Like(all)
	if len(s.Real) == 0 {
		s.Real = crowd.impressions(32, 4)
	}
	x := fingers.New()
	r := &Result{Persons: s.Persons, Kernel: kernel.CylinderKernel(), Cores: s.Workers}
	if r.Cores == 0 {
		r.Cores = runtime.GOMAXPROCS(0)
	}
	start := time.Now()
	if err := fill(ctx, x, &crowd, s); err != nil {
		return nil, err
	}
	r.FillSeconds = time.Since(start).Seconds()
	stats := x.Stats()
	r.Prints, r.Bytes, r.BytesPerPerson = stats.Prints, stats.Bytes, stats.Bytes/stats.Persons
	r.InsertDelete = insertDelete(x, &crowd)
	r.Filter48, r.FilterCrowd = filterSpeed(&crowd)
	if len(all) > 1 {
		r.Alike = alike(&crowd, s.Real)
	}
	for i, k := range kinds {
		row, err := measureRow(ctx, x, s, k.fingers, k.known)
		if err != nil {
			return nil, err
		}
		r.Searches = append(r.Searches, row)
		if s.Progress != nil {
			s.Progress("kinds of searches", i+1, len(kinds))
		}
	}
	return r, nil
}

// fill puts the crowd in, ten fingers each.
func fill(ctx context.Context, x *fingers.Index, crowd *Crowd, s Setup) error {
	var next, done atomic.Int64
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= s.Persons {
					return
				}
				if err := x.Insert(fingers.Person(i), crowd.tenPrint(uint64(i))); err != nil {
					failed.Store(&err)
					return
				}
				if n := int(done.Add(1)); n%1000 == 0 && s.Progress != nil {
					s.Progress("people", n, s.Persons)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return fault.Wrap("call.canceled", ctx.Err())
}

func (c *Crowd) tenPrint(person uint64) []fingers.Print {
	prints := make([]fingers.Print, 10)
	for k := range prints {
		prints[k] = fingers.Print{Position: k + 1, Packed: c.Finger(1, person*10+uint64(k)).AppendPacked(nil)}
	}
	return prints
}

// impressions makes up fingers with several impressions each: minutiae
// moved, lost and added.
func (c *Crowd) impressions(n, each int) [][]*finger.Template {
	out := make([][]*finger.Template, n)
	for i := range out {
		master := c.Finger(2, uint64(i))
		for k := range each {
			r := rand.New(rand.NewPCG(uint64(i), uint64(k)))
			sin, cos := math.Sincos(0.2 * r.NormFloat64())
			dx, dy := 15*r.NormFloat64(), 15*r.NormFloat64()
			var all []finger.Minutia
			for _, m := range master.Minutiae {
				if r.Float64() < 0.15 {
					continue
				}
				x, y := float64(m.X)+2*r.NormFloat64(), float64(m.Y)+2*r.NormFloat64()
				m.X, m.Y = float32(cos*x-sin*y+dx), float32(sin*x+cos*y+dy)
				m.Angle = float32(math.Mod(float64(m.Angle)+math.Atan2(sin, cos)+0.08*r.NormFloat64()+4*math.Pi, 2*math.Pi))
				all = append(all, m)
			}
			out[i] = append(out[i], finger.NewTemplate(master.Width, master.Height, all))
		}
	}
	return out
}

// insertDelete is what putting one person in and taking them out costs, in
// microseconds.
func insertDelete(x *fingers.Index, crowd *Crowd) float64 {
	prints := crowd.tenPrint(1 << 40)
	const rounds = 200
	start := time.Now()
	for range rounds {
		if x.Insert(mateBase, prints) != nil || !x.Delete(mateBase) {
			return math.NaN()
		}
	}
	return float64(time.Since(start).Microseconds()) / rounds
}

// filterSpeed compares templates on one core for a short while; the best of
// several counts, as other work on the machine is no part of it.
func filterSpeed(crowd *Crowd) (full, own float64) {
	many := Typical()
	many.Count, many.CountSpread = 60, 0 // more than the 48 that are packed
	return many.speed(), crowd.speed()
}

func (c *Crowd) speed() float64 {
	const templates, probes, rounds = 400, 10, 40
	var words [][]uint64
	for i := range templates {
		words = append(words, c.Finger(3, uint64(i)).AppendPacked(nil))
	}
	var filters [probes]*kernel.CylinderProbe
	for i := range filters {
		filters[i] = c.Finger(3, uint64(templates+i)).FilterProbe(finger.MaxCylinders)
	}
	best := 0.0
	for range rounds {
		start := time.Now()
		for i, w := range words {
			finger.Likeness(filters[i%probes], w)
		}
		best = max(best, templates/time.Since(start).Seconds())
	}
	return best
}

// alike compares different fingers: real with the crowd, real with each other.
func alike(crowd *Crowd, impressions [][]*finger.Template) []Alike {
	var filter, score [2][]float64
	var mu sync.Mutex
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			m := finger.NewMatcher()
			var t finger.Template
			for {
				i := int(next.Add(1)) - 1
				if i >= len(impressions) {
					return
				}
				var f, s [2][]float64
				for _, p := range impressions[i] {
					p, probe := minutiaeOnly(p), p.FilterProbe(finger.MaxCylinders)
					add := func(which int, o *finger.Template) {
						words := o.AppendPacked(nil)
						f[which] = append(f[which], float64(finger.Likeness(probe, words)))
						t.Unpack(words)
						s[which] = append(s[which], m.Score(p, &t))
					}
					for k, others := range impressions {
						if k != i {
							add(1, others[0])
							add(0, crowd.Finger(4, uint64(i*len(impressions)+k)))
						}
					}
				}
				mu.Lock()
				for w := range f {
					filter[w], score[w] = append(filter[w], f[w]...), append(score[w], s[w]...)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	var out []Alike
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		out = append(out, Alike{q, quantile(filter[0], q), quantile(filter[1], q), quantile(score[0], q), quantile(score[1], q)})
	}
	return out
}

// quantile sorts a copy; NaN for none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
