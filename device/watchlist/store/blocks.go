package store

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// records.db is blocks of blockSize bytes, each sealed by the generation's key
// with its number in the additional data. Opened and put after each other
// they give the records in order of their keys: key, 4-byte big-endian length,
// sealed record. Whatever the lengths of its records, a generation shows
// nothing but how many blocks it fills, and that coarsely (padded).
const (
	blockSize    = 16 << 10
	blockContent = blockSize - vault.Overhead
	entryHead    = len(RecordKey{}) + 4
)

// maxRecord bounds a sealed record in bytes.
const maxRecord = 8 << 20

// indexRow is the length of a row of the index: the key of the first record
// that begins in a block, the block's number, and where in it.
const indexRow = len(RecordKey{}) + 4 + 4

func blockIdentity(m *Manifest, n int64) []byte {
	return vault.Identity("watchpost/block/1", m.List, decimal(m.Generation), decimal(uint64(n)))
}

// sizeClasses are the sizes of a small file in bytes; above the last, files
// grow by steps of it.
var sizeClasses = []int64{64 << 10, 256 << 10, 1 << 20, 4 << 20}

// padded returns the size of a file for n bytes of content: a size class above
// n and up to a quarter of random more, so that one record more or less shows
// neither in the size nor at which count it changes.
func padded(n int64) (int64, error) {
	largest := sizeClasses[len(sizeClasses)-1]
	var noise [8]byte
	if _, err := rand.Read(noise[:]); err != nil {
		return 0, fault.Wrap("store.write", err)
	}
	n += int64(binary.BigEndian.Uint64(noise[:]) % uint64(min(n, largest)/4+1))
	for _, class := range sizeClasses {
		if n <= class {
			return class, nil
		}
	}
	return (n + largest - 1) / largest * largest, nil
}

// blockWriter writes records.db and its index. It is for one goroutine.
type blockWriter struct {
	m     *Manifest
	key   *vault.Key
	file  *os.File
	out   *bufio.Writer
	index *chunkWriter
	plain []byte // of the block that is being filled
	begun bool   // a record begins in it
	count int64  // blocks written
	seal  []byte
}

func newBlockWriter(dir string, m *Manifest, key *vault.Key) (*blockWriter, error) {
	h, err := os.OpenFile(filepath.Join(dir, recordsName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fault.Wrap("store.write", err)
	}
	return &blockWriter{
		m: m, key: key, file: h, out: bufio.NewWriterSize(h, 1<<20), plain: make([]byte, 0, blockContent),
		index: &chunkWriter{dir: dir, m: m, key: key, kind: KindIndex, rowSize: indexRow},
	}, nil
}

// add writes one record; they come in order of their keys.
func (w *blockWriter) add(it item) error {
	if !w.begun {
		w.begun = true
		row := binary.BigEndian.AppendUint32(append(make([]byte, 0, indexRow), it.key[:]...), uint32(w.count))
		if err := w.index.write(binary.BigEndian.AppendUint32(row, uint32(len(w.plain)))); err != nil {
			return err
		}
	}
	var head [entryHead]byte
	copy(head[:], it.key[:])
	binary.BigEndian.PutUint32(head[len(it.key):], uint32(len(it.sealed)))
	w.m.RecordBytes += int64(entryHead + len(it.sealed))
	return errors.Join(w.write(head[:]), w.write(it.sealed))
}

func (w *blockWriter) write(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), blockContent-len(w.plain))
		w.plain = append(w.plain, p[:n]...)
		if p = p[n:]; len(w.plain) == blockContent {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *blockWriter) flush() error {
	sealed, err := w.key.Seal(w.seal[:0], w.plain[:blockContent], blockIdentity(w.m, w.count))
	if err != nil {
		return err
	}
	if _, err := w.out.Write(sealed); err != nil {
		return fault.Wrap("store.write", err)
	}
	w.seal, w.count, w.begun = sealed, w.count+1, false
	clear(w.plain[:blockContent])
	w.plain = w.plain[:0]
	return nil
}

// finish pads and syncs the file and writes the index.
func (w *blockWriter) finish() error {
	if err := w.index.flush(); err != nil {
		return err
	}
	size, err := padded((w.count + 1) * blockSize)
	if err != nil {
		return err
	}
	for w.count*blockSize < size {
		if err := w.flush(); err != nil {
			return err
		}
	}
	err = errors.Join(w.out.Flush(), w.file.Sync(), w.file.Close())
	w.file = nil
	return fault.Wrap("store.write", err)
}

