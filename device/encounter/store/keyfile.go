package store

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// records.keys is a head of headSize bytes, then places of placeSize bytes.
// The head is keysMagic, 16 random bytes that post.db notes, a length and the
// key of keys, sealed by the store's key. A place holds one wrapped key, or
// zeroes. Places are written where they lie and never move, so that a key that
// is overwritten is gone from the file's own sectors; none crosses a sector of
// 512 bytes, which a disk writes whole or not at all.
const (
	keysName  = "records.keys"
	keysMagic = "WPK2"
	keysID    = 16
	headSize  = 4096
	placeSize = 128
	growBy    = 32 // places: one page
	// maxPlaces bounds the file: a hundred encounters an hour for a year.
	maxPlaces = 1 << 20
	// wrappedSize is the length of a wrapped key.
	wrappedSize = vault.KeySize + vault.Overhead
)

// keyFile is an open records.keys. One goroutine at a time writes; key may be
// called beside it by readers that keep shred away meanwhile.
type keyFile struct {
	file *os.File
	id   []byte
	head []byte        // the key of keys, sealed
	kek  *vault.Key    // nil until unlocked
	size atomic.Uint32 // places in the file

	free  []uint32 // zeroed on disk
	stale []uint32 // still to be zeroed: nothing refers to them any more
}

func keysFault(format string, args ...any) error {
	return fault.New(ErrKeys.Code, format, args...).WithHint(ErrKeys.Hint)
}

