package vault

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// Scrubbing takes this much of every size of object, in bytes: more than what
// lies free among live objects in the heap of a daemon that has closed its
// stores.
const scrubEach = 2 << 20

// Sizes that are scrubbed: all steps of the allocator lie closer together.
const (
	scrubFrom = 16
	scrubTo   = 8 << 10 // above, freed objects are whole pages, which go back to the kernel
)

// Scrub clears what freed objects leave in the Go heap. Libraries make copies
// of keys and PINs that nobody can reach to clear (go-tpm decrypts what a TPM
// gives out in a buffer of its own); the allocator clears memory only when it
// hands it out again. So it is made to hand out all that is free, and then the
// heap goes back to the kernel. It is called after locking, takes some tenths
// of a second, and disturbs nobody's objects.
func Scrub() {
	runtime.GC()
	runtime.GC() // pools keep their buffers over one
	var all, begin sync.WaitGroup
	threads := runtime.GOMAXPROCS(0) // each has free objects of its own
	begin.Add(threads)
	for range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			begin.Done()
			begin.Wait()
			for size := scrubFrom; size <= scrubTo; size += max(8, size/16) {
				kept := make([][]byte, 0, scrubEach/size+1)
				for range scrubEach / size {
					kept = append(kept, make([]byte, size))
				}
				runtime.KeepAlive(kept)
			}
		})
	}
	all.Wait()
	debug.FreeOSMemory()
}
