package gallery

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
)

// MaxTop bounds how many persons one search returns.
const MaxTop = 1000

// Hit is a person with the best cosine of his templates, -1 to 1 up to
// rounding.
type Hit struct {
	Person Person
	Score  float32
}

// better orders hits: higher score first, then lower label, so that answers
// do not depend on how many cores searched.
func better(a, b Hit) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Person, b.Person))
}

// Query asks for persons. Top is how many at most, 1 to MaxTop; Least is the
// lowest cosine that counts. Several probes of one traveller are searched in
// one pass; a person's score is the best over probes and templates.
type Query struct {
	Probes []Template
	Top    int
	Least  float32
}

// Search compares every template and returns the best persons in order. It
// uses up to GOMAXPROCS cores, and ends early with gallery.cancelled when ctx
// does: an answer is whole or none.
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
	view := g.load()
	workers := min(runtime.GOMAXPROCS(0), len(view.blocks))
	parts := make([]best, workers)
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		parts[w] = best{top: q.Top, least: q.Least}
		wg.Go(func() {
			scores := make([]float32, blockRows)
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(view.blocks) {
					return
				}
				for p := range q.Probes {
					parts[w].scan(&view.blocks[i], scores, &q.Probes[p])
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap("gallery.cancelled", err)
	}
	all := best{top: q.Top, least: q.Least}
	for _, part := range parts {
		for _, h := range part.hits {
			all.offer(h)
		}
	}
	slices.SortFunc(all.hits, better)
	return all.hits, nil
}

// best keeps the best persons seen, each once.
type best struct {
	top   int
	least float32
	hits  []Hit
	worst int // index of the last in order once hits is full
}

func (b *best) scan(from *block, scores []float32, probe *Template) {
	n := kernel.DotRows(scores, from.rows, probe)
	for i, s := range scores[:n] {
		// Most rows end here: below the bound, or below the worst that is kept.
		if s < b.least || len(b.hits) == b.top && s < b.hits[b.worst].Score {
			continue
		}
		b.offer(Hit{from.persons[i], s})
	}
}

func (b *best) offer(h Hit) {
	for i := range b.hits {
		if b.hits[i].Person == h.Person {
			if h.Score > b.hits[i].Score {
				b.hits[i].Score = h.Score
				b.findWorst()
			}
			return
		}
	}
	if len(b.hits) < b.top {
		b.hits = append(b.hits, h)
		b.findWorst()
		return
	}
	if better(h, b.hits[b.worst]) < 0 {
		b.hits[b.worst] = h
		b.findWorst()
	}
}

func (b *best) findWorst() {
	if len(b.hits) < b.top {
		return
	}
	b.worst = 0
	for i := range b.hits {
		if better(b.hits[i], b.hits[b.worst]) > 0 {
			b.worst = i
		}
	}
}
