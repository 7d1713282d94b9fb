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
// records.db: by the first byte of their key, so that one part of a million
// records of 1.5 KB takes 6 MB of memory when it is sorted. Nothing is in
// clear in them.
const spillParts = 256

// spillFrom is how many bytes of records are held in memory before files are
// made.
const spillFrom = 32 << 20

// item is one sealed record.
type item struct {
	key    RecordKey
	sealed []byte
}

// spill sorts sealed records of any number by key with little memory. It is
// for one goroutine.
type spill struct {
	dir    string
	prefix string // of the files' names
	held   []item // before there are files
	bytes  int
	files  []*os.File
	bufs   []*bufio.Writer
}

func (s *spill) add(k RecordKey, sealed []byte) error {
	if s.files == nil {
		s.held = append(s.held, item{k, sealed})
		if s.bytes += len(sealed); s.bytes < spillFrom {
			return nil
		}
		return s.open()
	}
	return s.write(item{k, sealed})
}

// open makes the files and writes what was held.
func (s *spill) open() error {
	for i := range spillParts {
		f, err := os.OpenFile(filepath.Join(s.dir, fmt.Sprintf("%sspill-%03d", s.prefix, i)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fault.Wrap("store.write", err)
		}
		s.files, s.bufs = append(s.files, f), append(s.bufs, bufio.NewWriterSize(f, 16<<10))
	}
	for _, it := range s.held {
		if err := s.write(it); err != nil {
			return err
		}
	}
	s.held = nil
	return nil
}

func (s *spill) write(it item) error {
	w := s.bufs[it.key[0]]
	var head [entryHead]byte
	copy(head[:], it.key[:])
	binary.BigEndian.PutUint32(head[len(it.key):], uint32(len(it.sealed)))
	if _, err := w.Write(head[:]); err != nil {
		return fault.Wrap("store.write", err)
	}
	_, err := w.Write(it.sealed)
	return fault.Wrap("store.write", err)
}

// each calls f for all records in order of their keys.
func (s *spill) each(f func(item) error) error {
	if s.files == nil {
		return sorted(s.held, f)
	}
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
			raw = raw[entryHead:]
			items = append(items, item{k, raw[:n:n]})
			raw = raw[n:]
		}
		if err := sorted(items, f); err != nil {
			return err
		}
	}
	return nil
}

func sorted(items []item, f func(item) error) error {
	slices.SortFunc(items, func(a, b item) int { return bytes.Compare(a.key[:], b.key[:]) })
	for _, it := range items {
		if err := f(it); err != nil {
			return err
		}
	}
	return nil
}

// close removes the files.
func (s *spill) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close(), os.Remove(f.Name()))
	}
	s.files, s.bufs = nil, nil
	return fault.Wrap("store.write", errors.Join(errs...))
}
