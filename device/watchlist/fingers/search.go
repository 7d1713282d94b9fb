package fingers

import (
	"cmp"
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
)

// Probe is one print that a search is made with.
type Probe struct {
	Position int // 0 unknown: compared with all positions
	Template *finger.Template
}

// Effort says how many people pass each stage. Zero values are the defaults.
type Effort struct {
	Relaxed int // from the filter to the relaxation; default a hundredth, and at least 300
	Full    int // to the full comparison; default 50
}

// Defaults of Effort.
const (
	relaxedShare = 100
	relaxedLeast = 300
	fullDefault  = 50
)

// Query is what to search for.
type Query struct {
	Probes  []Probe // 1 to finger.MaxFingers
	Top     int     // how many people at most, from 1
	Workers int     // 0: all cores
	Effort  Effort
}

// Hit is a person found.
type Hit struct {
	Person  Person
	Score   float64  // sum of finger.FingerScore over Fingers
	Fingers []Finger // compared, in the order of the probes
	raw     float64  // the same without a floor, for those who are equal
	// FPIR is how likely a search with these probes among as many people
	// finds somebody by accident whose score is as high.
	FPIR float64
}

// Finger is one probe's part in a hit.
type Finger struct {
	Probe    int // index into the query's
	Position int // of the print it was compared with
	Score    float64
}

// lead is how many probes of known position search all people; the others look
// at the best of those only. A probe of unknown position meets ten times as many
// prints, so that one of them leads.
const lead = 2

// othersShare is the part of all people that probes beyond the leading ones
// look at: a twentieth, or a third where one alone leads and may be a bad
// print. Where probes met people with a few cylinders only, a twentieth is
// looked at with all.
const (
	othersShare = 20
	soleShare   = 3
	othersLeast = 1000
)

// fewCylinders is how many cylinders of a probe of unknown position, those of
// the best minutiae, meet people before most are ruled out: with all 48 the
// first look at ten prints of everybody takes longer than all the rest. Of 210
// mates of 30 real fingers (three FVC sets) 3 are not among the best twentieth
// of 2,000 people with 24 cylinders, 4 with 20 and 4 with 48.
const fewCylinders = 24

// poor is the quality below which a probe that leads would find little: others
// go first.
const poor = 20

// order of positions by how well they tell people apart and how often they
// are enrolled: index fingers, thumbs, middle, ring and little fingers.
var order = [MaxPosition + 1]int{0: 6, 2: 0, 7: 0, 1: 1, 6: 1, 3: 2, 8: 2, 4: 3, 9: 3, 5: 4, 10: 4}

// probe is a Probe being searched with.
type probe struct {
	Probe
	index  int // in the query
	filter *kernel.CylinderProbe
	few    *kernel.CylinderProbe // of fewCylinders at most; nil for a known position
	scores []atomic.Uint32       // filter scores by slot, float32 bits
}

// rank orders probes: the smallest lead.
func (p *probe) rank() int {
	r := order[p.Position]
	if q := p.Template.Quality; q >= 0 && q < poor {
		r += len(order)
	}
	return r
}

// fits tells whether a probe is compared with prints of a position.
func (p *probe) fits(position int) bool {
	return p.Position == 0 || position == 0 || p.Position == position
}

// first is what a probe meets people with before they are few.
func (p *probe) first() *kernel.CylinderProbe {
	if p.few != nil {
		return p.few
	}
	return p.filter
}

// all is the whole probe.
func (p *probe) all() *kernel.CylinderProbe { return p.filter }

// search is one search.
type search struct {
	x       *Index
	q       Query
	view    view
	probes  []*probe // leading ones first
	workers int
}

