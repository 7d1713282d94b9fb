package measure

import (
	"cmp"
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
)

const (
	// Top is how many candidates a search is measured with.
	Top = 50
	// FMR is the false match rate that a radius search is measured at, in the
	// crowd itself.
	FMR = 1e-5
	// probes is how many different probes a figure is the median of.
	probes = 8
)

// Times are milliseconds a query, a probe's best of the repeats, the median of
// eight probes.
type Times struct {
	TopScan float64 `json:"top50_scan"` // every template compared
	Top     float64 `json:"top50"`      // through the filter
	Radius  float64 `json:"radius"`     // all above the radius, through the filter
	// Cold is Radius right after every template was read, which drives the
	// filter's codes out of the processor's caches.
	Cold float64 `json:"radius_cold"`
}

// Result is what was measured.
type Result struct {
	Faces   int    `json:"faces"`
	Kernel  string `json:"kernel"`
	Cores   int    `json:"cores"`
	Repeats int    `json:"repeats"`
	MS      Times  `json:"ms"` // one core
	// Of a machine with two cores or more, null on one with one: a query on
	// two of them, and two queries at once until both are answered.
	MSTwoCores   *Times `json:"ms_two_cores"`
	MSTwoQueries *Times `json:"ms_two_queries"`
	// MemoryBound is ms to read every template once on one core, by the same
	// statistic as Times, each read in turns with a scan: a minimum of more
	// readings than a search has would hold the host's rare best minute
	// against the search's usual one. ReadBest is that minimum.
	MemoryBound float64        `json:"memory_bound"`
	ReadBest    float64        `json:"memory_read_best"`
	RadiusAt    float32        `json:"radius_cosine"` // of a false match rate of 1e-5 in this crowd
	RadiusHits  float64        `json:"radius_hits"`   // persons a probe
	Memory      gallery.Memory `json:"memory_bytes"`
	FillSeconds float64        `json:"fill_seconds"`
	InsertUS    float64        `json:"insert_delete_us"` // one person put in and taken out
	Identical   bool           `json:"identical"`        // every filtered answer was that of the scan, to the bit
}

// Probes draws the probes that Run searches with.
func Probes(c *Crowd) []gallery.Template {
	rows := c.Rows(probes, 0x9b0be)
	out := make([]gallery.Template, probes)
	for i := range out {
		out[i] = gallery.Template(rows[i*kernel.Dims:])
	}
	return out
}

// Run measures a gallery filled with rows, person i with row i, by the best of
// repeats. Other work on the machine is measured with it: give it a quiet
// moment or many repeats.
func Run(ctx context.Context, rows []float32, with []gallery.Template, repeats int) (*Result, error) {
	n := len(rows) / kernel.Dims
	if n < 1 || len(with) < 1 || repeats < 1 {
		return nil, fault.New("bench.empty", "%d faces, %d probes, %d repeats", n, len(with), repeats)
	}
	g := &gallery.Gallery{}
	r := &Result{Faces: n, Kernel: kernel.Name(), Cores: runtime.GOMAXPROCS(0), Repeats: repeats}
	persons := make([]gallery.Person, n)
	for i := range persons {
		persons[i] = gallery.Person(i)
	}
	start := time.Now()
	if err := g.Fill(persons, rows); err != nil {
		return nil, err
	}
	r.FillSeconds, r.Memory = time.Since(start).Seconds(), g.Memory()

	m := &measurement{g: g, with: with, repeats: repeats}
	if err := m.radius(ctx, n); err != nil {
		return nil, err
	}
	var err error
	if r.MS, err = m.times(ctx, 1, 1); err != nil {
		return nil, err
	}
	if r.Cores > 1 {
		two, err := m.times(ctx, 2, 1)
		if err != nil {
			return nil, err
		}
		both, err := m.times(ctx, 1, 2)
		if err != nil {
			return nil, err
		}
		r.MSTwoCores, r.MSTwoQueries = &two, &both
	}
	r.MemoryBound, r.ReadBest = median(m.reads), ms(slices.Min(m.reads))
	r.RadiusAt, r.RadiusHits = m.least, float64(m.hits)/float64(len(with))
	r.Identical, r.InsertUS = !m.differs, m.insert(gallery.Person(n))
	return r, nil
}

