package memory

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"os"
	"runtime"
	"testing"
	"unsafe"
)

// TestWritable: what lies across the border of two pieces is seen whole, and
// what is gone is not.
func TestWritable(t *testing.T) {
	held := make([]byte, 3*step)
	begin := int64(uintptr(unsafe.Pointer(&held[0])))
	border := int64(-1)
	if err := Writable(os.Getpid(), func(at int64, _ []byte) {
		if at > begin+overlap && at < begin+2*step {
			border = at - begin
		}
	}); err != nil {
		t.Fatal(err)
	}
	if border < 0 {
		t.Fatal("no piece begins in what is held")
	}
	inverse := make([]byte, overlap/2) // so that the search finds no trace of itself
	_, _ = rand.Read(inverse)
	ones := bytes.Repeat([]byte{0xff}, step+overlap)
	find := func() (n int) {
		if err := Writable(os.Getpid(), func(_ int64, piece []byte) {
			subtle.XORBytes(piece, piece, ones[:len(piece)])
			n += bytes.Count(piece, inverse)
			clear(piece)
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, place := range []int64{0, border - overlap/4, border, 3*step - overlap/2} {
		for i, b := range inverse {
			held[place+int64(i)] = ^b
		}
		if find() == 0 {
			t.Errorf("not found at %d", place)
		}
		clear(held)
	}
	if n := find(); n != 0 {
		t.Errorf("found %d times after it was cleared", n)
	}
	runtime.KeepAlive(held)
}