// Search returns the people whose fingers fit best, best first. Errors:
// fingers.query for a malformed query, and the end of ctx.
func (x *Index) Search(ctx context.Context, q Query) ([]Hit, error) {
	if len(q.Probes) == 0 || len(q.Probes) > finger.MaxFingers || q.Top < 1 || q.Workers < 0 || q.Effort.Relaxed < 0 || q.Effort.Full < 0 {
		return nil, fault.New("fingers.query", "%d probes, %d wanted", len(q.Probes), q.Top)
	}
	s := &search{x: x, q: q, workers: q.Workers}
	if s.workers == 0 {
		s.workers = runtime.GOMAXPROCS(0)
	}
	for i, p := range q.Probes {
		if p.Template == nil || p.Position < 0 || p.Position > MaxPosition {
			return nil, fault.New("fingers.query", "probe %d: position %d", i, p.Position)
		}
		one := &probe{Probe: p, index: i, filter: p.Template.FilterProbe(finger.MaxCylinders)}
		if p.Position == 0 {
			one.few = p.Template.FilterProbe(fewCylinders)
		}
		s.probes = append(s.probes, one)
	}
	slices.SortStableFunc(s.probes, func(a, b *probe) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(b.Template.Quality, a.Template.Quality))
	})
	s.view = x.begin()
	defer x.end()
	people, err := s.filter(ctx)
	if err != nil {
		return nil, err
	}
	hits, err := s.compare(ctx, people)
	if err != nil {
		return nil, err
	}
	return x.still(hits), nil
}

// each calls f for 0 to n-1 from all workers, until ctx ends.
func (s *search) each(ctx context.Context, n int, f func(w *worker, i int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(s.workers, n) {
		wg.Go(func() {
			w := &worker{}
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(w, i)
			}
		})
	}
	wg.Wait()
	return fault.Wrap("fingers.cancelled", ctx.Err())
}

// leading are the probes that search all people.
func (s *search) leading() []*probe {
	if s.probes[0].Position == 0 {
		return s.probes[:1]
	}
	n := 1
	if len(s.probes) > 1 && s.probes[1].Position != 0 {
		n = lead
	}
	return s.probes[:n]
}

// relaxing are the probes that are relaxed.
func (s *search) relaxing() []*probe { return s.probes[:min(lead, len(s.probes))] }

// scan fills the filter scores of the leading probes. A chunk is read once
// for both.
func (s *search) scan(ctx context.Context) error {
	for _, p := range s.leading() {
		p.scores = make([]atomic.Uint32, s.view.slots)
	}
	type unit struct {
		chunk  *chunk
		probes []*probe
	}
	var units []unit
	for position, sh := range s.view.shelves {
		var fit []*probe
		for _, p := range s.leading() {
			if p.fits(position) {
				fit = append(fit, p)
			}
		}
		if len(fit) == 0 {
			continue
		}
		for _, c := range sh {
			units = append(units, unit{c, fit})
		}
	}
	return s.each(ctx, len(units), func(_ *worker, i int) {
		u := &units[i]
		for k := range int(u.chunk.n.Load()) {
			slot := u.chunk.slots[k]
			if int(slot) >= s.view.slots || u.chunk.isDead(k) {
				continue
			}
			packed := u.chunk.packed(k)
			for _, p := range u.probes {
				raise(&p.scores[slot], finger.Likeness(p.first(), packed))
			}
		}
	})
}

// raise sets a to the larger of both; bits of floats that are not negative
// are in their order.
func raise(a *atomic.Uint32, v float32) {
	bits := math.Float32bits(v)
	for {
		old := a.Load()
		if bits <= old || a.CompareAndSwap(old, bits) {
			return
		}
	}
}

