package gallery

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/watchpost/watchpost/device/fault"
)

// MaxTop bounds how many persons one search returns.
const MaxTop = 1000

// Query asks for persons. Top is how many at most, 1 to MaxTop; Least is the
// lowest cosine that counts. Several probes of one traveller are searched in
// one pass; a person's score is the best over probes and templates.
type Query struct {
	Probes []Template
	Top    int
	Least  float32

	// Workers is how many cores may search, 0 for GOMAXPROCS.
	Workers int

	// NoFilter compares every template. The answer is the same: it is there to
	// measure the filter and to check it.
	NoFilter bool
}

// Search returns the best persons in order: exactly those that comparing every
// template gives. It ends early with gallery.cancelled when ctx does: an
// answer is whole or none.
func (g *Gallery) Search(ctx context.Context, q Query) ([]Hit, error) {
	if q.Top < 1 || q.Top > MaxTop {
		return nil, fault.New("gallery.query", "asked for the best %d, allowed 1 to %d", q.Top, MaxTop)
	}
	if len(q.Probes) == 0 {
		return nil, fault.New("gallery.query", "no probe")
	}
	for i := range q.Probes {
		if !unit(&q.Probes[i]) {
			return nil, fault.New("gallery.template", "probe %d is not of unit length", i)
		}
	}
	v := g.load()
	workers := q.Workers
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	parts := make([]scan, min(workers, len(v.chunks)))
	floor := newFloor(q.Least)
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range parts {
		s := &parts[w]
		*s = scan{view: v, query: &q, floor: floor, best: best{top: q.Top}}
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(v.chunks) {
					return
				}
				s.chunk(v.chunks[i], v.used(i))
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap("gallery.cancelled", err)
	}
	all := best{top: q.Top}
	for _, part := range parts {
		for _, h := range part.best.hits {
			all.offer(h)
		}
	}
	runtime.KeepAlive(v) // to here: what its chunks hold may serve others afterwards
	slices.SortFunc(all.hits, better)
	return all.hits, nil
}

// floor is the score below which no template matters any more to a search: the
// query's, then that of the last of the best persons that one of the workers
// has found. It only rises. Safe for concurrent use.
type floor struct{ bits atomic.Uint32 }

func newFloor(least float32) *floor {
	f := &floor{}
	f.bits.Store(math.Float32bits(least))
	return f
}

func (f *floor) get() float32 { return math.Float32frombits(f.bits.Load()) }

func (f *floor) raise(to float32) {
	for {
		old := f.bits.Load()
		if math.Float32frombits(old) >= to || f.bits.CompareAndSwap(old, math.Float32bits(to)) {
			return
		}
	}
}
