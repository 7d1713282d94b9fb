// Package diff compares two editions of a list, record by record.
//
// Both editions are files of records, one JSON object a line, and are read as
// streams on all cores. Of the old one an index is held, about 100 bytes a
// record whatever its size; of the new one the identifiers of what it adds.
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

// maxRecords bounds the index of the old edition, and so the memory: 3 GB.
const maxRecords = 32 << 20

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
	// Progress, if set, is told at times how many bytes of both editions have
	// been read.
	Progress func(read int64)
}

type (
	key   [16]byte // of an identifier
	entry struct {
		offset int64
		sum    [16]byte // of the line
		length int32
		found  bool // in the new edition; only the goroutine of Compare looks
	}
)

type comparison struct {
	old     io.ReaderAt
	index   map[key]uint32 // into entries; not changed any more once the new edition is read
	entries []entry        // in the order of the old edition
	ignore  []string
	h       Handler
	counts  Counts
}

// Compare reads both editions and hands on every difference: first what was
// added or changed, in the order of the new edition, then what was removed, in
// the order of the old. ignore names fields whose change is none. The same
// editions give the same rows. h is called by one goroutine at a time.
//
// It fails with record or input errors of reading, with diff.limit, and with
// what h returns; broken lines are handed to h and compared with nothing.
func Compare(ctx context.Context, old io.ReaderAt, oldSize int64, next io.Reader, ignore []string, h Handler) (Counts, error) {
	c := &comparison{old: old, index: map[key]uint32{}, ignore: ignore, h: h}
	var read int64
	tell := func(n int64) {
		if read += n; h.Progress != nil {
			h.Progress(read)
		}
	}
	if err := inOrder(ctx, io.NewSectionReader(old, 0, oldSize), parse, c.oldLine, tell); err != nil {
		return c.counts, err
	}
	added := map[key]struct{}{}
	err := inOrder(ctx, next, c.against, func(p parsed) error { return c.newLine(p, added) }, tell)
	if err != nil {
		return c.counts, err
	}
	for i := range c.entries {
		if err := c.gone(ctx, &c.entries[i]); err != nil {
			return c.counts, err
		}
	}
	return c.counts, nil
}

// parsed is what is known of one line.
type parsed struct {
	number int
	broken fault.Code // nothing else is set then
	key    key
	entry  entry

	// Of a line of the new edition alone.
	was    int     // index into entries, -1 where the old edition has no such record
	change *Change // nil: the same
	err    error
}

// parse reads a line.
func parse(l line) parsed { p, _ := parseRecord(l); return p }

func parseRecord(l line) (parsed, *record.Record) {
	p := parsed{number: l.number, was: -1}
	if l.tooLong {
		p.broken = "record.format"
		return p, nil
	}
	r, err := record.Parse(l.text)
	switch {
	case err != nil:
		p.broken = fault.CodeOf(err)
		return p, nil
	case r.ID == "":
		p.broken = "record.required"
		return p, nil
	}
	p.key, p.entry = keyOf(r.ID), entry{offset: l.offset, length: int32(len(l.text)), sum: sum(l.text)}
	return p, r
}

func keyOf(id string) key {
	full := sha256.Sum256([]byte(id))
	return key(full[:16])
}

// oldLine takes a line of the old edition into the index.
func (c *comparison) oldLine(p parsed) error {
	if p.broken != "" {
		return c.broken("old", p.number, p.broken)
	}
	if _, twice := c.index[p.key]; twice {
		return c.broken("old", p.number, "diff.duplicate")
	}
	if len(c.entries) == maxRecords {
		return fault.New("diff.limit", "the old edition has more than %d records", maxRecords)
	}
	c.index[p.key] = uint32(len(c.entries))
	c.entries = append(c.entries, p.entry)
	return nil
}

// against compares a line of the new edition with the old one. It may run on
// several lines at once.
func (c *comparison) against(l line) parsed {
	// A line of the old edition, byte for byte, needs no second reading: its
	// identifier is found without one, and the old line was sound.
	if id, ok := quickID(l.text); ok && !l.tooLong {
		k := keyOf(id)
		if at, ok := c.index[k]; ok && c.entries[at].sum == sum(l.text) {
			return parsed{number: l.number, key: k, was: int(at)}
		}
	}
	p, r := parseRecord(l)
	if p.broken != "" {
		return p
	}
	at, ok := c.index[p.key]
	if !ok {
		p.change = &Change{ID: r.ID, Kind: Added, New: r}
		return p
	}
	p.was = int(at)
	if was := &c.entries[at]; was.sum != p.entry.sum {
		p.change, p.err = c.both(was, r)
	}
	return p
}

// newLine takes the comparison of a line of the new edition.
func (c *comparison) newLine(p parsed, added map[key]struct{}) error {
	if p.broken != "" {
		return c.broken("new", p.number, p.broken)
	}
	if _, twice := added[p.key]; twice || p.was >= 0 && c.entries[p.was].found {
		return c.broken("new", p.number, "diff.duplicate")
	}
	if p.err != nil {
		return p.err
	}
	if p.was >= 0 {
		c.entries[p.was].found = true
	} else {
		added[p.key] = struct{}{}
	}
	switch {
	case p.change == nil:
		c.counts.Same++
		return nil
	case p.change.Kind == Added:
		c.counts.Added++
	default:
		c.counts.Changed++
	}
	return c.h.Change(*p.change)
}

// both compares two states of one record; nil where nothing differs but what is
// ignored.
func (c *comparison) both(was *entry, r *record.Record) (*Change, error) {
	old, err := c.read(was)
	if err != nil {
		return nil, err
	}
	if c.alike(*old, *r) { // most records, where an edition only counts up
		return nil, nil
	}
	fields, err := Fields(old, r)
	if err != nil {
		return nil, err
	}
	fields = slices.DeleteFunc(fields, func(f string) bool { return slices.Contains(c.ignore, f) })
	if len(fields) == 0 {
		return nil, nil
	}
	return &Change{ID: r.ID, Kind: Changed, Fields: fields, Old: old, New: r}, nil
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

func (c *comparison) gone(ctx context.Context, was *entry) error {
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
func (c *comparison) read(e *entry) (*record.Record, error) {
	raw := make([]byte, e.length)
	if _, err := c.old.ReadAt(raw, e.offset); err != nil {
		return nil, fault.Wrap("input.read", err)
	}
	if sum(raw) != e.sum {
		return nil, fault.New("diff.moved", "the old edition was changed while it was read")
	}
	return record.Parse(raw)
}

func (c *comparison) broken(edition string, number int, code fault.Code) error {
	c.counts.Broken++
	return c.h.Broken(Broken{edition, number, code})
}

func sum(raw []byte) [16]byte {
	full := sha256.Sum256(raw)
	return [16]byte(full[:16])
}

// quickID returns the identifier of a line that spells it plainly and first of
// all, as this product writes records: {"schema":1,"id":"...". Others are read
// whole.
func quickID(line []byte) (string, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"schema":1,"id":"`))
	if !ok {
		return "", false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return "", false
	}
	return string(rest[:end]), true
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
