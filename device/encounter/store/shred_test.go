package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// thief has all that a post ever wrote to post.db, the files as they are now,
// and the store's key; he may call anything in this package.
type thief struct {
	t    *testing.T
	dir  string
	past [][]byte // post.db after each step, so with every byte that its free pages ever held
	key  Sealer
}

// sees notes post.db as it is.
func (f *thief) sees() {
	f.t.Helper()
	raw, err := os.ReadFile(filepath.Join(f.dir, "post.db"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.past = append(f.past, raw)
}

// opens tells whether the value of one bucket and name can be read from any
// of the files that he has seen with the keys that are left.
func (f *thief) opens(bucket []byte, name string) (plain []byte, found bool) {
	f.t.Helper()
	keys, err := openKeys(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	defer keys.close()
	ring := vault.NewRing()
	defer ring.Close()
	if err := keys.unlock(ring, f.key); err != nil {
		f.t.Fatal(err)
	}
	left, err := os.ReadFile(filepath.Join(f.dir, keysName))
	if err != nil {
		f.t.Fatal(err)
	}
	// Every 60 bytes of every file may be a wrapped key of that name, wherever
	// they stand.
	var live []*vault.Key
	for _, raw := range append(f.past[len(f.past)-1:], left) {
		for at := 0; at+wrappedSize <= len(raw); at += 4 {
			if allZero(raw[at : at+16]) {
				continue
			}
			if k, err := keys.kek.Unwrap(raw[at:at+wrappedSize], vault.ScopeEncounter, keyName(bucket, name)); err == nil {
				live = append(live, k)
			}
		}
	}
	for _, raw := range f.past {
		for _, value := range f.values(raw, bucket, name) {
			for _, k := range live {
				if plain, err := k.Open(nil, value[4:], identity(bucket, name)); err == nil {
					return plain, true
				}
			}
		}
	}
	return nil, false
}

// values returns what a copy of post.db holds under a name.
func (f *thief) values(raw, bucket []byte, name string) (values [][]byte) {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "copy.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		f.t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucket); b != nil {
			if v := b.Get([]byte(name)); len(v) > 4 {
				values = append(values, bytes.Clone(v))
			}
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return values
}

// TestAttackShredded gives a thief the store's key and every post.db there
// ever was, and lets him look for what was removed. Before its removal he
// finds each: the test can fail.
func TestAttackShredded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, newGCM(t, 1))
	f := &thief{t: t, dir: dir, key: newGCM(t, 1)}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		f.sees()
	}
	do(s.Commit(Change{Encounter: "e1", State: []byte("open state of e1")}))
	do(s.Commit(Change{Encounter: "e1", State: []byte("second open state of e1")}))
	if plain, found := f.opens(bucketEncounters, "e1"); !found {
		t.Fatalf("an open encounter is not found: %q", plain)
	}
	do(s.Commit(Change{
		Encounter: "e1", State: []byte("kept state of e1"), Outbox: []byte("message of e1"),
		Close: &Closing{StateUntil: 2000, Evidence: []byte("evidence of e1"), EvidenceUntil: 1000},
	}))
	t.Run("state of an open encounter after its end", func(t *testing.T) {
		plain, found := f.opens(bucketEncounters, "e1")
		if !found || string(plain) != "kept state of e1" {
			t.Errorf("found %q, only what is kept may be found", plain)
		}
	})
	message := string(number(1))
	for _, c := range []struct {
		name   string
		bucket []byte
		key    string
		remove func() error
		gone   func() error
	}{
		{"evidence after its time", bucketEvidence, "e1", func() error {
			return s.Expire(Kept{1000, KindEvidence, "e1"}, audit.Line{Action: "evidence.shredded"})
		}, func() error { _, err := s.Evidence("e1"); return err }},
		{"message after its delivery", bucketOutbox, message, func() error { return s.Delivered(1, line(1)) }, func() error { return ErrNotFound }},
		{"encounter after its time", bucketEncounters, "e1", func() error {
			return s.Expire(Kept{2000, KindEncounter, "e1"}, audit.Line{Action: "encounter.removed"})
		}, func() error { _, err := s.Encounter("e1"); return err }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, found := f.opens(c.bucket, c.key); !found {
				t.Fatal("not found before its removal: the test does not test")
			}
			do(c.remove())
			if plain, found := f.opens(c.bucket, c.key); found {
				t.Errorf("found %q", plain)
			}
			if err := c.gone(); !errors.Is(err, ErrNotFound) {
				t.Errorf("reading it: %v", err)
			}
		})
	}
	t.Run("post.db of every earlier step put back", func(t *testing.T) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for i, raw := range f.past[:len(f.past)-3] {
			if err := os.WriteFile(filepath.Join(dir, "post.db"), raw, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, newGCM(t, 1))
			if got, err := s.Encounter("e1"); fault.CodeOf(err) != ErrShredded.Code {
				t.Errorf("step %d: %q, %v", i, got, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestKeysAreSweptAtTheOpening leaves keys behind that nothing refers to, as
// a power cut between a transaction and the overwriting does.
func TestKeysAreSweptAtTheOpening(t *testing.T) {
	r := newRoom(t, 1)
	now, err := os.ReadFile(filepath.Join(r.dir, keysName))
	r.do(err)
	// The keys of all that the earlier copy held are there again.
	was, err := os.ReadFile(filepath.Join(r.earlier, keysName))
	r.do(err)
	used := map[uint32]bool{}
	for _, id := range []string{"e1", "e2", "e3"} {
		used[r.placeOf(id)] = true
	}
	r.keys(func(raw []byte) []byte {
		for at := range uint32(growBy) {
			p := place(at)
			if allZero(raw[p:p+placeSize]) && !allZero(was[p:p+placeSize]) {
				copy(raw[p:], was[p:p+placeSize])
			}
		}
		if bytes.Equal(raw, now) {
			t.Fatal("nothing was destroyed in between: the test does not test")
		}
		return raw
	})
	s := open(t, r.dir, newGCM(t, 1))
	r.do(s.Close())
	swept, err := os.ReadFile(filepath.Join(r.dir, keysName))
	r.do(err)
	if !bytes.Equal(swept, now) {
		t.Error("keys that nothing refers to are still there")
	}
	r.do(use(r.dir, newGCM(t, 1)))
}