// filter returns the people who pass the filter.
func (s *search) filter(ctx context.Context) ([]found, error) {
	relaxed := s.q.Effort.Relaxed
	if relaxed == 0 {
		relaxed = max(relaxedLeast, s.view.persons/relaxedShare)
	}
	if s.view.persons <= relaxed {
		all := make([]uint32, s.view.slots)
		for i := range all {
			all[i] = uint32(i)
		}
		return s.x.resolve(all), nil
	}
	if err := s.scan(ctx); err != nil {
		return nil, err
	}
	sums := make([]float32, s.view.slots)
	for _, p := range s.leading() {
		values := make([]float32, s.view.slots)
		for i := range values {
			values[i] = math.Float32frombits(p.scores[i].Load())
		}
		p.add(sums, values)
	}
	others := s.probes[len(s.leading()):]
	few := slices.ContainsFunc(s.probes, func(p *probe) bool { return p.few != nil })
	if len(others) == 0 && !few {
		return s.x.resolve(best(sums, relaxed)), nil
	}
	closely := max(relaxed, othersLeast, s.view.persons/othersShare)
	looked := closely
	if len(others) > 0 && len(s.leading()) < lead {
		looked = max(closely, s.view.persons/soleShare)
	}
	people := s.x.resolve(best(sums, looked))
	for i := range people {
		people[i].score = sums[people[i].slot]
	}
	if err := s.look(ctx, people, others, (*probe).first); err != nil {
		return nil, err
	}
	if few {
		people = keep(people, closely)
		for i := range people {
			people[i].score = 0
		}
		if err := s.look(ctx, people, s.probes, (*probe).all); err != nil {
			return nil, err
		}
	}
	return keep(people, relaxed), nil
}

// look adds to the score of people how alike they are to probes.
func (s *search) look(ctx context.Context, people []found, probes []*probe, with func(*probe) *kernel.CylinderProbe) error {
	sums, values := make([]float32, len(people)), make([]float32, len(people))
	for _, p := range probes {
		filter := with(p)
		err := s.each(ctx, len(people), func(_ *worker, i int) {
			v := float32(0)
			for _, l := range people[i].prints {
				if p.fits(int(l.position)) {
					v = max(v, finger.Likeness(filter, l.chunk.packed(l.at)))
				}
			}
			values[i] = v
		})
		if err != nil {
			return err
		}
		p.add(sums, values)
	}
	for i := range people {
		people[i].score += sums[i]
	}
	return nil
}

// keep returns the n people of the highest score, in the order they have.
func keep(people []found, n int) []found {
	scores := make([]float32, len(people))
	for i := range people {
		scores[i] = people[i].score
	}
	kept := make([]found, 0, min(n, len(people)))
	for _, i := range best(scores, n) {
		kept = append(kept, people[i])
	}
	return kept
}

// least is what a finger that is not alike takes from a person's sum, in
// deviations.
const least = -1

// add adds to sums how far each value lies above the mean of all, in
// deviations. Roots of the filter's scores are nearer to a normal distribution.
func (p *probe) add(sums, values []float32) {
	mean, square := 0.0, 0.0
	for i, v := range values {
		v = float32(math.Sqrt(float64(v)))
		values[i] = v
		mean += float64(v)
		square += float64(v) * float64(v)
	}
	n := float64(max(1, len(values)))
	mean /= n
	spread := math.Sqrt(max(0, square/n-mean*mean)) + 1e-6
	for i, v := range values {
		sums[i] += float32(max(least, (float64(v)-mean)/spread))
	}
}

// best returns the indexes of the n largest values, in order of index.
func best(values []float32, n int) []uint32 {
	out := make([]uint32, 0, min(n, len(values)))
	if n >= len(values) {
		for i := range values {
			out = append(out, uint32(i))
		}
		return out
	}
	limit := largest(slices.Clone(values), n)
	for i, v := range values {
		if v > limit {
			out = append(out, uint32(i))
		}
	}
	for i, v := range values {
		if v == limit && len(out) < n {
			out = append(out, uint32(i))
		}
	}
	return out
}

// largest returns the n-th largest value, n from 1, and disorders values
// (Hoare's quickselect).
func largest(values []float32, n int) float32 {
	lo, hi := 0, len(values)-1
	for lo < hi {
		pivot := values[(lo+hi)/2]
		i, k := lo, hi
		for i <= k {
			for values[i] > pivot {
				i++
			}
			for values[k] < pivot {
				k--
			}
			if i <= k {
				values[i], values[k] = values[k], values[i]
				i++
				k--
			}
		}
		switch {
		case n-1 <= k:
			hi = k
		case n-1 >= i:
			lo = i
		default:
			return values[n-1]
		}
	}
	return values[lo]
}
