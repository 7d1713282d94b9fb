package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// photographs.db is blocks of blockSize bytes like those of records.db, each
// with one photograph: its key, a 4-byte big-endian length, the sealed picture
// and zeroes. They stand in order of their keys, which are keyed hashes of
// record and number, so that one is found by halving the file: nothing of it is
// held in memory, and a start does not read it. Every photograph fills one
// block whatever its length, and the file is padded as all are; it shows how
// many photographs a list holds, coarsely, and not whose.
//
// A photograph is bound to its place by the block's seal, to its record by its
// own, and to that edition of the record by the digest which the sealed record
// holds of it.

// ErrNoPhotograph says that a record has no such photograph.
var ErrNoPhotograph = &fault.Error{Code: "store.no_photograph"}

// photographKey names a photograph within its generation.
func (s *sealer) photographKey(id string, n int) (k RecordKey, err error) {
	sum, err := s.index.MAC([]byte("photograph"), []byte(id), []byte(decimal(uint64(n))))
	copy(k[:], sum[:])
	return k, err
}

func (s *sealer) photographIdentity(k RecordKey) []byte {
	return vault.Identity("watchpost/photograph/1", string(s.prefix), string(k[:]))
}

func photographBlock(m *Manifest, n int) []byte {
	return vault.Identity("watchpost/photograph-block/1", m.List, decimal(m.Generation), decimal(uint64(n)))
}

// takePhotographs seals the photographs of a record and returns the record's
// own list of them without the pictures.
func (s *sealer) takePhotographs(r *record.Record) ([]item, []record.Photograph, error) {
	var items []item
	var held []record.Photograph
	for i, p := range r.Photographs {
		if len(p.Image) == 0 {
			return nil, nil, fault.New("store.photograph", "photograph %d: a digest without its picture", i)
		}
		k, err := s.photographKey(r.ID, i)
		if err != nil {
			return nil, nil, err
		}
		sealed, err := s.key.Seal(make([]byte, 0, len(p.Image)+vault.Overhead), p.Image, s.photographIdentity(k))
		if err != nil {
			return nil, nil, err
		}
		sum := sha256.Sum256(p.Image)
		items = append(items, item{k, sealed})
		held = append(held, record.Photograph{SHA256: sum[:], Captured: p.Captured})
	}
	return items, held, nil
}

// spillPhotographs notes sealed photographs. The caller holds mu.
func (b *Builder) spillPhotographs(items []item) error {
	if len(items) > 0 && b.pictures == nil {
		b.pictures = &spill{dir: b.partial, prefix: "picture-"}
	}
	for _, it := range items {
		if err := b.pictures.add(it.key, it.sealed); err != nil {
			return err
		}
	}
	b.m.Photographs += len(items)
	return nil
}

// writePhotographs writes photographs.db, where there is any.
func (b *Builder) writePhotographs() (err error) {
	if b.pictures == nil {
		return nil
	}
	path := filepath.Join(b.partial, photographsName)
	h, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fault.Wrap("store.write", err)
	}
	closed := false
	defer func() {
		if !closed {
			_ = h.Close() // the whole folder goes next
		}
	}()
	out := bufio.NewWriterSize(h, 1<<20)
	plain, sealed, n := make([]byte, blockContent), []byte(nil), 0
	write := func() (err error) {
		if sealed, err = b.key.Seal(sealed[:0], plain, photographBlock(b.m, n)); err != nil {
			return err
		}
		clear(plain)
		n++
		_, err = out.Write(sealed)
		return fault.Wrap("store.write", err)
	}
	last := RecordKey{}
	err = b.pictures.each(func(it item) error {
		if n > 0 && it.key == last {
			return fault.New("store.duplicate", "two records have the same identifier")
		}
		last = it.key
		copy(plain, it.key[:])
		binary.BigEndian.PutUint32(plain[len(it.key):], uint32(len(it.sealed)))
		copy(plain[entryHead:], it.sealed)
		return write()
	})
	if err != nil {
		return err
	}
	size, err := padded(int64(n+1) * blockSize)
	if err != nil {
		return err
	}
	for int64(n)*blockSize < size {
		if err := write(); err != nil {
			return err
		}
	}
	closed = true
	if err := errors.Join(out.Flush(), h.Sync(), h.Close()); err != nil {
		return fault.Wrap("store.write", err)
	}
	size, sum, err := sumFile(path)
	if err != nil {
		return err
	}
	b.m.Files = append(b.m.Files, File{Name: photographsName, Kind: KindPhotographs, Size: size, SHA256: sum})
	err = b.pictures.close()
	b.pictures = nil
	return err
}

