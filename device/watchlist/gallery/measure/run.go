package measure

import (
	"cmp"
	"context"
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

// Throughput is how many times as many queries a second two cores answer, each
// its own ones without a pause, as one core does: of each the best batch.
type Throughput struct {
	TopScan float64 `json:"top50_scan"`
	Top     float64 `json:"top50"`
	Radius  float64 `json:"radius"`
}

// Result is what was measured.
type Result struct {
	Faces   int    `json:"faces"`
	Kernel  string `json:"kernel"`
	Cores   int    `json:"cores"`
	Repeats int    `json:"repeats"`
	MS      Times  `json:"ms"` // one core
	// Of a machine with two cores or more, null on one with one: a query on
	// two of them, and how many more queries two cores answer than one.
	MSTwoCores *Times      `json:"ms_two_cores"`
	Throughput *Throughput `json:"throughput_two_cores"`
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
	if r.MS, err = m.times(ctx, 1); err != nil {
		return nil, err
	}
	if r.Cores > 1 {
		two, err := m.times(ctx, 2)
		if err != nil {
			return nil, err
		}
		more, err := m.throughput(ctx, r.MS)
		if err != nil {
			return nil, err
		}
		r.MSTwoCores, r.Throughput = &two, &more
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

// queries are the kinds of search in the order of Times.
func (m *measurement) queries() (scan, top, radius gallery.Query) {
	return gallery.Query{Top: Top, Least: -2, NoFilter: true}, gallery.Query{Top: Top, Least: -2}, gallery.Query{Top: gallery.MaxTop, Least: m.least}
}

// times measures the kinds of search. Repeats of one kind follow each other, as
// in a post that has nothing but searches to do, and as peers are measured. A
// query goes over so many workers.
func (m *measurement) times(ctx context.Context, workers int) (t Times, err error) {
	scan, top, radius := m.queries()
	var best [4][]time.Duration
	for _, p := range m.with {
		scan.Probes = []gallery.Template{p}
		top.Probes, radius.Probes = scan.Probes, scan.Probes
		scan.Workers, top.Workers, radius.Workers = workers, workers, workers
		var all []gallery.Hit
		run := func(kind int, q gallery.Query, check func(hits []gallery.Hit) bool) {
			if err != nil {
				return
			}
			start := time.Now()
			hits, failed := m.g.Search(ctx, q)
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
			if workers == 1 { // between searches, as the scan is
				read = min(read, m.g.ReadTime())
				run(3, radius, near)
			}
		}
		if workers == 1 {
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

// batchMS is how long a batch of queries takes on one core at least: starting
// two goroutines is nothing beside it.
const batchMS = 100

// throughput measures batches on one core and on two in turns. alone says what
// a query takes.
func (m *measurement) throughput(ctx context.Context, alone Times) (t Throughput, err error) {
	scan, top, radius := m.queries()
	for _, kind := range []struct {
		query gallery.Query
		ms    float64
		into  *float64
	}{{scan, alone.TopScan, &t.TopScan}, {top, alone.Top, &t.Top}, {radius, alone.Radius, &t.Radius}} {
		rounds := 1 + int(batchMS/(kind.ms*float64(len(m.with))))
		one, two := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
		for range (m.repeats + 2) / 3 {
			for cores, best := range []*time.Duration{&one, &two} {
				took, err := m.batch(ctx, kind.query, rounds, cores+1)
				if err != nil {
					return t, err
				}
				*best = min(*best, took)
			}
		}
		*kind.into = 2 * one.Seconds() / two.Seconds()
	}
	return t, nil
}

// batch returns how long so many cores take until each has answered rounds of
// all probes, each core beginning with another one.
func (m *measurement) batch(ctx context.Context, q gallery.Query, rounds, cores int) (time.Duration, error) {
	var all errgroup.Group
	start := time.Now()
	for core := range cores {
		all.Go(func() error {
			own := q
			own.Workers = 1
			for i := range rounds * len(m.with) {
				p := (i + core*len(m.with)/cores) % len(m.with)
				own.Probes = m.with[p : p+1]
				if _, err := m.g.Search(ctx, own); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := all.Wait()
	return time.Since(start), err
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
