package gallery

import (
	"slices"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// write is one change of a gallery, made beside the view that searches use and
// then published in one step. Gallery.mu is held over its life.
type write struct {
	g     *Gallery
	next  *view
	dirty []*chunk // with rows put in, or full
	ahead int      // chunks that will be wanted, as far as is known
}

func (g *Gallery) write() *write {
	next := *g.load()
	next.epoch++
	return &write{g: g, next: &next}
}

// append writes beyond the rows that older views know of, or into a new chunk.
func (w *write) append(p Person, t *Template) {
	if w.g.last == nil {
		w.g.last = map[Person]slot{}
	}
	before, ok := w.g.last[p]
	if !ok {
		before = noSlot
	}
	w.g.last[p] = w.place(p, t, before)
	w.next.templates++
}

func (w *write) place(p Person, t *Template, before slot) slot {
	v := w.next
	if n := len(v.chunks); n == 0 || v.tail == chunkRows {
		if n > 0 {
			w.touch(v.chunks[n-1]) // full now: it may be tidied
		}
		v.chunks = append(v.chunks, w.g.newChunk(max(w.ahead, len(v.chunks))))
		v.tail = 0
	}
	c, i := v.chunks[len(v.chunks)-1], v.tail
	w.touch(c)
	*c.row(i) = *t
	c.persons[i], c.before[i] = p, before
	v.tail++
	return slot(c.number*chunkRows) + slot(i)
}

func (w *write) touch(c *chunk) {
	if n := len(w.dirty); n == 0 || w.dirty[n-1] != c {
		w.dirty = append(w.dirty, c)
	}
}

func (g *Gallery) newChunk(ahead int) *chunk {
	if g.rooms == nil {
		g.rooms = &rooms[float32]{size: chunkRows * kernel.Dims}
	}
	c := newChunk(g.basis, g.rooms, ahead)
	if n := len(g.free); n > 0 {
		c.number, g.free = g.free[n-1], g.free[:n-1]
		g.numbers[c.number] = c
	} else {
		c.number = uint32(len(g.numbers))
		g.numbers = append(g.numbers, c)
	}
	return c
}

// tidy moves the living rows of a chunk to the end and drops the chunk, if
// half of it is dead. The last chunk is left until it is full.
func (w *write) tidy(c *chunk) {
	v := w.next
	if c.dead < chunkRows/2 || c == v.chunks[len(v.chunks)-1] {
		return
	}
	at := slices.Index(v.chunks, c)
	v.chunks = slices.Delete(slices.Clone(v.chunks), at, at+1)
	for i, p := range c.persons {
		if c.died[i].Load() == 0 {
			old := slot(c.number*chunkRows) + slot(i)
			w.relink(p, old, w.place(p, c.row(i), c.before[i]))
		}
	}
	w.g.numbers[c.number] = nil
	w.g.free = append(w.g.free, c.number)
}

// relink makes a person's chain of rows go through a row's new place.
func (w *write) relink(p Person, old, now slot) {
	at := w.g.last[p]
	if at == old {
		w.g.last[p] = now
		return
	}
	for {
		c, i := w.g.find(at)
		if at = c.before[i]; at == old {
			c.before[i] = now
			return
		}
	}
}

// refit makes axes from the templates there are and codes every row anew.
func (w *write) refit() {
	v := w.next
	b := fit(v)
	if b == nil {
		return
	}
	w.g.basis = b
	chunks := make([]*chunk, len(v.chunks))
	inParallel(len(chunks), func(i int) { chunks[i] = v.chunks[i].recoded(b, v.used(i), len(chunks)) })
	for _, c := range chunks {
		w.g.numbers[c.number] = c
	}
	v.chunks = chunks
	w.dirty = nil
}

// publish codes the groups that have become complete and shows the change to
// the searches that begin from now on.
func (w *write) publish() {
	v := w.next
	for i := 0; i < len(w.dirty); i++ { // rows that move make more of them
		w.tidy(w.dirty[i])
	}
	inParallel(len(w.dirty), func(i int) {
		c, used := w.dirty[i], chunkRows
		if c == v.chunks[len(v.chunks)-1] {
			used = v.tail
		}
		c.encode(used / kernel.GroupRows)
	})
	w.g.view.Store(v)
}
