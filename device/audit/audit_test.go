package audit

import (
	"bytes"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// inMemory is a Store without a database.
type inMemory struct {
	lines  [][]byte
	hashes [][]byte
}

var errNone = errors.New("not held")

func (m *inMemory) Lines() (int64, error) { return int64(len(m.lines)), nil }

func (m *inMemory) Line(seq int64) ([]byte, error) {
	if m.lines[seq] == nil {
		return nil, errNone
	}
	return m.lines[seq], nil
}

func (m *inMemory) Hash(i int64) ([]byte, error) {
	if i >= int64(len(m.hashes)) {
		return nil, errNone
	}
	return m.hashes[i], nil
}

func (m *inMemory) PutLine(seq int64, raw []byte) error {
	m.lines = append(m.lines, bytes.Clone(raw))
	return nil
}

func (m *inMemory) PutHash(i int64, h []byte) error {
	if i != int64(len(m.hashes)) {
		return errors.New("hash out of order")
	}
	m.hashes = append(m.hashes, bytes.Clone(h))
	return nil
}

func fill(t *testing.T, n int) (*inMemory, []Head) {
	t.Helper()
	m := &inMemory{}
	heads := make([]Head, 0, n)
	for i := range n {
		if _, err := Append(m, Line{Time: time.Unix(int64(i), 0), Actor: "o1", Action: Searched, Object: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
		h, err := HeadOf(m)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	return m, heads
}

func TestAttackOnTheLog(t *testing.T) {
	const n = 37
	for _, c := range []struct {
		name   string
		tamper func(m *inMemory)
		code   fault.Code
	}{
		{"changed word", func(m *inMemory) { m.lines[11] = bytes.Replace(m.lines[11], []byte("o1"), []byte("o2"), 1) }, "audit.changed_line"},
		{"lines swapped", func(m *inMemory) { m.lines[4], m.lines[5] = m.lines[5], m.lines[4] }, "audit.changed_line"},
		{"line emptied", func(m *inMemory) { m.lines[20] = nil }, "audit.missing_line"},
		{"tail removed", func(m *inMemory) { m.lines = m.lines[:n-3] }, "audit.truncated"},
		{"hash changed", func(m *inMemory) { m.hashes[9][0] ^= 1 }, "audit.changed_line"},
		{"whole log written anew", func(m *inMemory) {
			other := &inMemory{}
			for i := range n {
				if _, err := Append(other, Line{Time: time.Unix(int64(i), 0), Actor: "o9", Action: Searched}); err != nil {
					t.Fatal(err)
				}
			}
			*m = *other
		}, "audit.rewritten"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, heads := fill(t, n)
			if _, err := Verify(m, heads[7], heads[n-1]); err != nil {
				t.Fatalf("the untouched log: %v", err)
			}
			c.tamper(m)
			if _, err := Verify(m, heads[7], heads[n-1]); fault.CodeOf(err) != c.code {
				t.Errorf("code %q, want %q (%v)", fault.CodeOf(err), c.code, err)
			}
		})
	}
}

func TestHeadsOfAllSizesContinueEachOther(t *testing.T) {
	m, heads := fill(t, 70)
	got, err := Verify(m, heads...)
	if err != nil {
		t.Fatal(err)
	}
	if got != heads[69] {
		t.Errorf("head %v, want %v", got, heads[69])
	}
}
