package store

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/powercut"
)

// room is a post's folder, closed, with three encounters (two with evidence),
// three messages of which the first was delivered, a cursor that was moved
// once, and an earlier copy of the folder.
type room struct {
	t       *testing.T
	dir     string
	earlier string // before the third encounter, the delivery and the cursor's move
}

func newRoom(t *testing.T, key byte) *room {
	t.Helper()
	r := &room{t: t, dir: powercut.TempDir(t), earlier: powercut.TempDir(t)}
	s := open(t, r.dir, newGCM(t, key))
	r.do(closeEncounter(s, "e1", []byte("evidence of e1")))
	r.do(closeEncounter(s, "e2", []byte("evidence of e2")))
	r.do(s.SetCursor("c", []byte("one"), line(1)))
	r.do(s.Close())
	r.do(os.CopyFS(r.earlier, os.DirFS(r.dir)))
	s = open(t, r.dir, newGCM(t, key))
	r.do(s.Commit(Change{Encounter: "e3", State: []byte("first state of e3")}))
	r.do(s.Commit(Change{Encounter: "e3", State: []byte("second state of e3"), Outbox: []byte("message of e3"), Audit: []audit.Line{line(3)}}))
	r.do(s.Delivered(1, line(4)))
	r.do(s.SetCursor("c", []byte("two"), line(5)))
	r.do(s.Close())
	return r
}

// closeEncounter writes an encounter in two steps, as the post does.
func closeEncounter(s *Store, id string, evidence []byte) error {
	if err := s.Commit(Change{Encounter: id, State: []byte("open state of " + id)}); err != nil {
		return err
	}
	return s.Commit(Change{
		Encounter: id, State: []byte("kept state of " + id), Outbox: []byte("message of " + id), Audit: []audit.Line{line(1)},
		Close: &Closing{StateUntil: 2000, Evidence: evidence, EvidenceUntil: 1000},
	})
}

func (r *room) do(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// db changes post.db by hand.
func (r *room) db(f func(tx *bbolt.Tx) error) {
	r.t.Helper()
	db, err := bbolt.Open(filepath.Join(r.dir, "post.db"), 0o600, nil)
	r.do(err)
	r.do(db.Update(f))
	r.do(db.Close())
}

// was returns a value of the earlier copy.
func (r *room) was(bucket []byte, key string) (value []byte) {
	r.t.Helper()
	db, err := bbolt.Open(filepath.Join(r.earlier, "post.db"), 0o600, nil)
	r.do(err)
	r.do(db.View(func(tx *bbolt.Tx) error { value = bytes.Clone(tx.Bucket(bucket).Get([]byte(key))); return nil }))
	r.do(db.Close())
	return value
}

// keys changes records.keys by hand.
func (r *room) keys(f func([]byte) []byte) {
	r.t.Helper()
	path := filepath.Join(r.dir, keysName)
	raw, err := os.ReadFile(path)
	r.do(err)
	r.do(os.WriteFile(path, f(raw), 0o600))
}

func (r *room) back(name string) {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.earlier, name))
	r.do(err)
	r.do(os.WriteFile(filepath.Join(r.dir, name), raw, 0o600))
}

// use opens the store as a post does at its start and reads all.
func use(dir string, sealer Sealer) error {
	s, err := Open(dir, sealer)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Cursor("c"); err != nil {
		return err
	}
	if err := s.Encounters(func(_ string, _ []byte, err error) error { return err }); err != nil {
		return err
	}
	for _, id := range []string{"e1", "e2"} {
		if _, err := s.Evidence(id); err != nil {
			return err
		}
	}
	_, err = s.Outbox(100)
	return err
}

func put(bucket []byte, key string, value []byte) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte(key), value) }
}

func drop(bucket []byte, key string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete([]byte(key)) }
}

// move puts the value of one key under another, in the same or another bucket.
func move(from []byte, key string, to []byte, as string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		return tx.Bucket(to).Put([]byte(as), bytes.Clone(tx.Bucket(from).Get([]byte(key))))
	}
}

func exchange(bucket []byte, a, b string) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		k := tx.Bucket(bucket)
		x, y := bytes.Clone(k.Get([]byte(a))), bytes.Clone(k.Get([]byte(b)))
		if err := k.Put([]byte(a), y); err != nil {
			return err
		}
		return k.Put([]byte(b), x)
	}
}

