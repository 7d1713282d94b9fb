package vault

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

// slotSize is one key's room in bytes: a key, rounded to a cache line so that
// no two keys share one.
const slotSize = 64

// arena hands out slots for keys from pages outside the Go heap, which the
// garbage collector neither copies nor moves. It is safe for concurrent use.
type arena struct {
	mu    sync.Mutex // protects what follows
	pages [][]byte
	free  [][]byte
	keys  map[*Key]struct{} // alive
}

// take returns a zeroed slot of KeySize bytes.
func (a *arena) take() ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.free) == 0 {
		if err := a.grow(); err != nil {
			return nil, err
		}
	}
	slot := a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	return slot[:KeySize], nil
}

// give zeroes a slot and keeps it for another key.
func (a *arena) give(slot []byte) {
	slot = slot[:slotSize]
	wipe(slot)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.free = append(a.free, slot)
}

// adopt notes a key, so that close can end it.
func (a *arena) adopt(k *Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.keys == nil {
		a.keys = map[*Key]struct{}{}
	}
	a.keys[k] = struct{}{}
}

func (a *arena) disown(k *Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.keys, k)
}

func (a *arena) grow() error {
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fault.New("vault.memory", "map key page: %w", err)
	}
	if err := unix.Mlock(page); err != nil {
		_ = unix.Munmap(page)
		return fault.New("vault.memory", "lock key page: %w", err).
			WithHint("raise the limit of locked memory (RLIMIT_MEMLOCK) to at least 64 KiB")
	}
	if err := unix.Madvise(page, unix.MADV_DONTDUMP); err != nil {
		_ = unix.Munmap(page)
		return fault.New("vault.memory", "keep key page out of dumps: %w", err)
	}
	a.pages = append(a.pages, page)
	for at := 0; at+slotSize <= len(page); at += slotSize {
		a.free = append(a.free, page[at:at+slotSize:at+slotSize])
	}
	return nil
}

// close ends every key and wipes every page. The pages stay mapped.
func (a *arena) close() {
	a.mu.Lock()
	keys := a.keys
	a.keys = nil
	a.mu.Unlock()
	for k := range keys {
		k.kill() // waits for calls under way, so not under mu
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, page := range a.pages {
		wipe(page)
	}
	a.free = nil
}

// wipe zeroes b in a way that is not optimised out.
func wipe(b []byte) {
	clear(b)
	runtime.KeepAlive(&b)
}

// Harden makes the process non-dumpable: no core file, no ptrace by others of
// the same user, /proc/self/mem closed to them. It is called once at start by
// programs that hold keys.
func Harden() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fault.New("vault.harden", "make the process non-dumpable: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fault.New("vault.harden", "forbid core files: %w", err)
	}
	return nil
}