// openKeys opens the file, locked; fs.ErrNotExist is passed on.
func openKeys(dir string) (*keyFile, error) {
	h, err := os.OpenFile(filepath.Join(dir, keysName), os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if errors.Is(err, unix.ELOOP) {
		return nil, keysFault("%s is a link", keysName)
	}
	if err != nil {
		return nil, fault.New("store.unreadable", "%w", err).WithHint("check who may read and write the state folder")
	}
	head := make([]byte, headSize)
	info, err := h.Stat()
	if err == nil && info.Mode().IsRegular() && info.Size() <= headSize+maxPlaces*placeSize {
		_, err = h.ReadAt(head, 0)
	} else {
		err = errors.Join(err, errors.New("not a file of keys"))
	}
	const at = len(keysMagic) + keysID
	n := binary.BigEndian.Uint32(head[at:])
	if err != nil || string(head[:len(keysMagic)]) != keysMagic || int64(n) > int64(headSize-at-4) {
		h.Close()
		return nil, keysFault("%s cannot be read", keysName)
	}
	k := &keyFile{file: h, id: head[len(keysMagic):at:at], head: head[at+4 : at+4+int(n)]}
	k.size.Store(uint32((info.Size() - headSize) / placeSize)) // a power cut may leave part of a place behind
	return k, nil
}

// makeKeys makes a new file in the place of any other, unlocked. It counts
// once post.db has noted its id.
func makeKeys(dir string, ring *vault.Ring, sealer Sealer) (*keyFile, error) {
	random := make([]byte, keysID+vault.KeySize)
	if _, err := rand.Read(random); err != nil {
		return nil, fault.Wrap("store.failed", err)
	}
	id, raw := random[:keysID:keysID], random[keysID:]
	sealed, err := sealer.Seal(identity([]byte(keysName), string(id)), raw)
	if err != nil {
		return nil, err
	}
	kek, err := ring.Import(raw) // wipes raw
	if err != nil {
		return nil, err
	}
	head := append([]byte(keysMagic), id...)
	head = binary.BigEndian.AppendUint32(head, uint32(len(sealed)))
	head = append(head, sealed...)
	head = append(head, make([]byte, headSize-len(head))...)
	path := filepath.Join(dir, keysName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	h, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	k := &keyFile{file: h, id: id, head: sealed, kek: kek}
	if _, err = h.WriteAt(head, 0); err == nil {
		err = errors.Join(h.Sync(), durable.SyncDir(dir))
	}
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

// unlock opens the key of keys.
func (k *keyFile) unlock(ring *vault.Ring, sealer Sealer) error {
	if k.kek != nil {
		return nil
	}
	raw, err := sealer.Open(identity([]byte(keysName), string(k.id)), k.head)
	if err != nil {
		return fault.New(ErrOtherKey.Code, "%s: %w", keysName, err).WithHint(ErrOtherKey.Hint)
	}
	k.kek, err = ring.Import(raw)
	return err
}

func (k *keyFile) close() error {
	k.kek.Destroy()
	return k.file.Close()
}

// keyName is the name under which the key of one value is wrapped.
func keyName(bucket []byte, key string) string {
	return strconv.Quote(string(bucket)) + strconv.Quote(key)
}

// add writes a fresh key for a value into a free place and returns both. The
// place is on disk after sync.
func (k *keyFile) add(ring *vault.Ring, bucket []byte, name string) (uint32, *vault.Key, error) {
	if len(k.free) == 0 {
		if err := k.grow(); err != nil {
			return 0, nil, err
		}
	}
	key, err := ring.Random()
	if err != nil {
		return 0, nil, err
	}
	wrapped, err := k.kek.Wrap(key, vault.ScopeEncounter, keyName(bucket, name))
	if err != nil {
		key.Destroy()
		return 0, nil, err
	}
	at := k.free[len(k.free)-1]
	k.free = k.free[:len(k.free)-1]
	if err := k.write(at, wrapped); err != nil {
		k.stale = append(k.stale, at)
		key.Destroy()
		return 0, nil, err
	}
	return at, key, nil
}

// key opens the key in a place; ErrShredded where there is none any more.
func (k *keyFile) key(at uint32, bucket []byte, name string) (*vault.Key, error) {
	if at >= k.size.Load() {
		return nil, keysFault("%s ends before place %d", keysName, at)
	}
	wrapped := make([]byte, wrappedSize)
	if _, err := k.file.ReadAt(wrapped, place(at)); err != nil {
		return nil, keysFault("%s: %w", keysName, err)
	}
	if bytes.Equal(wrapped, make([]byte, wrappedSize)) {
		return nil, fault.New(ErrShredded.Code, "its key has been destroyed")
	}
	key, err := k.kek.Unwrap(wrapped, vault.ScopeEncounter, keyName(bucket, name))
	if err != nil {
		return nil, keysFault("place %d of %s holds the key of something else: %w", at, keysName, err)
	}
	return key, nil
}

// grow adds a page of places.
func (k *keyFile) grow() error {
	size := k.size.Load()
	if size+growBy > maxPlaces {
		return fault.New(ErrFull.Code, "%s has no more places", keysName).WithHint(ErrFull.Hint)
	}
	if _, err := k.file.WriteAt(make([]byte, growBy*placeSize), place(size)); err != nil {
		return err
	}
	for at := size + growBy; at > size; at-- {
		k.free = append(k.free, at-1) // the lowest is taken first
	}
	k.size.Store(size + growBy)
	return nil
}

// retire notes places whose records are gone; shred zeroes them.
func (k *keyFile) retire(places ...uint32) { k.stale = append(k.stale, places...) }

// shred zeroes the retired places and waits for the disk. What fails is tried
// again at the next call.
func (k *keyFile) shred() error {
	if len(k.stale) == 0 {
		return nil
	}
	for _, at := range k.stale {
		if err := k.write(at, make([]byte, wrappedSize)); err != nil {
			return err
		}
	}
	if err := k.sync(); err != nil {
		return err
	}
	k.free = append(k.free, k.stale...)
	k.stale = nil
	return nil
}

func (k *keyFile) write(at uint32, raw []byte) error {
	_, err := k.file.WriteAt(raw, place(at))
	return err
}

func (k *keyFile) sync() error { return k.file.Sync() }

func place(at uint32) int64 { return headSize + int64(at)*placeSize }
