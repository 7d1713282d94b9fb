// Package store keeps what a post must not lose in one database, post.db:
// encounters, evidence, the outbox of outcomes on their way to central, the
// audit log and cursors. Whatever belongs together is written in one
// transaction, so a power cut leaves all of it or none (design section 8).
//
// Beside it lies records.keys, a file of fixed places in which the key of
// every kept encounter, piece of evidence and message lies wrapped. Removing
// one overwrites its key's place, so that what bbolt leaves in its free pages
// stays shut, also for whoever has the device key and all bytes of all files
// (README.md says what is left).
//
// Biometric data of people who were not matched does not come here at all.
package store

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Errors of opening, reading and writing.
var (
	ErrLocked   = &fault.Error{Code: "store.locked", Hint: "another process has post.db open: end it, or use its admin socket"}
	ErrDamaged  = &fault.Error{Code: "store.damaged", Hint: "post.db cannot be read: put the last backup in place or start a new one after moving it and post.key away"}
	ErrNotFound = &fault.Error{Code: "store.not_found"}
	ErrFull     = &fault.Error{Code: "store.full", Hint: "the disk is full: no new encounter is started before there is room"}
	// ErrTampered says that entries were taken out of post.db, put back or
	// exchanged by something that is not this program.
	ErrTampered = &fault.Error{Code: "store.tampered", Hint: "post.db was changed from outside: keep it for the investigation and put the last backup in place"}
	// ErrOtherKey says that post.db was made under another key: it is of
	// another post, or post.key is.
	ErrOtherKey = &fault.Error{Code: "store.other_key", Hint: "post.db and post.key are not of one post: put both back from one backup"}
	// ErrKeys says that records.keys is missing, cut or of another post.db.
	ErrKeys = &fault.Error{Code: "store.keys", Hint: "put records.keys back from the backup of the same day as post.db; what was kept cannot be opened without it"}
	// ErrShredded says that the key of what is asked for has been destroyed.
	ErrShredded = &fault.Error{Code: "store.shredded"}
	// ErrUncertain says that the disk failed at the last moment of a write:
	// it may be there whole or not at all, and nothing more is written before
	// post.db has been opened anew, which tells.
	ErrUncertain = &fault.Error{Code: "store.uncertain", Hint: "the disk failed while writing: look at it, then start the post again and look at the last encounter"}
)

// lockTimeout is how long Open waits for another process (design section 12).
const lockTimeout = time.Second

// formatVersion is written into a new file; another one is refused.
const formatVersion = 2

var (
	bucketMeta       = []byte("meta")
	bucketEncounters = []byte("encounters")
	bucketEvidence   = []byte("evidence")
	bucketDue        = []byte("due")
	bucketOutbox     = []byte("outbox")
	bucketLines      = []byte("audit.lines")
	bucketHashes     = []byte("audit.hashes")
	bucketHeads      = []byte("audit.heads")
	bucketCursors    = []byte("cursors")
	bucketPasskeys   = []byte("passkeys")
	keyFormat        = []byte("format")

	buckets = [][]byte{bucketMeta, bucketEncounters, bucketEvidence, bucketDue, bucketOutbox, bucketLines, bucketHashes, bucketHeads, bucketCursors, bucketPasskeys}
)

// Sealer seals and opens bytes under the store's key, which the store never
// sees. identity is bound to them: opening under another identity fails.
type Sealer interface {
	Seal(identity, plain []byte) ([]byte, error)
	Open(identity, sealed []byte) ([]byte, error)
}

// Store is an open post.db. It is safe for concurrent use.
type Store struct {
	dir    string
	db     *bbolt.DB
	sealer Sealer
	ring   *vault.Ring
	heads  signing
	relief func() bool // makes room on a full disk, nil: nothing does

	// wiping is held for reading while keys of records that are seen are
	// used, for writing while places are zeroed; it is taken after mu.
	wiping sync.RWMutex

	mu      sync.Mutex // held by writers; protects what follows
	keys    *keyFile   // nil until the first use
	checked bool       // the digests were compared since the opening
	failed  bool       // a write had an uncertain end
}

