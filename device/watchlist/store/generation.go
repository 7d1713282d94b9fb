package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	dberrors "go.etcd.io/bbolt/errors"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/docnumber"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// lockTimeout is how long opening waits for another process, design
// section 12.
const lockTimeout = time.Second

// Generation is an open generation, read only. It is safe for concurrent use
// until Close.
type Generation struct {
	dir  string
	m    *Manifest
	key  *vault.Key
	seal *sealer
	db   *bbolt.DB
}

// OpenFolder opens the generation in a folder with its list's key. Lengths of
// all files are compared with the sealed table; contents are authenticated as
// they are read, or all at once by Verify.
func OpenFolder(dir string, listKey *vault.Key) (*Generation, error) {
	m, key, err := readMeta(dir, listKey)
	if err != nil {
		return nil, err
	}
	g := &Generation{dir: dir, m: m, key: key}
	if g.seal, err = newSealer(key, m.List, m.Generation); err != nil {
		key.Destroy()
		return nil, err
	}
	for _, f := range m.Files {
		if info, err := os.Lstat(filepath.Join(dir, f.Name)); err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
			g.Close()
			return nil, damaged("%s is missing or of another length", f.Name)
		}
	}
	err = guarded(func() (err error) {
		g.db, err = bbolt.Open(filepath.Join(dir, recordsName), 0o600, &bbolt.Options{
			ReadOnly: true, Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
		})
		return err
	})
	if err != nil {
		g.Close()
		if errors.Is(err, dberrors.ErrTimeout) {
			return nil, fault.New("store.locked", "%s is held by another process", recordsName).AsRetryable()
		}
		return nil, damaged("open %s: %w", recordsName, err)
	}
	return g, nil
}

// guarded turns what bbolt does with a damaged file (panics, reads outside the
// mapping) into an error. bbolt has no checks against hostile pages; the bytes
// of records are authenticated after it.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = damaged("%s is damaged inside", recordsName)
		}
	}()
	return f()
}

// Close releases the file and the keys. Calls under way end before it.
func (g *Generation) Close() error {
	var err error
	if g.db != nil {
		err = g.db.Close()
	}
	if g.seal != nil {
		g.seal.index.Destroy()
	}
	g.key.Destroy()
	return fault.Wrap("store.close", err)
}

// Manifest returns what the generation says of itself. It must not be changed.
func (g *Generation) Manifest() *Manifest { return g.m }

// Index is the keyed function of the generation's document table.
func (g *Generation) Index() docnumber.MAC { return g.seal.index }

// Get returns the record of a key that the generation's own tables name. That
// it is not there is damage: tables and records were made together.
func (g *Generation) Get(k RecordKey) (*record.Record, error) {
	r, err := g.find(k)
	if r == nil && err == nil {
		err = damaged("a record named by a table is missing")
	}
	return r, err
}

// ByID returns the record of an identifier, or ErrNotFound or ErrDamaged.
func (g *Generation) ByID(id string) (*record.Record, error) {
	k, err := g.seal.recordKey(id)
	if err != nil {
		return nil, err
	}
	r, err := g.find(k)
	if r == nil && err == nil {
		err = fault.New("store.not_found", "no record has this identifier")
	}
	return r, err
}

// find returns nil where there is none.
func (g *Generation) find(k RecordKey) (*record.Record, error) {
	var sealed []byte
	err := g.view(func(b *bbolt.Bucket) error {
		sealed = bytes.Clone(b.Get(k[:]))
		return nil
	})
	if err != nil || sealed == nil {
		return nil, err
	}
	r, err := g.seal.open(k, sealed)
	if err != nil {
		return nil, err
	}
	return g.m.fill(*r), nil
}

// At returns the keys of the records that a locator of the document table
// leads to: one, or by chance more. None is damage: the table and the records
// were made together.
func (g *Generation) At(l docnumber.Locator) ([]RecordKey, error) {
	var prefix [8]byte
	binary.BigEndian.PutUint64(prefix[:], uint64(l))
	var keys []RecordKey
	err := g.view(func(b *bbolt.Bucket) error {
		c := b.Cursor()
		for k, _ := c.Seek(prefix[:]); len(k) == len(RecordKey{}) && bytes.HasPrefix(k, prefix[:]); k, _ = c.Next() {
			keys = append(keys, RecordKey(k))
		}
		return nil
	})
	if err == nil && len(keys) == 0 {
		err = damaged("a listed document has no record")
	}
	return keys, err
}

