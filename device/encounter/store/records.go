package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
)

// Change is everything one step of an encounter writes. It is written whole or
// not at all.
type Change struct {
	Encounter string       // id; "" writes no encounter
	State     []byte       // the encounter in its own form, sealed here
	Close     *Closing     // set by the step that ends the encounter
	Outbox    []byte       // message for central, sealed here; nil sends none
	Audit     []audit.Line // in order
}

// Closing says how long what remains of an encounter is kept. Its state is
// sealed under a fresh key, and the key under which it lay while it was open
// is destroyed: whatever was in it before is gone for good.
type Closing struct {
	StateUntil    int64  // retention time in seconds
	Evidence      []byte // sealed here under a key of its own; nil keeps none
	EvidenceUntil int64  // retention time in seconds
}

// Commit writes c in one transaction and returns after it is on disk.
func (s *Store) Commit(c Change) error {
	return s.update(func(w *writer) error {
		if c.Encounter != "" {
			if err := w.encounter(&c); err != nil {
				return err
			}
		}
		if c.Outbox != nil {
			if err := w.send(c.Outbox); err != nil {
				return err
			}
		}
		return w.audit(c.Audit...)
	})
}

func (w *writer) encounter(c *Change) error {
	if err := w.seal(bucketEncounters, c.Encounter, c.State, c.Close != nil); err != nil || c.Close == nil {
		return err
	}
	if err := w.put(bucketDue, dueKey(Kept{c.Close.StateUntil, KindEncounter, c.Encounter}), []byte{}); err != nil {
		return err
	}
	if c.Close.Evidence == nil {
		return nil
	}
	if err := w.seal(bucketEvidence, c.Encounter, c.Close.Evidence, true); err != nil {
		return err
	}
	return w.put(bucketDue, dueKey(Kept{c.Close.EvidenceUntil, KindEvidence, c.Encounter}), []byte{})
}

// Encounter returns the state of an encounter as last committed, ErrNotFound
// if there is none.
func (s *Store) Encounter(id string) ([]byte, error) { return s.get(bucketEncounters, id) }

// Evidence returns what was kept to show why an encounter ended as it did,
// ErrNotFound where none was kept or its time has run out.
func (s *Store) Evidence(id string) ([]byte, error) { return s.get(bucketEvidence, id) }

// Encounters calls f with each encounter held. An encounter that cannot be
// opened is reported to f with its error and does not hide the others. f must
// not write to the store.
func (s *Store) Encounters(f func(id string, state []byte, err error) error) error {
	return s.view(func(tx *bbolt.Tx, keys *keyFile) error {
		return tx.Bucket(bucketEncounters).ForEach(func(k, value []byte) error {
			plain, err := keys.opened(bucketEncounters, string(k), value)
			return f(string(k), plain, err)
		})
	})
}

func (s *Store) get(bucket []byte, id string) ([]byte, error) {
	var plain []byte
	found := false
	err := s.view(func(tx *bbolt.Tx, keys *keyFile) (err error) {
		value := tx.Bucket(bucket).Get([]byte(id))
		if found = value != nil; found {
			plain, err = keys.opened(bucket, id, value)
		}
		return err
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return plain, err
}

// view runs f on what is held, after the digests were compared. f does not
// run where nothing was ever written.
func (s *Store) view(f func(*bbolt.Tx, *keyFile) error) error {
	s.mu.Lock()
	err := guarded(func() error { return s.db.View(func(tx *bbolt.Tx) error { return s.unlock(tx, false) }) })
	keys := s.keys
	s.mu.Unlock()
	if errors.Is(err, errNoKeys) {
		return nil
	}
	if err != nil {
		return coded(err)
	}
	// Keys of records that a reader still sees are not wiped under it.
	s.wiping.RLock()
	defer s.wiping.RUnlock()
	return coded(guarded(func() error { return s.db.View(func(tx *bbolt.Tx) error { return f(tx, keys) }) }))
}

// Kind says what is kept. Published numbers, part of the database's form.
type Kind uint8

// Kinds of what is kept for a time.
const (
	KindUnknown   Kind = 0
	KindEncounter Kind = 1 // what remains of a closed encounter
	KindEvidence  Kind = 2
)

// Kept is something kept until a moment of retention time.
type Kept struct {
	Until int64 // retention time in seconds
	Kind  Kind
	ID    string // encounter
}

func dueKey(k Kept) []byte { return append(append(number(k.Until), byte(k.Kind)), k.ID...) }

// Due returns up to limit of what must be gone by now, oldest first.
func (s *Store) Due(now int64, limit int) ([]Kept, error) {
	var due []Kept
	err := s.view(func(tx *bbolt.Tx, _ *keyFile) error {
		c := tx.Bucket(bucketDue).Cursor()
		for k, _ := c.First(); len(k) > 9 && len(due) < limit; k, _ = c.Next() {
			until := int64(binary.BigEndian.Uint64(k))
			if until > now {
				break
			}
			due = append(due, Kept{until, Kind(k[8]), string(k[9:])})
		}
		return nil
	})
	return due, err
}

// Expire removes what Due has named and destroys its key. line tells of it.
func (s *Store) Expire(k Kept, line audit.Line) error {
	bucket := map[Kind][]byte{KindEncounter: bucketEncounters, KindEvidence: bucketEvidence}[k.Kind]
	if bucket == nil {
		return fault.New("store.kind", "there is no kind %d", k.Kind)
	}
	return s.update(func(w *writer) error {
		if err := w.remove(bucket, k.ID); err != nil {
			return err
		}
		if err := w.delete(bucketDue, dueKey(k)); err != nil {
			return err
		}
		return w.audit(line)
	})
}

// collect opens records.keys, where post.db has noted one, and destroys every
// key in it that nothing refers to: what a power cut between a transaction and
// the overwriting has left. It needs no key.
func (s *Store) collect() error {
	var noted []byte
	used := map[uint32]bool{}
	err := guarded(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			noted = bytes.Clone(tx.Bucket(bucketMeta).Get(metaKeys))
			for _, bucket := range [][]byte{bucketEncounters, bucketEvidence, bucketOutbox} {
				err := tx.Bucket(bucket).ForEach(func(_, value []byte) error {
					at, err := placeOf(value)
					used[at] = true
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil || noted == nil {
		return err // a file that is not noted is made anew by the first write
	}
	keys, err := openKeys(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // said where a key is needed, since the audit log needs none
	}
	if err != nil {
		return err
	}
	s.keys = keys
	if !bytes.Equal(noted, keys.id) {
		return keysFault("%s is of another post.db", keysName)
	}
	for at := range used {
		if at >= keys.size.Load() {
			return keysFault("%s ends before place %d", keysName, at)
		}
	}
	return keys.settle(used)
}

// settle sorts the places that nothing uses into free ones and ones to zero.
func (k *keyFile) settle(used map[uint32]bool) error {
	size := k.size.Load()
	raw := make([]byte, int64(size)*placeSize)
	if _, err := k.file.ReadAt(raw, headSize); err != nil && size > 0 {
		return keysFault("%s: %w", keysName, err)
	}
	for at := size; at > 0; at-- {
		p := raw[int64(at-1)*placeSize:][:placeSize]
		switch {
		case used[at-1]:
		case allZero(p):
			k.free = append(k.free, at-1)
		default:
			k.stale = append(k.stale, at-1)
		}
	}
	return k.shred()
}

func allZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