func (w *blockWriter) abort() {
	if w.file != nil {
		_ = w.file.Close() // the whole folder goes next
	}
}

// blocks is an open records.db. It is safe for concurrent use.
type blocks struct {
	m    *Manifest
	key  *vault.Key
	file *os.File
	rows []byte // the index, in order of keys
}

// openBlocks opens records.db and reads its index.
func openBlocks(dir string, m *Manifest, key *vault.Key) (*blocks, error) {
	b := &blocks{m: m, key: key}
	for i := range m.Files {
		if m.Files[i].Kind != KindIndex {
			continue
		}
		raw, err := readChunk(dir, m, &m.Files[i], key)
		if err != nil {
			return nil, err
		}
		b.rows = append(b.rows, raw...)
	}
	if len(b.rows)%indexRow != 0 || (len(b.rows) == 0) != (m.Records == 0) {
		return nil, damaged("the index of %s does not hold whole rows", recordsName)
	}
	for i := indexRow; i < len(b.rows); i += indexRow {
		if bytes.Compare(b.rows[i-indexRow:][:len(RecordKey{})], b.rows[i:][:len(RecordKey{})]) >= 0 {
			return nil, damaged("the index of %s is not in order", recordsName)
		}
	}
	var err error
	if b.file, _, err = openRegular(filepath.Join(dir, recordsName)); err != nil {
		return nil, damaged("%w", err)
	}
	return b, nil
}

// cursor reads entries one after the other. It is for one goroutine.
type cursor struct {
	*blocks
	at    int64  // in the opened bytes of all blocks
	block int64  // that plain is of
	plain []byte // nil before the first
}

// seek returns a cursor from which the record of a key, if there is one, and
// all behind it are read; some before it may come first.
func (b *blocks) seek(k RecordKey) *cursor {
	n := len(b.rows) / indexRow
	i := sort.Search(n, func(i int) bool { return bytes.Compare(b.rows[i*indexRow:][:len(k)], k[:]) > 0 })
	c := &cursor{blocks: b}
	if n == 0 {
		c.at = b.m.RecordBytes
		return c
	}
	row := b.rows[max(i-1, 0)*indexRow:][len(k):]
	c.at = int64(binary.BigEndian.Uint32(row))*blockContent + int64(binary.BigEndian.Uint32(row[4:]))
	return c
}

// next returns the next record, or io.EOF behind the last. The bytes are the
// caller's.
func (c *cursor) next() (item, error) {
	if c.at == c.m.RecordBytes {
		return item{}, io.EOF
	}
	var head [entryHead]byte
	if err := c.read(head[:]); err != nil {
		return item{}, err
	}
	n := binary.BigEndian.Uint32(head[len(RecordKey{}):])
	if n > maxRecord {
		return item{}, damaged("a record of %d bytes", n)
	}
	it := item{RecordKey(head[:]), make([]byte, n)}
	return it, c.read(it.sealed)
}

// read fills p with what follows.
func (c *cursor) read(p []byte) error {
	if c.at < 0 || c.at+int64(len(p)) > c.m.RecordBytes {
		return damaged("a record goes beyond the last")
	}
	for len(p) > 0 {
		block := c.at / blockContent
		if c.plain == nil || c.block != block {
			if err := c.open(block); err != nil {
				return err
			}
		}
		n := copy(p, c.plain[c.at%blockContent:])
		p, c.at = p[n:], c.at+int64(n)
	}
	return nil
}

func (c *cursor) open(block int64) error {
	sealed := make([]byte, blockSize)
	if _, err := c.file.ReadAt(sealed, block*blockSize); errors.Is(err, os.ErrClosed) {
		return fault.Wrap("store.closed", err)
	} else if err != nil {
		return damaged("block %d of %s cannot be read", block, recordsName)
	}
	plain, err := c.key.Open(c.plain[:0], sealed, blockIdentity(c.m, block))
	if errors.Is(err, vault.ErrLocked) {
		return err
	}
	if err != nil || len(plain) != blockContent {
		return damaged("block %d of %s does not open", block, recordsName)
	}
	c.block, c.plain = block, plain
	return nil
}
