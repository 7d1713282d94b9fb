package store

import (
	"encoding/binary"
	"errors"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// MaxValue is the largest state, evidence or message in bytes: two pictures
// and an inspection take some 300 KiB.
const MaxValue = 16 << 20

// writer is one write transaction. Store.mu is held while it lives.
type writer struct {
	s     *Store
	tx    *bbolt.Tx
	sums  *digests // nil until something counted was written
	added []uint32 // places taken in records.keys
	gone  []uint32 // places whose records this transaction removes
}

// update runs f in one transaction and returns after it is on disk. Where the
// disk is full and room could be made, f runs once more. After ErrUncertain
// nothing more is written before the store is opened anew.
func (s *Store) update(f func(*writer) error) error {
	err := s.updateOnce(f)
	if fault.CodeOf(err) == ErrFull.Code && s.relief != nil && s.relief() {
		err = s.updateOnce(f)
	}
	return err
}

// Relieve names what is called when a write finds the disk full: it may make
// room, and says whether it has. It is set before the store is used.
func (s *Store) Relieve(f func() (made bool)) { s.relief = f }

func (s *Store) updateOnce(f func(*writer) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		return ErrUncertain
	}
	w := &writer{s: s}
	var id int
	err := guarded(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			w.tx, id = tx, tx.ID()
			if err := f(w); err != nil {
				return err
			}
			return w.finish()
		})
	})
	if err == nil {
		if len(w.gone) > 0 {
			s.keys.retire(w.gone...)
			// The records are gone already; a place that cannot be zeroed now
			// is tried again at the next write, by Shred, and at the opening.
			_ = s.shred()
		}
		return nil
	}
	if id != 0 && s.stands(id) {
		s.failed = true
		return fault.New(ErrUncertain.Code, "%w", err).WithHint(ErrUncertain.Hint)
	}
	if len(w.added) > 0 {
		s.keys.retire(w.added...)
		_ = s.shred() // as above
	}
	return coded(err)
}

// stands tells whether the database shows transaction id although writing it
// ended with an error: then only its last sync has failed.
func (s *Store) stands(id int) bool {
	shown := false
	err := guarded(func() error {
		return s.db.View(func(tx *bbolt.Tx) error { shown = tx.ID() >= id; return nil })
	})
	return shown || err != nil
}

// guarded turns what bbolt does with damaged pages into ErrDamaged.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fault.New(ErrDamaged.Code, "post.db: %v", r).WithHint(ErrDamaged.Hint)
		}
	}()
	return f()
}

// seal puts plain into a bucket under a key of its own: the one it had, or a
// fresh one, which shuts all that was there before.
func (w *writer) seal(bucket []byte, name string, plain []byte, fresh bool) error {
	if len(plain) > MaxValue {
		return fault.New("store.too_large", "%d bytes, at most %d", len(plain), MaxValue)
	}
	if err := w.count(); err != nil {
		return err
	}
	keys := w.s.keys
	old := w.tx.Bucket(bucket).Get([]byte(name))
	var at uint32
	var key *vault.Key
	var err error
	if old != nil && !fresh {
		if at, err = placeOf(old); err == nil {
			key, err = keys.key(at, bucket, name)
		}
	} else {
		if old != nil {
			if at, err = placeOf(old); err != nil {
				return err
			}
			w.gone = append(w.gone, at)
		}
		if at, key, err = keys.add(w.s.ring, bucket, name); err == nil {
			w.added = append(w.added, at)
		}
	}
	if err != nil {
		return err
	}
	defer key.Destroy()
	value := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(plain)+vault.Overhead), at)
	if value, err = key.Seal(value, plain, identity(bucket, name)); err != nil {
		return err
	}
	return w.put(bucket, []byte(name), value)
}

// remove takes a value out of a bucket and has its key destroyed. One that is
// not there is no error: it has been removed before.
func (w *writer) remove(bucket []byte, name string) error {
	old := w.tx.Bucket(bucket).Get([]byte(name))
	if old == nil {
		return nil
	}
	at, err := placeOf(old)
	if err != nil {
		return err
	}
	w.gone = append(w.gone, at)
	return w.delete(bucket, []byte(name))
}

