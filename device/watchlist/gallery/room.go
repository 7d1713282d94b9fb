package gallery

import (
	"runtime"
	"sync"
	"unsafe"
)

const (
	// hugePage is the size of a large page: that of amd64, and of arm64 with
	// pages of 4 KiB. Where it is another, nothing is gained and nothing lost.
	hugePage = 2 << 20
	// slabBytes is the most that one slab holds.
	slabBytes = 32 << 20
)

// room is the memory of one chunk for its templates or for its codes.
type room[T any] struct{ values []T }

// rooms gives out rooms of one size. They are cut from slabs, so that they lie
// side by side and fill large pages. The memory of a room that nothing refers
// to any more, no chunk and so no search, serves the next one. It is safe for
// concurrent use. It must not refer to the rooms given out.
type rooms[T any] struct {
	size int

	mu    sync.Mutex // protects what follows
	slab  []T        // not given out yet
	spare [][]T      // given back
}

// take returns a room. Its values are zero or those of the room before. ahead
// is how many will be wanted soon.
func (r *rooms[T]) take(ahead int) *room[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := &room[T]{}
	if n := len(r.spare); n > 0 {
		next.values, r.spare = r.spare[n-1], r.spare[:n-1]
	} else {
		if len(r.slab) < r.size {
			most := slabBytes / (r.size * int(unsafe.Sizeof(*new(T))))
			r.slab = slab[T](r.size * min(max(1, ahead), most))
		}
		next.values, r.slab = r.slab[:r.size:r.size], r.slab[r.size:]
	}
	runtime.AddCleanup(next, r.giveBack, next.values)
	return next
}

func (r *rooms[T]) giveBack(values []T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spare = append(r.spare, values)
}

// slab returns n values, from the beginning of a large page on where they fill
// one.
func slab[T any](n int) []T {
	each := int(unsafe.Sizeof(*new(T)))
	if n*each < hugePage {
		return make([]T, n)
	}
	values := make([]T, n+hugePage/each)
	into := int(uintptr(unsafe.Pointer(&values[0])) % hugePage)
	values = values[(hugePage-into)%hugePage/each:][:n]
	large(values)
	return values
}