// openPhotographs opens photographs.db, where there is one.
func (g *Generation) openPhotographs() error {
	at := slices.IndexFunc(g.m.Files, func(f File) bool { return f.Kind == KindPhotographs })
	if (at >= 0) != (g.m.Photographs > 0) || at >= 0 && g.m.Files[at].Size/blockSize < int64(g.m.Photographs) {
		return damaged("the manifest counts photographs that its files do not hold")
	}
	if at < 0 {
		return nil
	}
	var err error
	if g.photographs, _, err = openRegular(filepath.Join(g.dir, photographsName)); err != nil {
		return damaged("%w", err)
	}
	return nil
}

// Photograph returns photograph n, from 0, of a record as Get or ByID have
// returned it: a JPEG of at most record.MaxPhotograph bytes that the list's
// maker answers for, to be decoded where outside images are decoded and
// nowhere else. ErrNoPhotograph where the record has none, ErrDamaged where it
// is not the one that the record was made with. The bytes are the caller's.
func (g *Generation) Photograph(r *record.Record, n int) ([]byte, error) {
	if n < 0 || n >= len(r.Photographs) {
		return nil, ErrNoPhotograph
	}
	k, err := g.seal.photographKey(r.ID, n)
	if err != nil {
		return nil, err
	}
	sealed, err := g.photograph(k)
	if err != nil {
		return nil, err
	}
	picture, err := g.key.Open(nil, sealed, g.seal.photographIdentity(k))
	if errors.Is(err, vault.ErrLocked) {
		return nil, err
	}
	if sum := sha256.Sum256(picture); err != nil || !bytes.Equal(sum[:], r.Photographs[n].SHA256) {
		return nil, damaged("a photograph is not the one of its record")
	}
	return picture, nil
}

// photograph finds a sealed photograph by its key.
func (g *Generation) photograph(k RecordKey) (sealed []byte, err error) {
	if g.photographs == nil {
		return nil, damaged("a photograph named by a record is missing")
	}
	plain := make([]byte, 0, blockContent)
	sort.Find(g.m.Photographs, func(i int) int {
		if err != nil {
			return 0
		}
		if plain, err = g.photographAt(i, plain); err != nil {
			return 0
		}
		order := bytes.Compare(k[:], plain[:len(k)])
		if order == 0 && sealed == nil {
			n := binary.BigEndian.Uint32(plain[len(k):])
			if n > blockContent-uint32(entryHead) {
				err = damaged("a photograph of %d bytes", n)
				return 0
			}
			sealed = bytes.Clone(plain[entryHead:][:n])
		}
		return order
	})
	if err == nil && sealed == nil {
		err = damaged("a photograph named by a record is missing")
	}
	return sealed, err
}

// photographAt opens block i.
func (g *Generation) photographAt(i int, plain []byte) ([]byte, error) {
	raw := make([]byte, blockSize)
	if _, err := g.photographs.ReadAt(raw, int64(i)*blockSize); errors.Is(err, os.ErrClosed) {
		return nil, fault.Wrap("store.closed", err)
	} else if err != nil {
		return nil, damaged("block %d of %s cannot be read", i, photographsName)
	}
	plain, err := g.key.Open(plain[:0], raw, photographBlock(g.m, i))
	if errors.Is(err, vault.ErrLocked) {
		return nil, err
	}
	if err != nil || len(plain) != blockContent {
		return nil, damaged("block %d of %s does not open", i, photographsName)
	}
	return plain, nil
}
