//go:build linux

package stack

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"github.com/watchpost/watchpost/hwtest/memory"
)

const mask = 0xa5

// copies counts how often what masked stands for lies in writable memory.
func copies(t *testing.T, masked []byte) (found int) {
	t.Helper()
	var masks []byte
	if err := memory.Writable(os.Getpid(), func(_ int64, piece []byte) {
		for len(masks) < len(piece) {
			masks = append(masks, mask)
		}
		subtle.XORBytes(piece, piece, masks) // the search itself keeps no secret
		found += bytes.Count(piece, masked)
		clear(piece)
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// strew leaves a secret in each of depth calls below the caller.
//
//go:noinline
func strew(masked []byte, depth int) (n int) {
	var here [32]byte
	for i, b := range masked {
		here[i] = b ^ mask
	}
	if depth > 0 {
		n = strew(masked, depth-1)
	}
	return n + int(here[depth&31])
}

// newMasked stands for a secret that nothing else in this process holds.
func newMasked() []byte {
	masked := make([]byte, 24)
	_, _ = rand.Read(masked)
	return masked
}

func TestWiped(t *testing.T) {
	// What strew takes here: a fifth of reach.
	const depth = 100
	for name, wiped := range map[string]bool{"wiped": true, "as it is": false} {
		masked := newMasked()
		for range 20 {
			done := make(chan struct{})
			go func() { // with the smallest stack
				defer close(done)
				if wiped {
					Wiped(func() { strew(masked, depth) })
				} else {
					strew(masked, depth)
				}
			}()
			<-done
		}
		if n := copies(t, masked); (n == 0) != wiped {
			t.Errorf("%s: %d copies are left", name, n)
		}
	}
}

// where tells where the stack of its caller lies.
//
//go:noinline
func where() uintptr {
	var here byte
	return uintptr(unsafe.Pointer(&here))
}

// A collection while a secret is in use moves no stack: the old one would keep it.
func TestWipedOverCollection(t *testing.T) {
	moved := 0
	for range 20 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			Wiped(func() {
				before := where()
				runtime.GC()
				if where() != before {
					moved++
				}
			})
		}()
		<-done
	}
	if moved != 0 {
		t.Errorf("the stack moved %d times of 20", moved)
	}
}

func TestWipedAfterPanic(t *testing.T) {
	masked := newMasked()
	func() {
		defer func() { _ = recover() }()
		Wiped(func() {
			strew(masked, 50)
			panic("on the way")
		})
	}()
	if n := copies(t, masked); n != 0 {
		t.Errorf("%d copies are left", n)
	}
}
