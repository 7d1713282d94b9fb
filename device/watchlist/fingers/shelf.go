package fingers

import "sync/atomic"

// Sizes of a chunk in words: of the first of a shelf, which may stay the only
// one, and of the others: half a megabyte, some 170 prints.
const (
	firstWords = 1 << 13
	chunkWords = 1 << 16
	// printWords is what a print takes at least for the count of prints to
	// end a chunk before its words do.
	printWords = 64
)

// chunk holds packed prints of one position. Prints are written once, before
// they are counted; readers take what was counted and never wait.
type chunk struct {
	words  []uint64        // whole capacity, beyond the last print not yet written
	starts []uint32        // of prints in words, whole capacity
	slots  []uint32        // whose print it is
	dead   []atomic.Uint32 // bits
	n      atomic.Int32    // prints to be read

	// Under the index's lock.
	used int // words
	gone int // prints that are dead
}

func newChunk(words int) *chunk {
	prints := words / printWords
	return &chunk{
		words: make([]uint64, words), starts: make([]uint32, prints), slots: make([]uint32, prints),
		dead: make([]atomic.Uint32, (prints+31)/32),
	}
}

// add appends a print and returns its number, or -1 if it has no room.
func (c *chunk) add(slot uint32, packed []uint64) int {
	n := int(c.n.Load())
	if n == len(c.starts) || c.used+len(packed) > len(c.words) {
		return -1
	}
	copy(c.words[c.used:], packed)
	c.starts[n], c.slots[n] = uint32(c.used), slot
	c.used += len(packed)
	c.n.Store(int32(n + 1))
	return n
}

// packed returns the words that begin with a print.
func (c *chunk) packed(i int) []uint64 { return c.words[c.starts[i]:] }

func (c *chunk) isDead(i int) bool { return c.dead[i/32].Load()>>(i%32)&1 != 0 }

func (c *chunk) kill(i int) {
	c.dead[i/32].Or(1 << (i % 32))
	c.gone++
}

// shelf holds the chunks of one position. The slice is replaced, never
// changed where a reader may look: a reader keeps what it took.
type shelf []*chunk

// add appends a print. The caller holds the index's lock.
func (s *shelf) add(slot uint32, packed []uint64) (*chunk, int) {
	if n := len(*s); n > 0 {
		if at := (*s)[n-1].add(slot, packed); at >= 0 {
			return (*s)[n-1], at
		}
	}
	size := chunkWords
	if len(*s) == 0 {
		size = firstWords
	}
	c := newChunk(size)
	*s = append(*s, c)
	return c, c.add(slot, packed)
}

// remove takes a chunk away.
func (s *shelf) remove(c *chunk) {
	rest := make(shelf, 0, len(*s))
	for _, o := range *s {
		if o != c {
			rest = append(rest, o)
		}
	}
	*s = rest
}
