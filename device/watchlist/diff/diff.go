// Package diff compares two editions of a list, record by record.
//
// Both editions are files of records, one JSON object a line. Of the old one
// an index is held, about 60 bytes a record; the new one is read as a stream.
package diff

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"reflect"
	"slices"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Kind is what became of a record.
type Kind string

// The kinds.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Changed Kind = "changed"
)

// Change is one difference. Fields are the top-level fields of the record that
// differ, by their names in JSON and sorted; nil where a record came or went.
// Old and New are the records, nil where there is none: they hold personal
// data, and are not part of its JSON.
type Change struct {
	ID     string         `json:"id"`
	Kind   Kind           `json:"change"`
	Fields []string       `json:"fields,omitempty"`
	Old    *record.Record `json:"-"`
	New    *record.Record `json:"-"`
}

// Broken is a line that is no record, or whose identifier came before.
type Broken struct {
	Edition string     `json:"edition"` // "old" or "new"
	Line    int        `json:"line"`
	Code    fault.Code `json:"code"`
}

// Counts sum up a comparison.
type Counts struct {
	Added, Removed, Changed, Same, Broken int
}

// Handler receives what is found. An error of it ends the comparison.
type Handler struct {
	Change func(Change) error
	Broken func(Broken) error
}

type (
	key   [16]byte // of an identifier
	entry struct {
		offset int64
		length int32
		sum    [8]byte // of the line
		found  bool
	}
)

type comparison struct {
	old    io.ReaderAt
	index  map[key]entry
	ignore []string
	h      Handler
	counts Counts
}

// Compare reads both editions and hands on every difference: first what was
// added or changed, in the order of the new edition, then what was removed, in
// the order of the old. ignore names fields whose change is none. The same
// editions give the same rows.
//
// It fails with record or input errors of reading, and with what h returns;
// broken lines are handed to h and compared with nothing.
func Compare(ctx context.Context, old io.ReaderAt, oldSize int64, next io.Reader, ignore []string, h Handler) (Counts, error) {
	c := &comparison{old: old, index: map[key]entry{}, ignore: ignore, h: h}
	var order []key
	err := lines(ctx, io.NewSectionReader(old, 0, oldSize), func(l line) error {
		r, k, err := c.parse(l, "old")
		if r == nil {
			return err
		}
		if _, twice := c.index[k]; twice {
			return c.broken("old", l.number, "diff.duplicate")
		}
		c.index[k] = entry{offset: l.offset, length: int32(len(l.text)), sum: sum(l.text)}
		order = append(order, k)
		return nil
	})
	if err != nil {
		return c.counts, err
	}
	added := map[key]bool{}
	err = lines(ctx, next, func(l line) error {
		r, k, err := c.parse(l, "new")
		if r == nil {
			return err
		}
		was, ok := c.index[k]
		if was.found || added[k] {
			return c.broken("new", l.number, "diff.duplicate")
		}
		if !ok {
			added[k] = true
			c.counts.Added++
			return h.Change(Change{ID: r.ID, Kind: Added, New: r})
		}
		was.found = true
		c.index[k] = was
		return c.both(was, r, l)
	})
	if err != nil {
		return c.counts, err
	}
	for _, k := range order {
		if err := c.gone(ctx, c.index[k]); err != nil {
			return c.counts, err
		}
	}
	return c.counts, nil
}

// both compares two states of one record.
func (c *comparison) both(was entry, r *record.Record, l line) error {
	if was.sum == sum(l.text) {
		c.counts.Same++
		return nil
	}
	old, err := c.read(was)
	if err != nil {
		return err
	}
	if c.alike(*old, *r) { // most records, where an edition only counts up
		c.counts.Same++
		return nil
	}
	fields, err := Fields(old, r)
	if err != nil {
		return err
	}
	fields = slices.DeleteFunc(fields, func(f string) bool { return slices.Contains(c.ignore, f) })
	if len(fields) == 0 {
		c.counts.Same++
		return nil
	}
	c.counts.Changed++
	return c.h.Change(Change{ID: r.ID, Kind: Changed, Fields: fields, Old: old, New: r})
}

// alike tells quickly that nothing differs but what is ignored; false says
// nothing.
func (c *comparison) alike(a, b record.Record) bool {
	if slices.Contains(c.ignore, "edition") {
		a.Edition = b.Edition
	}
	if slices.Contains(c.ignore, "issued") {
		a.Issued = b.Issued
	}
	return reflect.DeepEqual(&a, &b)
}

func (c *comparison) gone(ctx context.Context, was entry) error {
	if was.found {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fault.Wrap("diff.stopped", err)
	}
	old, err := c.read(was)
	if err != nil {
		return err
	}
	c.counts.Removed++
	return c.h.Change(Change{ID: old.ID, Kind: Removed, Old: old})
}

// read returns a record of the old edition again.
func (c *comparison) read(e entry) (*record.Record, error) {
	raw := make([]byte, e.length)
	if _, err := c.old.ReadAt(raw, e.offset); err != nil {
		return nil, fault.Wrap("input.read", err)
	}
	if sum(raw) != e.sum {
		return nil, fault.New("diff.moved", "the old edition was changed while it was read")
	}
	return record.Parse(raw)
}

// parse reads a line; the record is nil where it is broken.
func (c *comparison) parse(l line, edition string) (*record.Record, key, error) {
	if l.tooLong {
		return nil, key{}, c.broken(edition, l.number, "record.format")
	}
	r, err := record.Parse(l.text)
	if err != nil {
		return nil, key{}, c.broken(edition, l.number, fault.CodeOf(err))
	}
	if r.ID == "" {
		return nil, key{}, c.broken(edition, l.number, "record.required")
	}
	full := sha256.Sum256([]byte(r.ID))
	return r, key(full[:16]), nil
}

func (c *comparison) broken(edition string, number int, code fault.Code) error {
	c.counts.Broken++
	return c.h.Broken(Broken{edition, number, code})
}

func sum(raw []byte) [8]byte {
	full := sha256.Sum256(raw)
	return [8]byte(full[:8])
}

// Fields returns the top-level fields, by their names in JSON and sorted, in
// which two records differ.
func Fields(a, b *record.Record) ([]string, error) {
	left, err := parts(a)
	if err != nil {
		return nil, err
	}
	right, err := parts(b)
	if err != nil {
		return nil, err
	}
	var fields []string
	for name, value := range left {
		if !bytes.Equal(value, right[name]) {
			fields = append(fields, name)
		}
	}
	for name := range right {
		if _, ok := left[name]; !ok {
			fields = append(fields, name)
		}
	}
	slices.Sort(fields)
	return fields, nil
}

// parts are a record's fields in the form that we write, so that spacing and
// the order of keys in a file make no difference.
func parts(r *record.Record) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fault.Wrap("record.format", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fault.Wrap("record.format", err)
	}
	return fields, nil
}
