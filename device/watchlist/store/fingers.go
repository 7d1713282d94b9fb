package store

import (
	"context"
	"encoding/binary"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/fingers"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// FingerIndex counts the prints of a generation. Their cylinders are worked
// out when the list is built, so that a post only reads them.
type FingerIndex struct {
	Version int `json:"version"` // finger.PackVersion of the builder
	Prints  int `json:"prints"`
	Persons int `json:"persons"`
}

// packedPrint is one print of a record as a chunk holds it.
type packedPrint struct {
	position uint8
	words    []uint64
}

// packFingers reads the prints of a record: every view of every template. The
// position is the record's, else what the view says.
func packFingers(all []record.Finger) ([]packedPrint, error) {
	var out []packedPrint
	for i, f := range all {
		views, err := finger.ParseRecord(f.Template)
		if err != nil {
			return nil, fault.New("store.finger", "finger %d: %w", i, err)
		}
		for _, v := range views {
			position := uint8(f.Position)
			if position == 0 {
				position = v.Position
			}
			if position > fingers.MaxPosition {
				return nil, fault.New("store.finger", "finger %d: position %d", i, position)
			}
			out = append(out, packedPrint{position, v.Template.AppendPacked(nil)})
		}
	}
	if len(out) > fingers.MaxPrints {
		return nil, fault.New("store.finger", "%d prints of one person", len(out))
	}
	return out, nil
}

// A row of a finger chunk is the record key, the position in 8 bytes, and the
// packed words, which state their own length; all little-endian.
const fingerRow = len(RecordKey{}) + 8 + 8*finger.MaxPacked

// addFingers writes prints to the chunks. The rows of one record stand
// together. The caller holds mu.
func (b *Builder) addFingers(key RecordKey, prints []packedPrint) error {
	if len(prints) == 0 {
		return nil
	}
	if b.prints == nil {
		b.prints = &chunkWriter{dir: b.partial, m: b.m, key: b.key, kind: KindFingers, rowSize: fingerRow}
		b.m.Fingers.Version = finger.PackVersion
	}
	for _, p := range prints {
		row := append(make([]byte, 0, fingerRow), key[:]...)
		row = binary.LittleEndian.AppendUint64(row, uint64(p.position))
		for _, w := range p.words {
			row = binary.LittleEndian.AppendUint64(row, w)
		}
		if err := b.prints.write(row); err != nil {
			return err
		}
	}
	b.m.Fingers.Prints += len(prints)
	b.m.Fingers.Persons++
	return nil
}

// Fingers is the index of the prints: person i of it has the record Records[i].
type Fingers struct {
	Index   *fingers.Index
	Records []RecordKey
	// Other says that the prints were packed by another version and cannot be
	// searched; the index is empty then.
	Other bool
}

// LoadFingers decrypts all prints into memory, about 3 KB each.
func (g *Generation) LoadFingers(ctx context.Context) (*Fingers, error) {
	out := &Fingers{Index: fingers.New()}
	if g.m.Fingers.Prints > 0 && g.m.Fingers.Version != finger.PackVersion {
		out.Other = true
		return out, nil
	}
	in := fingerLoader{to: out}
	err := g.eachChunk(ctx, KindFingers, func(_ *File, raw []byte) error {
		defer clear(raw)
		return in.add(raw)
	})
	if err != nil {
		return nil, err
	}
	if err := in.flush(); err != nil {
		return nil, err
	}
	if in.prints != g.m.Fingers.Prints || len(out.Records) != g.m.Fingers.Persons {
		return nil, damaged("finger chunks hold another number of prints than the manifest says")
	}
	return out, nil
}

// fingerLoader gathers the rows of one record, which may stand in two chunks.
type fingerLoader struct {
	to     *Fingers
	prints int
	key    RecordKey
	held   []fingers.Print
}

func (l *fingerLoader) add(raw []byte) error {
	const header = len(RecordKey{}) + 8
	words := make([]uint64, 0, finger.MaxPacked)
	for len(raw) > 0 {
		if len(raw) < header {
			return damaged("a finger chunk ends within a row")
		}
		key, position := RecordKey(raw), binary.LittleEndian.Uint64(raw[len(RecordKey{}):])
		raw = raw[header:]
		words = words[:0]
		for i := 0; i+8 <= len(raw) && len(words) < cap(words); i += 8 {
			words = append(words, binary.LittleEndian.Uint64(raw[i:]))
		}
		n, err := finger.PackedSize(words)
		if err != nil || position > fingers.MaxPosition {
			return damaged("a finger chunk holds a row that is no print")
		}
		if key != l.key {
			if err := l.flush(); err != nil {
				return err
			}
			l.key = key
		}
		l.held = append(l.held, fingers.Print{Position: int(position), Packed: append([]uint64(nil), words[:n]...)})
		raw = raw[8*n:]
		l.prints++
	}
	return nil
}

// flush puts the record that was gathered into the index.
func (l *fingerLoader) flush() error {
	if len(l.held) == 0 {
		return nil
	}
	if err := l.to.Index.Insert(fingers.Person(len(l.to.Records)), l.held); err != nil {
		return damaged("a finger chunk: %w", err)
	}
	l.to.Records = append(l.to.Records, l.key)
	l.held = l.held[:0]
	return nil
}
