package docnumber

import (
	"encoding/binary"
	"slices"
	"sort"

	"github.com/watchpost/watchpost/device/fault"
)

// Locator leads from a table to a record: the first 8 bytes of the record's
// key in the store.
type Locator uint64

// Entry is one listed document.
type Entry struct {
	Hash   Hash
	Record Locator
}

// EntrySize is the length of an encoded entry in bytes.
const EntrySize = 16

// Table finds entries by hash. It does not change after it was made and is
// safe for concurrent use. It takes 16 bytes an entry.
type Table struct {
	hashes  []Hash // rising; the same hash may stand several times
	records []Locator
}

// Build sorts entries in place and makes a table of them. An entry given
// twice is held once.
func Build(entries []Entry) *Table {
	slices.SortFunc(entries, compare)
	entries = slices.Compact(entries)
	t := &Table{hashes: make([]Hash, len(entries)), records: make([]Locator, len(entries))}
	for i, e := range entries {
		t.hashes[i], t.records[i] = e.Hash, e.Record
	}
	return t
}

func compare(a, b Entry) int {
	switch {
	case a.Hash < b.Hash || a.Hash == b.Hash && a.Record < b.Record:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// Len returns the number of entries.
func (t *Table) Len() int { return len(t.hashes) }

// Lookup returns the records under a hash, nil where there are none. The
// slice belongs to the table. It takes well below a microsecond.
func (t *Table) Lookup(h Hash) []Locator {
	// The hashes are as good as random, so that the place can be computed and
	// only its surroundings are searched; damage costs time, not correctness.
	n := len(t.hashes)
	lo, hi := 0, n
	if n > 64 {
		at := int(uint64(h) >> 32 * uint64(n) >> 32)
		for step := 32; ; step *= 4 {
			lo, hi = max(0, at-step), min(n, at+step)
			if (lo == 0 || t.hashes[lo] < h) && (hi == n || t.hashes[hi-1] > h) {
				break
			}
		}
	}
	lo += sort.Search(hi-lo, func(i int) bool { return t.hashes[lo+i] >= h })
	end := lo
	for end < n && t.hashes[end] == h {
		end++
	}
	return t.records[lo:end:end]
}

// Each calls f for every entry in order.
func (t *Table) Each(f func(Entry)) {
	for i, h := range t.hashes {
		f(Entry{h, t.records[i]})
	}
}

// AppendEntry appends an entry's encoding: hash and locator, big-endian, so
// that encoded entries sort as entries do.
func AppendEntry(dst []byte, e Entry) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Hash))
	return binary.BigEndian.AppendUint64(dst, uint64(e.Record))
}

// Loader makes a table of encoded entries that come in order, part by part.
type Loader struct{ table Table }

// NewLoader returns a loader with room for n entries.
func NewLoader(n int) *Loader {
	return &Loader{Table{hashes: make([]Hash, 0, n), records: make([]Locator, 0, n)}}
}

// Add takes whole encoded entries that continue the order. It fails with
// document.table where they do not.
func (l *Loader) Add(raw []byte) error {
	if len(raw)%EntrySize != 0 {
		return fault.New("document.table", "%d bytes are not whole entries", len(raw))
	}
	t := &l.table
	for ; len(raw) > 0; raw = raw[EntrySize:] {
		e := Entry{Hash(binary.BigEndian.Uint64(raw)), Locator(binary.BigEndian.Uint64(raw[8:]))}
		if n := len(t.hashes); n > 0 && compare(Entry{t.hashes[n-1], t.records[n-1]}, e) >= 0 {
			return fault.New("document.table", "entry %d is out of order", n)
		}
		t.hashes, t.records = append(t.hashes, e.Hash), append(t.records, e.Record)
	}
	return nil
}

// Table returns the table. The loader must not be used afterwards.
func (l *Loader) Table() *Table { return &l.table }
