// Package gallery searches face templates exactly: a search never misses a
// record that comparing every template would have found, and an auditor can
// be told why a candidate was not there.
//
// Templates are 128 float32 values of unit length, so that the inner product
// is the cosine. Large galleries are filtered by 40 byte codes a template,
// whose bound is proved in filter.go, and what the filter lets through is
// compared in float32. Searches run on a view and never wait for inserts or
// deletes, which become visible to the next search.
package gallery

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
)

// fitFrom is the smallest number of templates that Fill makes a filter for:
// below, comparing all takes less than a millisecond, and axes from few
// templates filter badly.
const fitFrom = 8192

// Template is one face template of unit length.
type Template = [kernel.Dims]float32

// Person labels the templates of one subject.
type Person uint64

// Gallery is a set of labelled templates. It is safe for concurrent use;
// writers wait for each other, searches wait for nobody. The zero value is an
// empty gallery.
type Gallery struct {
	view atomic.Pointer[view]

	mu      sync.Mutex // held by writers; protects what follows
	last    map[Person]slot
	numbers []*chunk // by number, nil where the number is free
	free    []uint32
	basis   *basis
	rooms   *rooms[float32] // nil until the first chunk
	fitFrom int             // 0: the constant
}

func (g *Gallery) load() *view {
	if v := g.view.Load(); v != nil {
		return v
	}
	return &view{}
}

// Templates returns how many templates the gallery holds.
func (g *Gallery) Templates() int { return g.load().templates }

// Persons returns how many persons the gallery holds.
func (g *Gallery) Persons() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.last)
}

// Insert adds templates of one person, beside those held of him already, in
// time that does not depend on the gallery's size. It refuses all of them
// where one is not of unit length (gallery.template).
func (g *Gallery) Insert(p Person, templates ...Template) error {
	for i := range templates {
		if !unit(&templates[i]) {
			return fault.New("gallery.template", "template %d is not of unit length", i)
		}
	}
	if len(templates) == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.write()
	for i := range templates {
		w.append(p, &templates[i])
	}
	w.publish()
	return nil
}

// Fill adds many templates in one step: rows holds them one after the other,
// person i has row i. It is for loading: it makes the filter's axes when the
// gallery first reaches some thousand templates, and anew whenever it has
// grown fourfold. Nothing is added where one is not of unit length or the
// lengths differ (gallery.template).
func (g *Gallery) Fill(persons []Person, rows []float32) error {
	if len(rows) != len(persons)*kernel.Dims {
		return fault.New("gallery.template", "%d values for %d persons", len(rows), len(persons))
	}
	for i := range persons {
		if !unit((*Template)(rows[i*kernel.Dims:])) {
			return fault.New("gallery.template", "template %d is not of unit length", i)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.write()
	w.ahead = len(persons)/chunkRows + 1
	for i, p := range persons {
		w.append(p, (*Template)(rows[i*kernel.Dims:]))
	}
	from := g.fitFrom
	if from == 0 {
		from = fitFrom
	}
	if g.basis != nil {
		from = 4 * g.basis.fitted
	}
	if w.next.templates >= from {
		w.refit()
	}
	w.publish()
	return nil
}

// Delete removes every template of a person and tells how many there were, in
// time that does not depend on the gallery's size but for a list of chunks, 8
// bytes a thousand templates, copied once in some five hundred deletions. A
// search that has begun may still find them; memory is given back when half a
// chunk is dead and the last search of it has ended.
func (g *Gallery) Delete(p Person) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.last[p]
	if !ok {
		return 0
	}
	delete(g.last, p)
	w := g.write()
	n := 0
	var thin []*chunk
	for at != noSlot {
		c, i := g.find(at)
		c.died[i].Store(w.next.epoch)
		if c.dead++; c.dead >= chunkRows/2 && !slices.Contains(thin, c) {
			thin = append(thin, c)
		}
		at = c.before[i]
		n++
	}
	w.next.templates -= n
	for _, c := range thin {
		w.tidy(c)
	}
	w.publish()
	return n
}

func (g *Gallery) find(s slot) (*chunk, int) {
	return g.numbers[s/chunkRows], int(s % chunkRows)
}

// unitTolerance is how far the squared length of a template may be from 1:
// float32 rounding of 128 values stays far below it. The filter's bound
// counts on it.
const unitTolerance = 2e-3

func unit(t *Template) bool {
	return math.Abs(float64(kernel.Dot(t, t))-1) <= unitTolerance // false for NaN
}

// inParallel calls do for 0 to n-1 on the cores there are.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}
