package lockout

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

var t0 = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// disk keeps what a guard keeps.
type disk struct {
	raw  []byte
	full bool
}

func (d *disk) Load() ([]byte, error) { return d.raw, nil }
func (d *disk) Save(raw []byte) error {
	if d.full {
		return fault.New("store.full", "full")
	}
	d.raw = raw
	return nil
}

type world struct {
	t      *testing.T
	disk   disk
	now    time.Time
	locked []string
	*Guard
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: t0}
	w.restart()
	return w
}

func (w *world) restart() {
	w.t.Helper()
	g, err := New(Options{
		Keeper: &w.disk, Known: func(id string) bool { return strings.HasPrefix(id, "o") }, Now: func() time.Time { return w.now },
		Locked: func(id string) { w.locked = append(w.locked, id) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Guard = g
}

func (w *world) guess(id string, n int) {
	w.t.Helper()
	for range n {
		if err := w.Failed(id); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestAttackByGuessing(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
	}{
		{"five wrong passwords", func(w *world) { w.guess("o1", 5) }},
		{"and a restart", func(w *world) { w.guess("o1", 5); w.restart() }},
		{"and a restart between", func(w *world) { w.guess("o1", 3); w.restart(); w.guess("o1", 2) }},
		{"and nearly enough time", func(w *world) { w.guess("o1", 5); w.now = w.now.Add(First - time.Second) }},
		{"and a clock put back", func(w *world) { w.guess("o1", 5); w.now = w.now.AddDate(-1, 0, 0) }},
		{"and a restart with the clock put back", func(w *world) { w.guess("o1", 5); w.now = w.now.AddDate(0, 0, -1); w.restart() }},
		{"after the first wait one more", func(w *world) { w.guess("o1", 5); w.now = w.now.Add(First); w.guess("o1", 1); w.now = w.now.Add(First) }},
		{"patiently, over a night", func(w *world) {
			for range 12 {
				w.guess("o1", 1)
				w.now = w.now.Add(time.Hour)
			}
			w.now = w.now.Add(-time.Second)
		}},
		{"of a name that is no account", func(w *world) { w.guess("nobody", 5) }},
		{"among thousands of names", func(w *world) {
			w.guess("o1", 5)
			for i := range 2 * strangersHeld {
				w.guess(fmt.Sprint("x", i), 1)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.do(w)
			id := "o1"
			if w.strangers["nobody"] != nil {
				id = "nobody"
			}
			err := w.May(id)
			if fault.CodeOf(err) != "officer.too_many_tries" || !errors.Is(err, ErrLocked) {
				t.Errorf("%v, want officer.too_many_tries", err)
			}
			if err := w.May("o2"); err != nil {
				t.Errorf("another officer is kept out: %v", err)
			}
			if strings.Contains(string(w.disk.raw), "nobody") || strings.Contains(string(w.disk.raw), "x1") {
				t.Error("what was typed is on disk")
			}
		})
	}
}

func TestWaitsGrowAndEnd(t *testing.T) {
	w := newWorld(t)
	w.guess("o1", Free-1)
	if err := w.May("o1"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []time.Duration{First, 2 * First, 4 * First, 8 * First, Longest, Longest, Longest} {
		w.guess("o1", 1)
		w.now = w.now.Add(want - time.Second)
		if w.May("o1") == nil {
			t.Errorf("let in before %s", want)
		}
		w.now = w.now.Add(time.Second)
		if err := w.May("o1"); err != nil {
			t.Errorf("after %s: %v", want, err)
		}
	}
	if len(w.locked) != 7 || w.locked[0] != "o1" {
		t.Errorf("told of %v", w.locked)
	}
	if err := w.Succeeded("o1"); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.guess("o1", Free-1)
	if err := w.May("o1"); err != nil {
		t.Errorf("the right password did not end the count: %v", err)
	}
	w.now = w.now.Add(forget)
	w.guess("o1", Free-1)
	if err := w.May("o1"); err != nil {
		t.Errorf("a day did not end the count: %v", err)
	}
}

func TestCountsThatCannotBeKept(t *testing.T) {
	w := newWorld(t)
	w.disk.full = true
	if err := w.Failed("o1"); fault.CodeOf(err) != "store.full" {
		t.Errorf("%v: a try that is not counted must not pass in silence", err)
	}
	for _, raw := range []string{"", "no", `{"o1":null}`, `{"o1":{"wrong":-1}}`, `[]`} {
		_, err := New(Options{Keeper: &disk{raw: []byte(raw)}, Known: func(string) bool { return true }, Now: time.Now})
		if fault.CodeOf(err) != "officer.tries_damaged" {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func FuzzCounts(f *testing.F) {
	f.Add([]byte(`{"o1":{"wrong":5,"last":"2026-11-22T09:00:00Z"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, err := New(Options{Keeper: &disk{raw: raw}, Known: func(string) bool { return true }, Now: func() time.Time { return t0 }})
		if err != nil {
			return
		}
		if err := g.Failed("o1"); err != nil {
			t.Fatal(err)
		}
	})
}
