package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/docnumber"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Generation is an open generation, read only. It is safe for concurrent use
// until Close.
type Generation struct {
	dir  string
	m    *Manifest
	key  *vault.Key
	seal *sealer

	records     *blocks
	photographs *os.File // nil where the list holds none
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
	if g.records, err = openBlocks(dir, m, key); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	if err := g.openPhotographs(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// Close releases the file and the keys. Calls under way may fail with
// store.closed or vault.locked.
func (g *Generation) Close() error {
	var err error
	if g.records != nil {
		err = g.records.file.Close()
	}
	if g.photographs != nil {
		err = errors.Join(err, g.photographs.Close())
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
	for c := g.records.seek(k); ; {
		it, err := c.next()
		switch {
		case errors.Is(err, io.EOF) || err == nil && bytes.Compare(it.key[:], k[:]) > 0:
			return nil, nil
		case err != nil:
			return nil, err
		case it.key != k:
			continue
		}
		r, err := g.seal.open(k, it.sealed)
		if err != nil {
			return nil, err
		}
		return g.m.fill(*r), nil
	}
}

// At returns the keys of the records that a locator of the document table
// leads to: one, or by chance more. None is damage: the table and the records
// were made together.
func (g *Generation) At(l docnumber.Locator) ([]RecordKey, error) {
	var first RecordKey
	binary.BigEndian.PutUint64(first[:], uint64(l))
	var keys []RecordKey
	for c := g.records.seek(first); ; {
		it, err := c.next()
		if errors.Is(err, io.EOF) || err == nil && it.key.Locator() > l {
			break
		}
		if err != nil {
			return nil, err
		}
		if it.key.Locator() == l {
			keys = append(keys, it.key)
		}
	}
	if len(keys) == 0 {
		return nil, damaged("a listed document has no record")
	}
	return keys, nil
}

// Authenticate opens every block of the records on all cores and keeps
// nothing of them: where it does not fail, no record is damaged.
func (g *Generation) Authenticate(ctx context.Context) error {
	info, err := g.records.file.Stat()
	if err != nil {
		return fault.Wrap("store.read", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			c := &cursor{blocks: g.records}
			for n := next.Add(1) - 1; n < info.Size()/blockSize; n = next.Add(1) - 1 {
				if err := ctx.Err(); err != nil {
					return fault.Wrap("store.cancelled", err)
				}
				if err := c.open(n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// Each calls f for every record in order of the keys, until f fails.
func (g *Generation) Each(ctx context.Context, f func(RecordKey, *record.Record) error) error {
	const often = 512 // records between two looks at ctx
	last := RecordKey{}
	c := g.records.seek(last)
	for n := 0; ; n++ {
		if n%often == 0 && ctx.Err() != nil {
			return fault.Wrap("store.cancelled", ctx.Err())
		}
		it, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 && bytes.Compare(last[:], it.key[:]) >= 0 {
			return damaged("records are not in order")
		}
		last = it.key
		r, err := g.seal.open(it.key, it.sealed)
		if err != nil {
			return err
		}
		if err := f(it.key, g.m.fill(*r)); err != nil {
			return err
		}
	}
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
	err := g.eachChunk(ctx, KindFaces, func(f *File, raw []byte) error {
		defer clear(raw)
		return all[f.Model].add(raw)
	})
	if err != nil {
		return nil, err
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
	err := g.eachChunk(ctx, KindDocuments, func(f *File, raw []byte) error {
		if err := loader.Add(raw); err != nil {
			return damaged("%s: %w", f.Name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	table := loader.Table()
	if table.Len() != g.m.Documents {
		return nil, damaged("document chunks hold another number of entries than the manifest says")
	}
	return table, nil
}
