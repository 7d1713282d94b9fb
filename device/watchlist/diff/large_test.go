package diff_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/watchlist/diff"
)

// edition is a list that is made as it is read: record i of n, all of one
// length. Every tenth differs between editions where changed, and
// only the edition counts up in all.
type edition struct {
	n       int
	number  int
	changed bool
	line    string
	length  int64
}

// newEdition makes one whose lines have length more than the shortest.
func newEdition(n, number int, changed bool, more int) *edition {
	e := &edition{n: n, number: number, changed: changed}
	e.line = `{"schema":1,"id":"P-%09d","edition":%d,"names":[{"full":"%s %09d","script":"Latn","kind":"primary","quality":"good"}],"owner":"` +
		strings.Repeat("x", more) + "\"}\n"
	e.length = int64(len(e.text(0)))
	return e
}

func (e *edition) text(i int) string {
	name := "Ada"
	if e.changed && i%10 == 0 {
		name = "Eda"
	}
	return fmt.Sprintf(e.line, i, e.number, name, i)
}

func (e *edition) size() int64 { return e.length * int64(e.n) }

// ReadAt implements io.ReaderAt.
func (e *edition) ReadAt(p []byte, at int64) (int, error) {
	n, length := 0, e.length
	for n < len(p) {
		i := at / length
		if i >= int64(e.n) {
			return n, io.EOF
		}
		c := copy(p[n:], e.text(int(i))[at%length:])
		n, at = n+c, at+int64(c)
	}
	return n, nil
}

func (e *edition) reader() io.Reader { return io.NewSectionReader(e, 0, e.size()) }

// compareLarge compares two editions of n and returns counts and the most
// memory that lived meanwhile, in bytes.
func compareLarge(t *testing.T, n, number, more int) (counts diff.Counts, most uint64) {
	t.Helper()
	old, next := newEdition(n, 1, false, more), newEdition(n, number, true, more)
	var last int64
	calls := 0
	next.n = n - n/100 // the last hundredth goes
	counts, err := diff.Compare(context.WithoutCancel(t.Context()), old, old.size(), next.reader(), []string{"edition"}, diff.Handler{
		Change: func(diff.Change) error { return nil },
		Broken: func(b diff.Broken) error { t.Errorf("%+v", b); return nil },
		Progress: func(read int64) {
			if read < last {
				t.Errorf("progress goes back from %d to %d", last, read)
			}
			last = read
			if calls++; calls%100 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := old.size() + next.size(); last < want-2*old.length || last > want {
		t.Errorf("%d bytes of %d told as read", last, want)
	}
	return counts, most
}

// TestManyCores compares more than one batch, so that order and counts do not
// hang on who is quicker.
func TestManyCores(t *testing.T) {
	const n = 4000
	old, next := newEdition(n, 1, false, 300), newEdition(n, 2, true, 300)
	var got []string
	_, err := diff.Compare(t.Context(), old, old.size(), next.reader(), []string{"edition"}, diff.Handler{
		Change: func(c diff.Change) error { got = append(got, c.ID); return nil },
	})
	if err != nil || len(got) != n/10 {
		t.Fatalf("%d changes, %v", len(got), err)
	}
	for i, id := range got {
		if id != fmt.Sprintf("P-%09d", 10*i) {
			t.Fatalf("change %d is of %s", i, id)
		}
	}
	if c, _ := compareLarge(t, n, 2, 300); c.Removed != n/100 || c.Changed != (n-n/100)/10 || c.Added+c.Broken != 0 {
		t.Errorf("%+v", c)
	}
}

// TestSoakMillion prints what two editions of a million records of 1.5 KB take,
// which are made meanwhile.
func TestSoakMillion(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: WATCHPOST_SOAK is not set: two editions of a million are not compared")
	}
	const n = 1_000_000
	for what, number := range map[string]int{"most lines the same": 1, "every line another edition": 2} {
		start := time.Now()
		c, most := compareLarge(t, n, number, 1400)
		took := time.Since(start)
		t.Logf("%-28s %.1f s, heap at most %d MB, %+v", what, took.Seconds(), most>>20, c)
		if c.Changed != (n-n/100)/10 || c.Removed != n/100 || most > 600<<20 {
			t.Errorf("%s: %+v, %d MB", what, c, most>>20)
		}
	}
}
