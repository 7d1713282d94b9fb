// Package store keeps what a post must not lose in one database, post.db:
// encounters, the outbox of outcomes on their way to central, the audit log
// and cursors. Whatever belongs together is written in one transaction, so a
// power cut leaves all of it or none (design section 8).
//
// Encounters and outbox entries are sealed; the database itself never holds
// personal data in clear. Biometric data of people who were not matched does
// not come here at all.
package store

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
)

// Errors of opening and reading.
var (
	ErrLocked   = &fault.Error{Code: "store.locked", Hint: "another process has post.db open: end it, or use its admin socket"}
	ErrDamaged  = &fault.Error{Code: "store.damaged", Hint: "post.db cannot be read: put the last backup in place or start a new one after moving it and post.key away"}
	ErrNotFound = &fault.Error{Code: "store.not_found"}
	ErrFull     = &fault.Error{Code: "store.full", Hint: "the disk is full: no new encounter is started before there is room"}
)

// lockTimeout is how long Open waits for another process (design section 12).
const lockTimeout = time.Second

// formatVersion is written into a new file; another one is refused.
const formatVersion = 1

var (
	bucketMeta       = []byte("meta")
	bucketEncounters = []byte("encounters")
	bucketOutbox     = []byte("outbox")
	bucketLines      = []byte("audit.lines")
	bucketHashes     = []byte("audit.hashes")
	bucketCursors    = []byte("cursors")
	bucketPasskeys   = []byte("passkeys")
	keyFormat        = []byte("format")

	buckets = [][]byte{bucketMeta, bucketEncounters, bucketOutbox, bucketLines, bucketHashes, bucketCursors, bucketPasskeys}
)

// Sealer seals and opens bytes under a key that the store never sees. identity
// is bound to them: opening under another identity fails.
type Sealer interface {
	Seal(identity, plain []byte) ([]byte, error)
	Open(identity, sealed []byte) ([]byte, error)
}

// Store is an open post.db. It is safe for concurrent use.
type Store struct {
	db     *bbolt.DB
	sealer Sealer
}

// Open opens or makes dir/post.db. ErrLocked after a second if another process
// holds it, ErrDamaged if it cannot be read.
func Open(dir string, sealer Sealer) (s *Store, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap("store.unwritable", err)
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
	db, err := bbolt.Open(filepath.Join(dir, "post.db"), 0o600, &bbolt.Options{Timeout: lockTimeout})
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
	if err := whole(db); err != nil {
		db.Close()
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		held := meta.Get(keyFormat)
		if held == nil {
			return meta.Put(keyFormat, number(formatVersion))
		}
		if len(held) != 8 || binary.BigEndian.Uint64(held) != formatVersion {
			return fault.New("store.version", "post.db has another format than %d", formatVersion)
		}
		return nil
	})
	if err != nil {
		db.Close()
		return nil, coded(err)
	}
	return &Store{db: db, sealer: sealer}, nil
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

// Close waits for open transactions and closes the file.
func (s *Store) Close() error { return fault.Wrap("store.close", s.db.Close()) }

// Change is everything one step of an encounter writes. It is written whole or
// not at all.
type Change struct {
	Encounter string       // id; "" writes no encounter
	State     []byte       // the encounter in its own form, sealed here
	Outbox    []byte       // message for central, sealed here; nil sends none
	Audit     []audit.Line // in order
}

// Commit writes c in one transaction and returns after it is on disk.
func (s *Store) Commit(c Change) error {
	return coded(s.db.Update(func(tx *bbolt.Tx) error {
		if c.Encounter != "" {
			sealed, err := s.sealer.Seal(identity(bucketEncounters, c.Encounter), c.State)
			if err != nil {
				return err
			}
			if err := tx.Bucket(bucketEncounters).Put([]byte(c.Encounter), sealed); err != nil {
				return err
			}
		}
		if c.Outbox != nil {
			box := tx.Bucket(bucketOutbox)
			seq, err := box.NextSequence()
			if err != nil {
				return err
			}
			key := number(int64(seq))
			sealed, err := s.sealer.Seal(identity(bucketOutbox, string(key)), c.Outbox)
			if err != nil {
				return err
			}
			if err := box.Put(key, sealed); err != nil {
				return err
			}
		}
		for _, line := range c.Audit {
			if _, err := audit.Append(auditTx{tx}, line); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Encounter returns the state of an encounter as last committed, ErrNotFound
// if there is none.
func (s *Store) Encounter(id string) ([]byte, error) {
	var plain []byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		sealed := tx.Bucket(bucketEncounters).Get([]byte(id))
		if sealed == nil {
			return ErrNotFound
		}
		var err error
		plain, err = s.sealer.Open(identity(bucketEncounters, id), sealed)
		return err
	})
	return plain, coded(err)
}

// Encounters calls f with each encounter held. An encounter that cannot be
// opened is reported to f with its error and does not hide the others.
func (s *Store) Encounters(f func(id string, state []byte, err error) error) error {
	return coded(s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketEncounters).ForEach(func(k, sealed []byte) error {
			plain, err := s.sealer.Open(identity(bucketEncounters, string(k)), sealed)
			return f(string(k), plain, err)
		})
	}))
}

