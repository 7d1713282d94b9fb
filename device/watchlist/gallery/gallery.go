// Package gallery searches face templates exactly: every template is compared
// with the probe, so that a search never misses a record that a comparison
// would have found, and an auditor can be told why a candidate was not there.
//
// Templates are 128 float32 values of unit length, so that the inner product
// is the cosine. Searches run on a snapshot and never wait for inserts or
// deletes, which become visible to the next search.
package gallery

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
)

// blockRows is how many templates a block holds: 512 KiB, small enough to
// copy at a delete (some 50 µs) and large enough that a search hands out few.
const blockRows = 1024

// Template is one face template of unit length.
type Template = [kernel.Dims]float32

// Person labels the templates of one subject.
type Person uint64

// block is templates of several persons. What is below its length never
// changes once a snapshot holds it; only the last block of the newest
// snapshot is appended to, beyond that length.
type block struct {
	rows    []float32
	persons []Person
}

// snapshot is what one search sees.
type snapshot struct {
	blocks    []block
	templates int
}

// Gallery is a set of labelled templates. It is safe for concurrent use;
// writers wait for each other, searches wait for nobody. The zero value is an
// empty gallery.
type Gallery struct {
	view atomic.Pointer[snapshot]

	mu    sync.Mutex // held by writers; protects where
	where map[Person]int
}

func (g *Gallery) load() *snapshot {
	if s := g.view.Load(); s != nil {
		return s
	}
	return &snapshot{}
}

// Templates returns how many templates the gallery holds.
func (g *Gallery) Templates() int { return g.load().templates }

// Persons returns how many persons the gallery holds.
func (g *Gallery) Persons() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.where)
}

// Insert adds templates of one person, beside those held of him already. It
// refuses all of them where one is not of unit length (gallery.template).
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
	next := g.load().clone()
	for i := range templates {
		next.append(p, templates[i][:])
	}
	g.count(p, len(templates))
	g.view.Store(next)
	return nil
}

// Fill adds many templates in one step: rows holds them one after the other,
// person i has row i. It is for loading; nothing is added where one is not of
// unit length or the lengths differ (gallery.template).
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
	next := g.load().clone()
	for i, p := range persons {
		next.append(p, rows[i*kernel.Dims:(i+1)*kernel.Dims])
		g.count(p, 1)
	}
	g.view.Store(next)
	return nil
}

func (g *Gallery) count(p Person, n int) {
	if g.where == nil {
		g.where = map[Person]int{}
	}
	g.where[p] += n
}

// Delete removes every template of a person and tells how many there were. A
// search that has begun may still find them; memory is given back when the
// last such search has ended.
func (g *Gallery) Delete(p Person) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.where[p]
	if n == 0 {
		return 0
	}
	delete(g.where, p)
	old := g.load()
	next := &snapshot{blocks: make([]block, 0, len(old.blocks)), templates: old.templates - n}
	var left []block // thin remainders, put back at the end
	for _, b := range old.blocks {
		if kept, changed := b.without(p); !changed {
			next.blocks = append(next.blocks, b)
		} else if len(kept.persons) >= blockRows/2 {
			next.blocks = append(next.blocks, kept)
		} else if len(kept.persons) > 0 {
			left = append(left, kept)
		}
	}
	for _, b := range left {
		for i, q := range b.persons {
			next.appendRow(q, b.rows[i*kernel.Dims:(i+1)*kernel.Dims])
		}
	}
	g.view.Store(next)
	return n
}

// without returns the block without p's rows, copied if there were any.
func (b block) without(p Person) (block, bool) {
	found := false
	for _, q := range b.persons {
		if q == p {
			found = true
			break
		}
	}
	if !found {
		return b, false
	}
	kept := newBlock()
	for i, q := range b.persons {
		if q != p {
			kept.persons = append(kept.persons, q)
			kept.rows = append(kept.rows, b.rows[i*kernel.Dims:(i+1)*kernel.Dims]...)
		}
	}
	return kept, true
}

func newBlock() block {
	return block{rows: make([]float32, 0, blockRows*kernel.Dims), persons: make([]Person, 0, blockRows)}
}

func (s *snapshot) clone() *snapshot {
	return &snapshot{blocks: append(make([]block, 0, len(s.blocks)+1), s.blocks...), templates: s.templates}
}

func (s *snapshot) append(p Person, row []float32) {
	s.appendRow(p, row)
	s.templates++
}

// appendRow writes beyond the length that older snapshots know of, or into a
// new block.
func (s *snapshot) appendRow(p Person, row []float32) {
	if n := len(s.blocks); n == 0 || len(s.blocks[n-1].persons) == blockRows {
		s.blocks = append(s.blocks, newBlock())
	}
	last := &s.blocks[len(s.blocks)-1]
	last.rows = append(last.rows, row...)
	last.persons = append(last.persons, p)
}

// unitTolerance is how far the squared length of a template may be from 1:
// float32 rounding of 128 values stays far below it.
const unitTolerance = 2e-3

func unit(t *Template) bool {
	return math.Abs(float64(kernel.Dot(t, t))-1) <= unitTolerance // false for NaN
}
