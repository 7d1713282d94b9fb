package target

import (
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Segments is the index of the urgent changes to one generation of a list, in
// order. Its hash stands in the owner's metadata.
type Segments struct {
	Format     int       `json:"format"`
	Path       string    `json:"path"`
	Generation uint64    `json:"generation"` // that they change
	Key        KeyName   `json:"key"`        // the generation's
	Segments   []Segment `json:"segments"`
}

// Segment is one object: sealed changes.
type Segment struct {
	Sum  Sum   `json:"sha256"` // of the sealed bytes
	Size int64 `json:"size"`
}

// Changes is what a segment holds, sealed: it names its place and the segment
// before it, so that none can stand elsewhere.
type Changes struct {
	Format     int       `json:"format"`
	List       string    `json:"list"`
	Generation uint64    `json:"generation"`
	Number     uint64    `json:"number"`   // from 1 within the generation
	Previous   Sum       `json:"previous"` // hash of the segment before, zero for the first
	Created    time.Time `json:"created"`
	Changes    []Change  `json:"changes"`
}

// Op says what a change does. Published words.
type Op string

// Changes to a list.
const (
	OpPut      Op = "put"      // a record is added, or takes the place of the one of its identifier
	OpWithdraw Op = "withdraw" // a record counts no more
)

// Change is one.
type Change struct {
	Op     Op             `json:"op"`
	ID     string         `json:"id"`
	Record *record.Record `json:"record,omitempty"` // of OpPut
}

// LogValue keeps persons out of logs.
func (c Change) LogValue() slog.Value { return slog.StringValue(string(c.Op)) }

// String keeps persons out of formatted text.
func (c Change) String() string { return string(c.Op) }

// DecodeSegments reads the index of p.
func DecodeSegments(raw []byte, p Path) (*Segments, error) {
	s := &Segments{}
	if err := strict(raw, MaxManifest, s); err != nil {
		return nil, err
	}
	if s.Path != p.String() {
		return nil, fault.New("listfeed.wrong_target", "the index of segments is of another target")
	}
	if s.Format != Format || s.Generation == 0 || !s.Key.valid() || len(s.Segments) > MaxSegments {
		return nil, formatError("an index of segments names a generation, its key and at most %d segments", MaxSegments)
	}
	for i, g := range s.Segments {
		if g.Size <= vault.Overhead || g.Size > MaxSealed {
			return nil, formatError("segment %d has %d bytes", i+1, g.Size)
		}
	}
	return s, s.checkBytes()
}

func (s *Segments) checkBytes() error {
	var n int64
	for _, g := range s.Segments {
		n += g.Size
	}
	if n > MaxSegmentBytes {
		return fault.New("listfeed.too_large", "%d bytes in all segments, at most %d: publish a generation", n, MaxSegmentBytes)
	}
	return nil
}

// Encode returns the index's bytes.
func (s *Segments) Encode() ([]byte, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fault.Wrap("listfeed.format", err)
	}
	if len(raw) > MaxManifest || len(s.Segments) > MaxSegments {
		return nil, fault.New("listfeed.too_large", "%d segments: publish a generation", len(s.Segments))
	}
	return raw, s.checkBytes()
}

func segmentIdentity(list string, generation, number uint64) []byte {
	return vault.Identity("watchpost/segment/1", list, strconv.FormatUint(generation, 10), strconv.FormatUint(number, 10))
}

// segmentKey is the key of a list's segments, derived from the key that its
// devices hold. The caller destroys it.
func segmentKey(listKey *vault.Key) (*vault.Key, error) { return listKey.Derive("segments") }

// SealChanges seals c under the list's key.
func SealChanges(c *Changes, listKey *vault.Key) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, fault.Wrap("listfeed.format", err)
	}
	if len(plain) > ChunkSize {
		return nil, fault.New("listfeed.too_large", "a segment of %d bytes, at most %d: publish a generation", len(plain), ChunkSize)
	}
	key, err := segmentKey(listKey)
	if err != nil {
		return nil, err
	}
	defer key.Destroy()
	return key.Seal(nil, plain, segmentIdentity(c.List, c.Generation, c.Number))
}

// OpenChanges opens segment number of a generation. previous is the hash of the
// segment before it. It fails with listfeed.sealed for other bytes, another
// key or another place, and listfeed.segment_order where it follows another.
func OpenChanges(sealed []byte, listKey *vault.Key, list string, generation, number uint64, previous Sum) (*Changes, error) {
	if len(sealed) > MaxSealed {
		return nil, fault.New("listfeed.too_large", "a segment of %d bytes", len(sealed))
	}
	key, err := segmentKey(listKey)
	if err != nil {
		return nil, err
	}
	defer key.Destroy()
	plain, err := key.Open(nil, sealed, segmentIdentity(list, generation, number))
	if err != nil {
		return nil, fault.New("listfeed.sealed", "segment %d does not open at its place: %w", number, err)
	}
	c := &Changes{}
	if err := strict(plain, ChunkSize, c); err != nil {
		return nil, err
	}
	if c.List != list || c.Generation != generation || c.Number != number {
		return nil, formatError("segment %d says that it is another", number)
	}
	if c.Previous != previous {
		return nil, fault.New("listfeed.segment_order", "segment %d follows another than the one before it", number)
	}
	return c, c.check()
}

func (c *Changes) check() error {
	if c.Format != Format || !ValidPart(c.List) || c.Generation == 0 || c.Number == 0 || c.Created.IsZero() {
		return formatError("changes name a list, a generation, a number and a date")
	}
	if len(c.Changes) == 0 || len(c.Changes) > MaxChanges {
		return formatError("%d changes, allowed 1 to %d", len(c.Changes), MaxChanges)
	}
	for i, one := range c.Changes {
		switch {
		case one.Op == OpPut && one.Record != nil && one.Record.ID == one.ID && one.Record.List == c.List:
			if err := one.Record.Validate(); err != nil { // here, and not where it is searched: it must be whole
				return formatError("change %d: %w", i, err)
			}
		case one.Op == OpWithdraw && one.Record == nil && one.ID != "":
		default:
			return formatError("change %d is neither a record put nor one withdrawn", i)
		}
	}
	return nil
}