func change(bucket []byte, key string, f func([]byte) []byte) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).Put([]byte(key), f(bytes.Clone(tx.Bucket(bucket).Get([]byte(key)))))
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b }
}

// TestAttackStore changes the files of a post as one who can write its disk
// would, and starts it.
func TestAttackStore(t *testing.T) {
	message := func(seq int64) string { return string(number(seq)) }
	due := string(dueKey(Kept{1000, KindEvidence, "e1"}))
	placeAt := func(raw []byte, at uint32) []byte { return raw[place(at):][:placeSize] }
	for _, c := range []struct {
		name   string
		attack func(r *room)
		code   fault.Code
	}{
		{"two encounters exchanged", func(r *room) { r.db(exchange(bucketEncounters, "e1", "e2")) }, "store.tampered"},
		{"evidence of another encounter", func(r *room) { r.db(move(bucketEvidence, "e2", bucketEvidence, "e1")) }, "store.tampered"},
		{"evidence in place of the encounter", func(r *room) { r.db(move(bucketEvidence, "e1", bucketEncounters, "e1")) }, "store.tampered"},
		{"encounter taken out", func(r *room) { r.db(drop(bucketEncounters, "e2")) }, "store.tampered"},
		{"encounter copied to another name", func(r *room) { r.db(move(bucketEncounters, "e1", bucketEncounters, "e9")) }, "store.tampered"},
		{"bit of an encounter changed", func(r *room) { r.db(change(bucketEncounters, "e1", flip(-1))) }, "store.tampered"},
		{"encounter cut", func(r *room) { r.db(change(bucketEncounters, "e1", func(b []byte) []byte { return b[:40] })) }, "store.tampered"},
		{"encounter empty", func(r *room) { r.db(put(bucketEncounters, "e1", nil)) }, "store.damaged"},
		{"encounter names a place far outside", func(r *room) {
			r.db(change(bucketEncounters, "e1", func(b []byte) []byte { copy(b, "\xff\xff\xff\xff"); return b }))
		}, "store.keys"},
		{"earlier state of an open encounter", func(r *room) {
			s := open(r.t, r.dir, newGCM(r.t, 1))
			var older []byte
			r.do(s.db.View(func(tx *bbolt.Tx) error {
				older = bytes.Clone(tx.Bucket(bucketEncounters).Get([]byte("e3")))
				return nil
			}))
			r.do(s.Commit(Change{Encounter: "e3", State: []byte("third state of e3")}))
			r.do(s.Close())
			r.db(put(bucketEncounters, "e3", older))
		}, "store.tampered"},
		{"evidence kept for ever", func(r *room) { r.db(drop(bucketDue, due)) }, "store.tampered"},
		{"evidence due at once", func(r *room) { r.db(put(bucketDue, string(dueKey(Kept{1, KindEvidence, "e2"})), []byte{})) }, "store.tampered"},
		{"message taken out", func(r *room) { r.db(drop(bucketOutbox, message(2))) }, "store.tampered"},
		{"message doubled", func(r *room) { r.db(move(bucketOutbox, message(2), bucketOutbox, message(9))) }, "store.tampered"},
		{"delivered message put back", func(r *room) { r.db(put(bucketOutbox, message(1), r.was(bucketOutbox, message(1)))) }, "store.tampered"},
		{"delivered message in place of a waiting one", func(r *room) {
			old := r.was(bucketOutbox, message(1))
			r.db(func(tx *bbolt.Tx) error {
				if err := drop(bucketOutbox, message(3))(tx); err != nil {
					return err
				}
				return put(bucketOutbox, message(1), old)(tx)
			})
		}, "store.tampered"},
		{"cursor set back", func(r *room) { r.db(put(bucketCursors, "c", r.was(bucketCursors, "c"))) }, "store.tampered"},
		{"cursor taken out", func(r *room) { r.db(drop(bucketCursors, "c")) }, "store.tampered"},
		{"cursor and digests set back", func(r *room) {
			c, sums := r.was(bucketCursors, "c"), r.was(bucketMeta, string(metaSums))
			r.db(func(tx *bbolt.Tx) error {
				if err := put(bucketCursors, "c", c)(tx); err != nil {
					return err
				}
				return put(bucketMeta, string(metaSums), sums)(tx)
			})
		}, "store.tampered"},
		{"digests taken out", func(r *room) { r.db(drop(bucketMeta, string(metaSums))) }, "store.tampered"},
		{"digests changed", func(r *room) { r.db(change(bucketMeta, string(metaSums), flip(-1))) }, "store.tampered"},
		{"digests of another database", func(r *room) {
			r.earlier = newRoom(r.t, 1).dir
			r.db(put(bucketMeta, string(metaSums), r.was(bucketMeta, string(metaSums))))
		}, "store.tampered"},
		{"note of the keys taken out", func(r *room) { r.db(drop(bucketMeta, string(metaKeys))) }, "store.tampered"},
		{"bucket taken out", func(r *room) { r.db(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketOutbox) }) }, "store.tampered"},
		{"later format", func(r *room) { r.db(put(bucketMeta, string(keyFormat), number(9))) }, "store.version"},
		{"both files of another post", func(r *room) {
			r.earlier = newRoom(r.t, 2).dir
			r.back("post.db")
			r.back(keysName)
		}, "store.other_key"},
		{"post.db of another post", func(r *room) { r.earlier = newRoom(r.t, 2).dir; r.back("post.db") }, "store.keys"},
		{"keys of another post", func(r *room) { r.earlier = newRoom(r.t, 2).dir; r.back(keysName) }, "store.keys"},
		{"older post.db put back", func(r *room) { r.back("post.db") }, "store.shredded"},
		{"older keys put back", func(r *room) { r.back(keysName) }, "store.shredded"},
		{"post.db emptied", func(r *room) { r.do(os.Truncate(filepath.Join(r.dir, "post.db"), 0)) }, "store.damaged"},
		{"post.db taken away", func(r *room) { r.do(os.Remove(filepath.Join(r.dir, "post.db"))) }, "store.damaged"},
		{"post.db cut", func(r *room) { r.do(os.Truncate(filepath.Join(r.dir, "post.db"), 8192)) }, "store.damaged"},
		{"keys taken away", func(r *room) { r.do(os.Remove(filepath.Join(r.dir, keysName))) }, "store.keys"},
		{"keys emptied", func(r *room) { r.keys(func([]byte) []byte { return nil }) }, "store.keys"},
		{"keys cut in the head", func(r *room) { r.keys(func(b []byte) []byte { return b[:100] }) }, "store.keys"},
		{"keys cut behind the head", func(r *room) { r.keys(func(b []byte) []byte { return b[:headSize] }) }, "store.keys"},
		{"keys a link", func(r *room) {
			path := filepath.Join(r.dir, keysName)
			r.do(os.Rename(path, path+".real"))
			r.do(os.Symlink(path+".real", path))
		}, "store.keys"},
		{"head of the keys too long", func(r *room) {
			r.keys(func(b []byte) []byte { binary.BigEndian.PutUint32(b[len(keysMagic)+keysID:], 1<<31); return b })
		}, "store.keys"},
		{"bit of the key of keys changed", func(r *room) { r.keys(flip(len(keysMagic) + keysID + 4 + 20)) }, "store.other_key"},
		{"bit of a key changed", func(r *room) { r.keys(func(b []byte) []byte { b[place(r.placeOf("e1"))+20] ^= 1; return b }) }, "store.keys"},
		{"two keys exchanged", func(r *room) {
			r.keys(func(b []byte) []byte {
				x, y := placeAt(b, r.placeOf("e1")), placeAt(b, r.placeOf("e2"))
				held := bytes.Clone(x)
				copy(x, y)
				copy(y, held)
				return b
			})
		}, "store.keys"},
		{"key zeroed", func(r *room) { r.keys(func(b []byte) []byte { clear(placeAt(b, r.placeOf("e1"))); return b }) }, "store.shredded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRoom(t, 1)
			if err := use(r.dir, newGCM(t, 1)); err != nil {
				t.Fatal(err)
			}
			c.attack(r)
			if err := use(r.dir, newGCM(t, 1)); fault.CodeOf(err) != c.code {
				t.Errorf("%v, want code %s", err, c.code)
			}
		})
	}
}

// placeOf returns where the key of an encounter lies.
func (r *room) placeOf(id string) (at uint32) {
	r.t.Helper()
	db, err := bbolt.Open(filepath.Join(r.dir, "post.db"), 0o600, nil)
	r.do(err)
	r.do(db.View(func(tx *bbolt.Tx) (err error) {
		at, err = placeOf(tx.Bucket(bucketEncounters).Get([]byte(id)))
		return err
	}))
	r.do(db.Close())
	return at
}
