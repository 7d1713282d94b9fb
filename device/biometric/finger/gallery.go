package finger

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Gallery is a set of templates to search in. It is for one goroutine; a
// search itself uses all cores.
type Gallery struct{ prints []*Template }

// NewGallery returns an empty gallery.
func NewGallery() *Gallery { return &Gallery{} }

// Add appends a template and returns its index, from 0. The gallery keeps t.
func (g *Gallery) Add(t *Template) int {
	g.prints = append(g.prints, t)
	return len(g.prints) - 1
}

// Hit is one print found.
type Hit struct {
	Index int
	Score float64 // as of Matcher.Score
}

// How many prints the filter passes on to the full comparison: all of a small
// gallery, else a fiftieth, and never fewer than this.
const (
	filterKeep  = 2000
	filterShare = 50
)

// Search returns the best n prints, best first. Galleries of more than 2,000
// prints are filtered by the likeness of their cylinders first.
func (g *Gallery) Search(probe *Template, n int) []Hit {
	all := make([]Hit, len(g.prints))
	for i := range all {
		all[i].Index = i
	}
	if keep := max(filterKeep, len(all)/filterShare); len(all) > keep {
		g.each(len(all), func(_ *Matcher, i int) { all[i].Score = float64(likeness(probe, g.prints[i])) })
		slices.SortFunc(all, byScore)
		all = all[:keep]
	}
	g.each(len(all), func(m *Matcher, i int) { all[i].Score = m.Score(probe, g.prints[all[i].Index]) })
	slices.SortFunc(all, byScore)
	return all[:min(n, len(all))]
}

func byScore(a, b Hit) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Index, b.Index))
}

// each calls f for 0 to n-1 on all cores.
func (g *Gallery) each(n int, f func(m *Matcher, i int)) {
	const chunk = 32
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+chunk-1)/chunk) {
		wg.Go(func() {
			m := NewMatcher()
			for {
				start := int(next.Add(chunk)) - chunk
				if start >= n {
					return
				}
				for i := start; i < min(n, start+chunk); i++ {
					f(m, i)
				}
			}
		})
	}
	wg.Wait()
}

// likeness is the filter's score: the mean over the probe's best cylinders of
// how alike the most alike cylinder is.
func likeness(a, b *Template) float32 {
	var best [maxRecord]float32
	for i := range a.cylinders {
		ca := &a.cylinders[i]
		ta := a.Minutiae[ca.minutia].Angle
		for k := range b.cylinders {
			cb := &b.cylinders[k]
			d := ta - b.Minutiae[cb.minutia].Angle
			if d < 0 {
				d = -d
			}
			if d > mccMaxTurn && d < 6.2831853-mccMaxTurn {
				continue
			}
			if s := similarity(ca, cb); s > best[i] {
				best[i] = s
			}
		}
	}
	top := best[:len(a.cylinders)]
	slices.SortFunc(top, func(x, y float32) int { return cmp.Compare(y, x) })
	n := min(len(top), relaxMaxP)
	s := float32(0)
	for _, v := range top[:n] {
		s += v
	}
	return s / max(1, float32(n))
}
