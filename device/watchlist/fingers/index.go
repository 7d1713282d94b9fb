package fingers

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
)

// MaxPosition is the highest finger position: ISO/IEC 19794-2 numbers them 1,
// right thumb, to 10, left little finger; 0 is unknown.
const MaxPosition = 10

// MaxPrints bounds the prints of one person: sixteen impressions of each of
// ten fingers, what a finger minutiae record holds.
const MaxPrints = 160

// Errors of Insert.
var (
	ErrPresent = &fault.Error{Code: "fingers.present"}
	ErrPrint   = &fault.Error{Code: "fingers.print"}
)

// Person is the caller's number of somebody.
type Person uint32

// Print is one print of a person.
type Print struct {
	Position int      // 0 to 10
	Packed   []uint64 // as of finger.Template.AppendPacked; copied
	// Whole is kept for the full comparison where there is memory for it:
	// some 40 KB. nil compares by minutiae only.
	Whole *finger.Template
}

// LogValue keeps prints out of logs.
func (Print) LogValue() slog.Value { return slog.StringValue("print (redacted)") }

// String keeps prints out of the fmt verbs.
func (Print) String() string { return "print (redacted)" }

// location is where a print lies.
type location struct {
	position uint8
	chunk    *chunk
	at       int
	whole    *finger.Template
}

// entry is a person who is in.
type entry struct {
	person Person
	prints []location
}

// Index holds people's prints. It is safe for concurrent use: searches go on
// while people are put in and taken out.
type Index struct {
	mu      sync.Mutex // protects all that follows; never held during a search's work
	shelves [MaxPosition + 1]shelf
	entries []*entry // by slot, nil for a free one
	slots   map[Person]uint32
	free    []uint32
	// Slots of people who left while searches ran: a search must not take
	// the next person in the slot for them.
	resting []uint32
	active  int // searches
	words   int // of prints that are in
	prints  int
}

// New returns an empty index.
func New() *Index { return &Index{slots: make(map[Person]uint32)} }

// Insert puts a person in with all prints. Errors: ErrPresent, and ErrPrint
// for no print, too many, or one that is malformed; then nothing was changed.
func (x *Index) Insert(p Person, prints []Print) error {
	if len(prints) == 0 || len(prints) > MaxPrints {
		return fault.New(ErrPrint.Code, "%d prints", len(prints))
	}
	sizes := make([]int, len(prints))
	for i, pr := range prints {
		if pr.Position < 0 || pr.Position > MaxPosition {
			return fault.New(ErrPrint.Code, "print %d: position %d", i, pr.Position)
		}
		n, err := finger.PackedSize(pr.Packed)
		if err != nil {
			return fault.New(ErrPrint.Code, "print %d: %w", i, err)
		}
		sizes[i] = n
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, in := x.slots[p]; in {
		return fault.New(ErrPresent.Code, "the person is in already")
	}
	slot := uint32(len(x.entries))
	if n := len(x.free); n > 0 {
		slot, x.free = x.free[n-1], x.free[:n-1]
	} else {
		x.entries = append(x.entries, nil)
	}
	e := &entry{person: p, prints: make([]location, len(prints))}
	for i, pr := range prints {
		c, at := x.shelves[pr.Position].add(slot, pr.Packed[:sizes[i]])
		e.prints[i] = location{uint8(pr.Position), c, at, pr.Whole}
		x.words += sizes[i]
	}
	x.prints += len(prints)
	x.entries[slot], x.slots[p] = e, slot
	return nil
}

// Delete takes a person out, and reports whether they were in.
func (x *Index) Delete(p Person) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	slot, in := x.slots[p]
	if !in {
		return false
	}
	e := x.entries[slot]
	delete(x.slots, p)
	x.entries[slot] = nil
	if x.active > 0 {
		x.resting = append(x.resting, slot)
	} else {
		x.free = append(x.free, slot)
	}
	x.prints -= len(e.prints)
	for _, l := range e.prints {
		size, _ := finger.PackedSize(l.chunk.packed(l.at)) // was checked when it came in
		x.words -= size
		l.chunk.kill(l.at)
	}
	for _, l := range e.prints {
		x.compact(l.position, l.chunk)
	}
	return true
}

// compact moves what lives in a chunk that is full and half dead to the end of
// its shelf. What is moved is at most half a chunk; searches that run keep the
// old one.
func (x *Index) compact(position uint8, c *chunk) {
	s := &x.shelves[position]
	n := int(c.n.Load())
	if c.gone*2 < n || c == (*s)[len(*s)-1] || !slices.Contains(*s, c) {
		return
	}
	for i := range n {
		if c.isDead(i) {
			continue
		}
		packed := c.packed(i)
		size, _ := finger.PackedSize(packed) // was checked when it came in
		to, at := s.add(c.slots[i], packed[:size])
		e := x.entries[c.slots[i]]
		for k := range e.prints {
			if l := &e.prints[k]; l.chunk == c && l.at == i {
				l.chunk, l.at = to, at
			}
		}
	}
	s.remove(c)
}

// Stats is what an index holds.
type Stats struct {
	Persons, Prints int
	// Words of the prints themselves, and Bytes of all memory of the index
	// but whole templates.
	Words int
	Bytes int
}

// Stats counts.
func (x *Index) Stats() Stats {
	x.mu.Lock()
	defer x.mu.Unlock()
	// An entry and its part of the map; a location.
	const person, print = 120, 40
	st := Stats{Persons: len(x.slots), Prints: x.prints, Words: x.words, Bytes: person*len(x.slots) + print*x.prints}
	for _, s := range x.shelves {
		for _, c := range s {
			st.Bytes += 8*len(c.words) + 8*len(c.starts) + 4*len(c.dead)
		}
	}
	return st
}

// view is what a search looks at.
type view struct {
	shelves [MaxPosition + 1]shelf
	slots   int
	persons int
}

// begin takes a view; end must follow.
func (x *Index) begin() view {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.active++
	return view{x.shelves, len(x.entries), len(x.slots)}
}

func (x *Index) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.active--; x.active == 0 {
		x.free = append(x.free, x.resting...)
		x.resting = x.resting[:0]
	}
}

// found is a person whom a search follows.
type found struct {
	slot   uint32
	person Person
	prints []location
	score  float32
}

// resolve looks up who has the slots; those who have left meanwhile are left out.
func (x *Index) resolve(slots []uint32) []found {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make([]found, 0, len(slots))
	for _, s := range slots {
		if e := x.entries[s]; e != nil {
			out = append(out, found{slot: s, person: e.person, prints: slices.Clone(e.prints)})
		}
	}
	return out
}

// still reports who of those found is in.
func (x *Index) still(hits []Hit) []Hit {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.DeleteFunc(hits, func(h Hit) bool { _, in := x.slots[h.Person]; return !in })
}