type measurement struct {
	g       *gallery.Gallery
	with    []gallery.Template
	repeats int
	least   float32
	hits    int
	reads   []time.Duration // of every template on one core, the best a probe
	differs bool
}

// radius finds the score that FMR of all comparisons reach.
func (m *measurement) radius(ctx context.Context, n int) error {
	var scores []float32
	for _, p := range m.with {
		hits, err := m.g.Search(ctx, gallery.Query{Probes: []gallery.Template{p}, Top: gallery.MaxTop, Least: -2, NoFilter: true})
		if err != nil {
			return err
		}
		for _, h := range hits {
			scores = append(scores, h.Score)
		}
	}
	slices.SortFunc(scores, func(a, b float32) int { return cmp.Compare(b, a) })
	m.hits = min(len(scores), max(1, int(FMR*float64(n)*float64(len(m.with)))))
	m.least = scores[m.hits-1]
	return nil
}

// times measures the kinds of search. Repeats of one kind follow each other, as
// in a post that has nothing but searches to do, and as peers are measured. A
// query goes over so many workers, and so many go at once.
func (m *measurement) times(ctx context.Context, workers, queries int) (t Times, err error) {
	scan := gallery.Query{Top: Top, Least: -2, NoFilter: true}
	top := gallery.Query{Top: Top, Least: -2}
	radius := gallery.Query{Top: gallery.MaxTop, Least: m.least}
	var best [4][]time.Duration
	alone := workers == 1 && queries == 1
	for _, p := range m.with {
		scan.Probes = []gallery.Template{p}
		top.Probes, radius.Probes = scan.Probes, scan.Probes
		scan.Workers, top.Workers, radius.Workers = workers, workers, workers
		var all []gallery.Hit
		run := func(kind int, q gallery.Query, check func(hits []gallery.Hit) bool) {
			if err != nil {
				return
			}
			var beside errgroup.Group
			start := time.Now()
			for range queries - 1 {
				beside.Go(func() error {
					_, err := m.g.Search(ctx, q)
					return err
				})
			}
			hits, failed := m.g.Search(ctx, q)
			failed = errors.Join(failed, beside.Wait())
			took := time.Since(start)
			if err = failed; err != nil {
				return
			}
			if least := &best[kind][len(best[kind])-1]; *least == 0 || took < *least {
				*least = took
			}
			if !check(hits) {
				m.differs = true
			}
		}
		for k := range best {
			best[k] = append(best[k], 0)
		}
		same := func(hits []gallery.Hit) bool { return slices.Equal(hits, all) }
		near := func(hits []gallery.Hit) bool { return prefix(hits, all, m.least) }
		read := time.Duration(math.MaxInt64)
		for range m.repeats {
			run(0, scan, func(hits []gallery.Hit) bool { all = hits; return true })
			run(3, radius, near)
			if alone { // between searches, as the scan is
				read = min(read, m.g.ReadTime())
				run(3, radius, near)
			}
		}
		if alone {
			m.reads = append(m.reads, read)
		}
		for range m.repeats {
			run(1, top, same)
		}
		for range m.repeats {
			run(2, radius, near)
		}
	}
	var medians [len(best)]float64
	for k := range best {
		medians[k] = median(best[k])
	}
	return Times{medians[0], medians[1], medians[2], medians[3]}, err
}

// prefix tells whether hits are those of the scan's that reach least; the scan
// may have ended before.
func prefix(hits, scan []gallery.Hit, least float32) bool {
	n := 0
	for n < len(scan) && scan[n].Score >= least {
		n++
	}
	if n == len(scan) && n == Top {
		return len(hits) >= n && slices.Equal(hits[:n], scan)
	}
	return slices.Equal(hits, scan[:n])
}

// insert returns the microseconds of putting in and taking out one person.
func (m *measurement) insert(p gallery.Person) float64 {
	const times = 2000
	start := time.Now()
	for range times {
		if m.g.Insert(p, m.with[0]) == nil {
			m.g.Delete(p)
		}
	}
	return time.Since(start).Seconds() * 1e6 / times
}

// median returns it in milliseconds.
func median(times []time.Duration) float64 {
	return ms(slices.Sorted(slices.Values(times))[len(times)/2])
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