// Open opens or makes dir/post.db. ErrLocked after a second if another process
// holds it, ErrDamaged if it cannot be read. The sealer is not asked before
// something sealed is read or written, so that the audit log can be verified
// without a key.
func Open(dir string, sealer Sealer) (s *Store, err error) {
	if err := fault.Wrap("store.unwritable", durable.MakeDir(dir)); err != nil {
		return nil, err
	}
	// bbolt panics on some damaged files instead of returning an error
	// (go.etcd.io/bbolt issues 266, 446), and reads past the end of a file that
	// was cut; a damaged file is an outside input, so it must end in a code.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, fault.New(ErrDamaged.Code, "post.db: %v", r).WithHint(ErrDamaged.Hint)
		}
	}()
	path := filepath.Join(dir, "post.db")
	if err := begin(path); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrLocked
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, ErrDamaged
	case errors.As(err, new(*fs.PathError)):
		return nil, fault.New("store.unreadable", "%w", err).WithHint("check who may read and write the state folder")
	case err != nil: // bbolt's own words, about the file's size for one
		return nil, fault.New(ErrDamaged.Code, "%w", err).WithHint(ErrDamaged.Hint)
	}
	s = &Store{dir: dir, db: db, sealer: sealer, ring: vault.NewRing()}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(coded(err), s.Close())
	}
	return s, nil
}

// begin makes post.db where there is none, whole or not at all. One that is
// empty, or missing beside the keys of what it held, is lost and not new.
func begin(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() > 0 {
		return nil
	}
	if _, keys := os.Lstat(filepath.Join(filepath.Dir(path), keysName)); err == nil || keys == nil {
		return fault.New(ErrDamaged.Code, "post.db is empty or missing").WithHint(ErrDamaged.Hint)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fault.New("store.unreadable", "%w", err).WithHint("check who may read and write the state folder")
	}
	partial := path + ".new"
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return coded(err)
	}
	db, err := bbolt.Open(partial, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return coded(err)
	}
	if err := db.Close(); err != nil {
		return coded(err)
	}
	// A link, unlike a rename, leaves alone what another process has just made.
	if err := os.Link(partial, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return coded(err)
	}
	if err := os.Remove(partial); err != nil {
		return coded(err)
	}
	return fault.Wrap("store.failed", durable.SyncDir(filepath.Dir(path)))
}

// prepare refuses a file that is cut or of another form, makes the buckets of
// a new one and removes keys that nothing refers to.
func (s *Store) prepare() error {
	if err := whole(s.db); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if meta := tx.Bucket(bucketMeta); meta != nil {
			if held := meta.Get(keyFormat); len(held) != 8 || binary.BigEndian.Uint64(held) != formatVersion {
				return fault.New("store.version", "post.db has another format than %d", formatVersion).
					WithHint("this program cannot read a post.db of another version: start a new one after moving it and post.key away")
			}
		}
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keyFormat, number(formatVersion))
	})
	if err != nil {
		return err
	}
	return s.collect()
}

// whole refuses a file that ends before its last page: reading there would end
// the process, whenever it happens.
func whole(db *bbolt.DB) error {
	info, err := os.Stat(db.Path())
	if err != nil {
		return fault.Wrap("store.unreadable", err)
	}
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fault.New(ErrDamaged.Code, "post.db has %d bytes of %d", info.Size(), tx.Size()).WithHint(ErrDamaged.Hint)
		}
		return nil
	})
}

// Close waits for open transactions, closes the files and wipes the keys.
func (s *Store) Close() error {
	s.mu.Lock()
	keys := s.keys
	s.keys = nil
	s.mu.Unlock()
	err := s.db.Close()
	if keys != nil {
		err = errors.Join(err, keys.close())
	}
	s.ring.Close()
	return fault.Wrap("store.close", err)
}

// identity names one value of one bucket, so that sealed values cannot be
// swapped between keys or buckets.
func identity(bucket []byte, key string) []byte {
	return vault.Identity("watchpost/post.db/2", string(bucket), key)
}

// number is a key that sorts by value.
func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