// Remove deletes an encounter whose time of keeping has run out.
func (s *Store) Remove(id string, line audit.Line) error {
	return coded(s.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket(bucketEncounters).Delete([]byte(id)); err != nil {
			return err
		}
		_, err := audit.Append(auditTx{tx}, line)
		return err
	}))
}

// Waiting is a message in the outbox.
type Waiting struct {
	Seq     int64
	Message []byte
}

// Outbox returns up to limit messages, oldest first.
func (s *Store) Outbox(limit int) ([]Waiting, error) {
	var out []Waiting
	err := s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketOutbox).Cursor()
		for k, sealed := c.First(); k != nil && len(out) < limit; k, sealed = c.Next() {
			plain, err := s.sealer.Open(identity(bucketOutbox, string(k)), sealed)
			if err != nil {
				return err
			}
			out = append(out, Waiting{Seq: int64(binary.BigEndian.Uint64(k)), Message: plain})
		}
		return nil
	})
	return out, coded(err)
}

// Delivered takes a message out of the outbox once central's signed receipt
// for it has been checked.
func (s *Store) Delivered(seq int64, line audit.Line) error {
	return coded(s.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket(bucketOutbox).Delete(number(seq)); err != nil {
			return err
		}
		_, err := audit.Append(auditTx{tx}, line)
		return err
	}))
}

// Cursor returns the value kept under name, nil if there is none.
func (s *Store) Cursor(name string) ([]byte, error) {
	var v []byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		v = append(v, tx.Bucket(bucketCursors).Get([]byte(name))...)
		return nil
	})
	return v, coded(err)
}

// SetCursor keeps value under name together with its audit line.
func (s *Store) SetCursor(name string, value []byte, line audit.Line) error {
	return coded(s.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket(bucketCursors).Put([]byte(name), value); err != nil {
			return err
		}
		_, err := audit.Append(auditTx{tx}, line)
		return err
	}))
}

// AuditHead returns the head of the audit log.
func (s *Store) AuditHead() (h audit.Head, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		var err error
		h, err = audit.HeadOf(auditTx{tx})
		return err
	})
	return h, coded(err)
}

// VerifyAudit reads the whole log again against heads noted elsewhere.
func (s *Store) VerifyAudit(known ...audit.Head) (h audit.Head, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		var err error
		h, err = audit.Verify(auditTx{tx}, known...)
		return err
	})
	return h, coded(err)
}

// AuditLines returns up to limit lines from number from on, as written.
func (s *Store) AuditLines(from int64, limit int) ([][]byte, error) {
	var out [][]byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketLines).Cursor()
		for k, v := c.Seek(number(from)); k != nil && len(out) < limit; k, v = c.Next() {
			out = append(out, append([]byte(nil), v...))
		}
		return nil
	})
	return out, coded(err)
}

// auditTx is the audit log inside one transaction.
type auditTx struct{ tx *bbolt.Tx }

func (a auditTx) Lines() (int64, error) {
	k, _ := a.tx.Bucket(bucketLines).Cursor().Last()
	if k == nil {
		return 0, nil
	}
	return int64(binary.BigEndian.Uint64(k)) + 1, nil
}

func (a auditTx) Line(seq int64) ([]byte, error) { return a.get(bucketLines, seq) }

func (a auditTx) Hash(index int64) ([]byte, error) { return a.get(bucketHashes, index) }

func (a auditTx) PutLine(seq int64, raw []byte) error {
	return a.tx.Bucket(bucketLines).Put(number(seq), raw)
}

func (a auditTx) PutHash(index int64, h []byte) error {
	return a.tx.Bucket(bucketHashes).Put(number(index), h)
}

func (a auditTx) get(bucket []byte, n int64) ([]byte, error) {
	v := a.tx.Bucket(bucket).Get(number(n))
	if v == nil {
		return nil, ErrNotFound
	}
	return v, nil
}

// identity names one value of one bucket, so that sealed values cannot be
// swapped between keys or buckets.
func identity(bucket []byte, key string) []byte {
	id := append([]byte("post.db|"), bucket...)
	id = append(id, '|')
	return append(id, key...)
}

// number is a key that sorts by value.
func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
