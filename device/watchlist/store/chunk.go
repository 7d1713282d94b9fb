package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Chunk files are "WPC1", then nonce, sealed text and tag; the text is a
// 4-byte big-endian length, the content and zeroes up to a size class.
const chunkMagic = "WPC1"

const chunkOverhead = len(chunkMagic) + vault.Overhead + 4

// chunkSize is the largest size of a chunk file in bytes, the largest of
// sizeClasses; all but the last chunk of a kind have it.
const chunkSize = 4 << 20

// maxChunk is the largest content of a chunk in bytes.
const maxChunk = chunkSize - chunkOverhead

func chunkIdentity(m *Manifest, f *File) []byte {
	return vault.Identity("watchpost/chunk/1", m.List, decimal(m.Generation), string(f.Kind), decimal(uint64(f.Model)), decimal(uint64(f.Index)))
}

// chunkWriter cuts the content of one kind and model into chunk files. Whole
// rows of rowSize bytes are never split. It is for one goroutine.
type chunkWriter struct {
	dir     string
	m       *Manifest
	key     *vault.Key
	kind    Kind
	model   int
	rowSize int
	content []byte
	count   int
}

// write adds one row.
func (w *chunkWriter) write(row []byte) error {
	if len(w.content)+w.rowSize > maxChunk {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.content = append(w.content, row...)
	return nil
}

// flush writes what has gathered, if anything, and notes the file.
func (w *chunkWriter) flush() error {
	if len(w.content) == 0 {
		return nil
	}
	size, err := padded(int64(len(w.content) + chunkOverhead))
	if err != nil {
		return err
	}
	size = min(size, chunkSize)
	f := File{Kind: w.kind, Index: w.count, Model: w.model, Size: size}
	// Names count through a kind over its models, so that they are unique.
	named := 0
	for _, g := range w.m.Files {
		if g.Kind == w.kind {
			named++
		}
	}
	f.Name = fmt.Sprintf("%s-%05d.chunk", w.kind, named)
	plain := make([]byte, int(size)-chunkOverhead+4)
	binary.BigEndian.PutUint32(plain, uint32(len(w.content)))
	copy(plain[4:], w.content)
	out, err := w.key.Seal(append(make([]byte, 0, size), chunkMagic...), plain, chunkIdentity(w.m, &f))
	if err != nil {
		return err
	}
	clear(plain)
	if err := writeSynced(filepath.Join(w.dir, f.Name), out); err != nil {
		return err
	}
	sum := sha256.Sum256(out)
	f.SHA256 = sum[:]
	w.m.Files = append(w.m.Files, f)
	w.content = w.content[:0]
	w.count++
	return nil
}

// readChunk returns the content of a chunk file.
func readChunk(dir string, m *Manifest, f *File, key *vault.Key) ([]byte, error) {
	if f.Size > chunkSize || f.Size < int64(chunkOverhead) {
		return nil, damaged("%s has a wrong length", f.Name)
	}
	raw, err := readRegular(filepath.Join(dir, f.Name), f.Size)
	if err != nil {
		return nil, damaged("%w", err)
	}
	if int64(len(raw)) != f.Size || string(raw[:len(chunkMagic)]) != chunkMagic {
		return nil, damaged("%s cannot be read as a chunk", f.Name)
	}
	sealed := raw[len(chunkMagic):]
	plain, err := key.Open(sealed[:0], sealed, chunkIdentity(m, f)) // in place: there are thousands
	if errors.Is(err, vault.ErrLocked) {
		return nil, err
	}
	if err != nil {
		return nil, damaged("%s does not open", f.Name)
	}
	if len(plain) < 4 || binary.BigEndian.Uint32(plain) > uint32(len(plain)-4) {
		return nil, damaged("%s has a wrong length inside", f.Name)
	}
	return plain[4 : 4+binary.BigEndian.Uint32(plain)], nil
}

// eachChunk opens the chunks of one kind on all cores and hands their contents
// to f one after the other, in their order. f owns the bytes.
func (g *Generation) eachChunk(ctx context.Context, kind Kind, f func(*File, []byte) error) error {
	type opened struct {
		file *File
		raw  []byte
		err  error
	}
	var files []*File
	for i := range g.m.Files {
		if g.m.Files[i].Kind == kind {
			files = append(files, &g.m.Files[i])
		}
	}
	ahead := runtime.GOMAXPROCS(0)
	queue := make(chan chan opened, ahead) // bounds how many lie open in memory
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(queue)
		for _, file := range files {
			one := make(chan opened, 1)
			select {
			case queue <- one:
			case <-ctx.Done():
				return
			}
			go func() {
				raw, err := readChunk(g.dir, g.m, file, g.key)
				one <- opened{file, raw, err}
			}()
		}
	}()
	n := 0
	for one := range queue {
		c := <-one
		if c.err != nil {
			return c.err
		}
		if err := ctx.Err(); err != nil {
			return fault.Wrap("store.cancelled", err)
		}
		if err := f(c.file, c.raw); err != nil {
			return err
		}
		n++
	}
	if n != len(files) {
		return fault.Wrap("store.cancelled", ctx.Err())
	}
	return nil
}
