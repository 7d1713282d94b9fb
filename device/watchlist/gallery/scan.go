package gallery

import (
	"math/bits"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// dense is the share of a chunk, one row in dense, from which on comparing the
// whole chunk in order is faster than the rows that the filter left.
const dense = 4

// scan is one worker of a search. It is for one goroutine.
type scan struct {
	view  *view
	query *Query
	floor *floor
	best  best

	basis  *basis // that codes is for
	codes  []*coded
	masks  [chunkRows / kernel.GroupRows]uint16
	scores [chunkRows]float32
}

// chunk searches the first used rows of c for every probe.
func (s *scan) chunk(c *chunk, used int) {
	filtered := 0
	if c.basis != nil && !s.query.NoFilter {
		filtered = used / kernel.GroupRows
	}
	if filtered > 0 && s.basis != c.basis {
		s.basis, s.codes = c.basis, s.codes[:0]
		for i := range s.query.Probes {
			s.codes = append(s.codes, c.basis.probe(&s.query.Probes[i]))
		}
	}
	for i := range s.query.Probes {
		probe := &s.query.Probes[i]
		from := 0
		if filtered > 0 && s.few(c, filtered, s.codes[i]) {
			s.left(c, filtered, probe)
			from = filtered * kernel.GroupRows
		}
		n := kernel.DotRows(s.scores[:], c.rows[from*kernel.Dims:used*kernel.Dims], probe)
		least := s.floor.get()
		for g, mask := range s.masks[:kernel.Reach(s.masks[:], s.scores[:n], least)] {
			for ; mask != 0; mask &= mask - 1 {
				j := g*kernel.GroupRows + bits.TrailingZeros16(mask)
				if score := s.scores[j]; !(score < least) {
					least = s.take(c, from+j, score)
				}
			}
		}
	}
}

// few fills the masks with the rows that may reach the floor, and tells
// whether they are few enough to be looked up one by one.
func (s *scan) few(c *chunk, groups int, probe *coded) bool {
	kernel.Prune(s.masks[:groups], c.codes[:groups*kernel.GroupSize], probe.values, probe.least(s.floor.get()))
	n := 0
	for g, always := range c.always[:groups] {
		s.masks[g] |= always
		n += bits.OnesCount16(s.masks[g])
	}
	return n <= groups*kernel.GroupRows/dense
}

// left compares the rows that the filter has left.
func (s *scan) left(c *chunk, groups int, probe *Template) {
	least := s.floor.get()
	for g, mask := range s.masks[:groups] {
		for ; mask != 0; mask &= mask - 1 {
			i := g*kernel.GroupRows + bits.TrailingZeros16(mask)
			if score := kernel.Dot(c.row(i), probe); !(score < least) {
				least = s.take(c, i, score)
			}
		}
	}
}

// take keeps a row that is not below the floor, unless it is dead, and returns
// the floor after it.
func (s *scan) take(c *chunk, i int, score float32) float32 {
	if s.view.lives(c, i) {
		s.best.offer(Hit{c.persons[i], score})
		if len(s.best.hits) == s.best.top {
			s.floor.raise(s.best.hits[s.best.worst].Score)
		}
	}
	return s.floor.get()
}
