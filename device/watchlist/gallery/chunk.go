package gallery

import (
	"math"
	"sync/atomic"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// chunkRows is how many templates a chunk holds: 512 KiB of them, which a
// core's cache holds while several probes are compared. A power of two.
const chunkRows = 1024

// slot names a row: its chunk's number, then its place in the chunk.
type slot uint32

const noSlot slot = math.MaxUint32

// chunk is a place for chunkRows templates. A row, and the code group of
// sixteen rows, is written once, before the view that counts it is published,
// and never changed: searches read without a lock.
type chunk struct {
	rows    []float32 // of memory
	memory  *room[float32]
	persons []Person
	died    []atomic.Uint64 // epoch that deleted the row, 0 while it lives

	// The filter of complete groups; basis is nil where there is none.
	basis  *basis
	codes  []int8 // of coding
	coding *room[int8]
	always []uint16 // rows of a group that the filter must let through

	// For writers, who hold Gallery.mu.
	number uint32
	before []slot // the person's row put in before this one, or noSlot
	dead   int
	coded  int // groups that have their codes
}

// newChunk returns a chunk of which ahead will be wanted soon.
func newChunk(b *basis, rows *rooms[float32], ahead int) *chunk {
	memory := rows.take(ahead)
	c := &chunk{
		rows:    memory.values,
		memory:  memory,
		persons: make([]Person, chunkRows),
		died:    make([]atomic.Uint64, chunkRows),
		before:  make([]slot, chunkRows),
	}
	c.code(b, ahead)
	return c
}

// code gives the chunk room for codes of a basis.
func (c *chunk) code(b *basis, ahead int) {
	c.basis, c.coded = b, 0
	if b != nil {
		c.coding = b.rooms.take(ahead)
		c.codes = c.coding.values
		c.always = make([]uint16, chunkRows/kernel.GroupRows)
	}
}

func (c *chunk) row(i int) *Template { return (*Template)(c.rows[i*kernel.Dims:]) }

// encode writes the codes of the groups below to that have none yet.
func (c *chunk) encode(to int) {
	if c.basis == nil {
		return
	}
	for ; c.coded < to; c.coded++ {
		codes := (*[kernel.GroupSize]int8)(c.codes[c.coded*kernel.GroupSize:])
		for r := range kernel.GroupRows {
			if !c.basis.encode(codes, r, c.row(c.coded*kernel.GroupRows+r)) {
				c.always[c.coded] |= 1 << r
			}
		}
	}
}

// recoded returns the chunk with its rows under another basis, of which used
// are filled. Both share rows and deletions.
func (c *chunk) recoded(b *basis, used, ahead int) *chunk {
	next := *c
	next.code(b, ahead)
	next.encode(used / kernel.GroupRows)
	return &next
}

// view is what one search sees. All chunks but the last are full of rows,
// some of them dead.
type view struct {
	chunks    []*chunk
	tail      int // rows used of the last chunk
	epoch     uint64
	templates int
}

func (v *view) used(i int) int {
	if i == len(v.chunks)-1 {
		return v.tail
	}
	return chunkRows
}

// lives tells whether the view sees row i of c: it was not deleted, or later
// than the view was made.
func (v *view) lives(c *chunk, i int) bool {
	died := c.died[i].Load()
	return died == 0 || died > v.epoch
}