// put writes a value that is counted in the digests.
func (w *writer) put(bucket, key, value []byte) error {
	if err := w.count(); err != nil {
		return err
	}
	b := w.tx.Bucket(bucket)
	if old := b.Get(key); old != nil {
		if err := w.sums.remove(w.s.keys.kek, bucket, key, old); err != nil {
			return err
		}
	}
	if err := w.sums.add(w.s.keys.kek, bucket, key, value); err != nil {
		return err
	}
	return b.Put(key, value)
}

// delete takes out what put has written; nothing where there is none.
func (w *writer) delete(bucket, key []byte) error {
	if err := w.count(); err != nil {
		return err
	}
	b := w.tx.Bucket(bucket)
	old := b.Get(key)
	if old == nil {
		return nil
	}
	if err := w.sums.remove(w.s.keys.kek, bucket, key, old); err != nil {
		return err
	}
	return b.Delete(key)
}

// audit appends lines to the log, and signs a head where they make one due.
func (w *writer) audit(lines ...audit.Line) error {
	for _, line := range lines {
		if _, err := audit.Append(auditTx{w.tx}, line); err != nil {
			return err
		}
	}
	return w.s.heads.after(auditTx{w.tx})
}

// count makes ready for writing what the digests count.
func (w *writer) count() (err error) {
	if w.sums != nil {
		return nil
	}
	if err := w.s.unlock(w.tx, true); err != nil {
		return err
	}
	w.sums, err = readDigests(w.tx, w.s.sealer)
	return err
}

// finish writes the digests and waits until added keys are on disk, before
// anything refers to them.
func (w *writer) finish() error {
	if w.sums == nil {
		return nil
	}
	if len(w.added) > 0 {
		if err := w.s.keys.sync(); err != nil {
			return err
		}
	}
	if err := w.tx.Bucket(bucketMeta).Put(metaKeys, w.s.keys.id); err != nil {
		return err
	}
	return w.sums.write(w.tx, w.s.sealer)
}

// placeOf reads where the key of a sealed value lies.
func placeOf(value []byte) (uint32, error) {
	if len(value) < 4+vault.Overhead {
		return 0, fault.New(ErrDamaged.Code, "a value of %d bytes", len(value)).WithHint(ErrDamaged.Hint)
	}
	return binary.BigEndian.Uint32(value), nil
}

// opened opens a value. The caller holds Store.wiping for reading, or mu.
func (k *keyFile) opened(bucket []byte, name string, value []byte) ([]byte, error) {
	at, err := placeOf(value)
	if err != nil {
		return nil, err
	}
	key, err := k.key(at, bucket, name)
	if err != nil {
		return nil, err
	}
	defer key.Destroy()
	plain, err := key.Open(nil, value[4:], identity(bucket, name))
	if err != nil {
		return nil, fault.New(ErrDamaged.Code, "a value does not open: %w", err).WithHint(ErrDamaged.Hint)
	}
	return plain, nil
}

// shred zeroes the places of removed records. mu is held.
func (s *Store) shred() error {
	s.wiping.Lock()
	defer s.wiping.Unlock()
	return s.keys.shred()
}

// Shred destroys keys whose records are gone and whose places could not be
// overwritten before. It does nothing where there are none.
func (s *Store) Shred() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil || s.failed {
		return nil
	}
	if err := s.shred(); err != nil {
		return fault.New("store.shred", "%w", err).WithHint("keys of removed records cannot be overwritten: look at the disk")
	}
	return nil
}

// errNoKeys is passed on by unlock where there is no records.keys and none was
// ever made.
var errNoKeys = errors.New("no keys yet")

// unlock opens records.keys and its key, making both where write says so and
// there never were any. mu is held.
func (s *Store) unlock(tx *bbolt.Tx, write bool) error {
	if s.keys == nil {
		switch {
		case tx.Bucket(bucketMeta).Get(metaKeys) != nil:
			return keysFault("%s is missing", keysName)
		case !empty(tx):
			return fault.New(ErrTampered.Code, "the note of %s was taken out", keysName).WithHint(ErrTampered.Hint)
		case !write:
			return errNoKeys
		}
		made, err := makeKeys(s.dir, s.ring, s.sealer)
		if err != nil {
			return err
		}
		s.keys, s.checked = made, true
		return nil
	}
	if err := s.keys.unlock(s.ring, s.sealer); err != nil {
		return err
	}
	if s.checked {
		return nil
	}
	if err := check(tx, s.keys.kek, s.sealer); err != nil {
		return err
	}
	s.checked = true
	return nil
}
