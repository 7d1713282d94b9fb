package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/watchpost/watchpost/device/fault"
)

// spillParts is into how many files sealed records are sorted on the way to
// the database: by the first byte of their key, so that one part of a million
// records of 1.5 KB takes 6 MB of memory when it is sorted. Nothing is in
// clear in them.
const spillParts = 256

// spill sorts sealed records of any number by key with little memory. It is
// for one goroutine.
type spill struct {
	dir   string
	files [spillParts]*os.File
	bufs  [spillParts]*bufio.Writer
}

func newSpill(dir string) (*spill, error) {
	s := &spill{dir: dir}
	for i := range s.files {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("spill-%03d", i)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			s.close()
			return nil, fault.Wrap("store.write", err)
		}
		s.files[i], s.bufs[i] = f, bufio.NewWriterSize(f, 16<<10)
	}
	return s, nil
}

func (s *spill) add(k RecordKey, sealed []byte) error {
	w := s.bufs[k[0]]
	var head [len(k) + 4]byte
	copy(head[:], k[:])
	binary.BigEndian.PutUint32(head[len(k):], uint32(len(sealed)))
	if _, err := w.Write(head[:]); err != nil {
		return fault.Wrap("store.write", err)
	}
	_, err := w.Write(sealed)
	return fault.Wrap("store.write", err)
}

// item is one sealed record.
type item struct {
	key    RecordKey
	sealed []byte
}

// each calls f for all records in order of their keys.
func (s *spill) each(f func(item) error) error {
	for i, w := range s.bufs {
		if err := w.Flush(); err != nil {
			return fault.Wrap("store.write", err)
		}
		if _, err := s.files[i].Seek(0, io.SeekStart); err != nil {
			return fault.Wrap("store.read", err)
		}
		raw, err := io.ReadAll(s.files[i])
		if err != nil {
			return fault.Wrap("store.read", err)
		}
		var items []item
		for len(raw) > 0 {
			k := RecordKey(raw)
			n := binary.BigEndian.Uint32(raw[len(k):])
			raw = raw[len(k)+4:]
			items = append(items, item{k, raw[:n:n]})
			raw = raw[n:]
		}
		slices.SortFunc(items, func(a, b item) int { return bytes.Compare(a.key[:], b.key[:]) })
		for _, it := range items {
			if err := f(it); err != nil {
				return err
			}
		}
	}
	return nil
}

// close removes the files.
func (s *spill) close() error {
	var errs []error
	for _, f := range s.files {
		if f != nil {
			errs = append(errs, f.Close(), os.Remove(f.Name()))
		}
	}
	return fault.Wrap("store.write", errors.Join(errs...))
}