// Each calls f for every record in order of the keys, until f fails.
func (g *Generation) Each(ctx context.Context, f func(RecordKey, *record.Record) error) error {
	// Read in parts, so that f runs outside the guard around the database.
	const part = 512
	var from []byte
	for {
		if err := ctx.Err(); err != nil {
			return fault.Wrap("store.cancelled", err)
		}
		var items []item
		err := g.view(func(b *bbolt.Bucket) error {
			c := b.Cursor()
			for k, v := c.Seek(from); k != nil && len(items) < part; k, v = c.Next() {
				if len(k) != len(RecordKey{}) {
					return damaged("a key has a wrong length")
				}
				items = append(items, item{RecordKey(k), bytes.Clone(v)})
			}
			return nil
		})
		if err != nil || len(items) == 0 {
			return err
		}
		for _, it := range items {
			r, err := g.seal.open(it.key, it.sealed)
			if err != nil {
				return err
			}
			if err := f(it.key, g.m.fill(*r)); err != nil {
				return err
			}
		}
		last := items[len(items)-1].key
		if from = append(last[:], 0); len(items) < part {
			return nil
		}
	}
}

func (g *Generation) view(f func(*bbolt.Bucket) error) error {
	return guarded(func() error {
		tx, err := g.db.Begin(false)
		if err != nil {
			return fault.Wrap("store.closed", err)
		}
		defer func() { _ = tx.Rollback() }() // a read transaction
		b := tx.Bucket(recordsBucket)
		if b == nil {
			return damaged("%s has no records", recordsName)
		}
		return f(b)
	})
}

// Faces is the gallery of one model: person i of it has the record Records[i].
type Faces struct {
	FaceIndex
	Gallery *gallery.Gallery
	Records []RecordKey
}

// LoadFaces decrypts all face templates into memory, one gallery a model.
func (g *Generation) LoadFaces(ctx context.Context) ([]Faces, error) {
	all := make([]Faces, len(g.m.Faces))
	for i := range all {
		all[i] = Faces{FaceIndex: g.m.Faces[i], Gallery: &gallery.Gallery{}}
	}
	for i := range g.m.Files {
		f := &g.m.Files[i]
		if f.Kind != KindFaces {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, fault.Wrap("store.cancelled", err)
		}
		raw, err := readChunk(g.dir, g.m, f, g.key)
		if err != nil {
			return nil, err
		}
		if err := all[f.Model].add(raw); err != nil {
			return nil, err
		}
		clear(raw)
	}
	for i := range all {
		if all[i].Gallery.Templates() != all[i].Templates || len(all[i].Records) != all[i].Persons {
			return nil, damaged("face chunks hold another number of templates than the manifest says")
		}
	}
	return all, nil
}

func (f *Faces) add(raw []byte) error {
	n := len(raw) / faceRow
	if n*faceRow != len(raw) {
		return damaged("a face chunk does not hold whole rows")
	}
	persons, rows := make([]gallery.Person, n), make([]float32, 0, n*kernel.Dims)
	for i := range n {
		row := raw[i*faceRow:]
		key := RecordKey(row)
		if len(f.Records) == 0 || f.Records[len(f.Records)-1] != key {
			f.Records = append(f.Records, key)
		}
		persons[i] = gallery.Person(len(f.Records) - 1)
		for j := range kernel.Dims {
			rows = append(rows, math.Float32frombits(binary.LittleEndian.Uint32(row[len(key)+4*j:])))
		}
	}
	if err := f.Gallery.Fill(persons, rows); err != nil {
		return damaged("a face chunk: %w", err)
	}
	return nil
}

// LoadDocuments decrypts the document table into memory, 16 bytes an entry.
func (g *Generation) LoadDocuments(ctx context.Context) (*docnumber.Table, error) {
	loader := docnumber.NewLoader(min(g.m.Documents, 1<<28))
	for i := range g.m.Files {
		f := &g.m.Files[i]
		if f.Kind != KindDocuments {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, fault.Wrap("store.cancelled", err)
		}
		raw, err := readChunk(g.dir, g.m, f, g.key)
		if err != nil {
			return nil, err
		}
		if err := loader.Add(raw); err != nil {
			return nil, damaged("%s: %w", f.Name, err)
		}
	}
	table := loader.Table()
	if table.Len() != g.m.Documents {
		return nil, damaged("document chunks hold another number of entries than the manifest says")
	}
	return table, nil
}
