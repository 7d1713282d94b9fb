package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// copyTree copies a generation folder, so that a case can spoil it.
func copyTree(t testing.TB, src string) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dst, os.DirFS(src)); err != nil {
		t.Fatal(err)
	}
	return dst
}

func edit(t testing.TB, path string, f func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(raw), 0o600); err != nil {
		t.Fatal(err)
	}
}

// editDB changes the records of a database file.
func editDB(t testing.TB, dir string, f func(*bbolt.Bucket) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, recordsName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket(recordsBucket)) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// use opens a generation and reads all of it, without the digests.
func use(dir string, key *vault.Key) error {
	g, err := OpenFolder(dir, key)
	if err != nil {
		return err
	}
	defer g.Close()
	faces, err := g.LoadFaces(ctx)
	if err != nil {
		return err
	}
	if _, err := g.LoadDocuments(ctx); err != nil {
		return err
	}
	for _, k := range faces[0].Records {
		if _, err := g.Get(k); err != nil {
			return err
		}
	}
	return g.Verify(ctx)
}

func TestAttackGeneration(t *testing.T) {
	b, other := newBench(t), newBench(t)
	good := b.build(t, spec("bench", 7), 40)
	older := b.build(t, spec("bench", 6), 40)
	foreign := b.build(t, spec("other", 7), 40)
	if err := use(good, b.key); err != nil {
		t.Fatal(err)
	}
	replace := func(t *testing.T, dir, from, name string) {
		raw, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		edit(t, filepath.Join(dir, name), func([]byte) []byte { return raw })
	}
	for _, c := range []struct {
		name  string
		key   *vault.Key
		spoil func(t *testing.T, dir string)
		code  fault.Code
	}{
		{"key of another list", other.key, func(*testing.T, string) {}, "vault.open"},
		{"records of an older generation", b.key, func(t *testing.T, dir string) { replace(t, dir, older, recordsName) }, "store.damaged"},
		{"faces of an older generation", b.key, func(t *testing.T, dir string) { replace(t, dir, older, "faces-00000.chunk") }, "store.damaged"},
		{"documents of another list", b.key, func(t *testing.T, dir string) { replace(t, dir, foreign, "documents-00000.chunk") }, "store.damaged"},
		{"documents in place of faces", b.key, func(t *testing.T, dir string) {
			raw, err := os.ReadFile(filepath.Join(dir, "documents-00000.chunk"))
			if err != nil {
				t.Fatal(err)
			}
			edit(t, filepath.Join(dir, "faces-00000.chunk"), func([]byte) []byte { return raw })
		}, "store.damaged"},
		{"meta of an older generation", b.key, func(t *testing.T, dir string) { replace(t, dir, older, metaName) }, "store.damaged"},
		{"generation renumbered", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, metaName), func(raw []byte) []byte {
				return bytes.Replace(raw, []byte(`"generation":7`), []byte(`"generation":8`), 1)
			})
		}, "vault.open"},
		{"list renamed", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, metaName), func(raw []byte) []byte { return bytes.Replace(raw, []byte(`"bench"`), []byte(`"other"`), 1) })
		}, "vault.open"},
		{"later format", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, metaName), func(raw []byte) []byte { return bytes.Replace(raw, []byte(`"format":1`), []byte(`"format":9`), 1) })
		}, "store.format"},
		{"meta cut", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, metaName), func(raw []byte) []byte { return raw[:len(raw)/2] })
		}, "store.damaged"},
		{"no meta", b.key, func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, metaName)) }, "store.damaged"},
		{"no records", b.key, func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, recordsName)) }, "store.damaged"},
		{"records cut", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, recordsName), func(raw []byte) []byte { return raw[:len(raw)/2] })
		}, "store.damaged"},
		{"records zeroed", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, recordsName), func(raw []byte) []byte { return make([]byte, len(raw)) })
		}, "store.damaged"},
		{"pages behind the first zeroed", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, recordsName), func(raw []byte) []byte { clear(raw[2*4096:]); return raw })
		}, "store.damaged"},
		{"pages behind the first all ones", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, recordsName), func(raw []byte) []byte {
				for i := 2 * 4096; i < len(raw); i++ {
					raw[i] = 0xff
				}
				return raw
			})
		}, "store.damaged"},
		{"two records swapped", b.key, func(t *testing.T, dir string) {
			editDB(t, dir, func(b *bbolt.Bucket) error {
				c := b.Cursor()
				k1, v1 := c.First()
				k2, v2 := c.Next()
				k1, v1, k2, v2 = bytes.Clone(k1), bytes.Clone(v1), bytes.Clone(k2), bytes.Clone(v2)
				if err := b.Put(k1, v2); err != nil {
					return err
				}
				return b.Put(k2, v1)
			})
		}, "store.damaged"},
		{"face chunk with a changed bit", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "faces-00000.chunk"), func(raw []byte) []byte { raw[1000] ^= 1; return raw })
		}, "store.damaged"},
		{"face chunk without its mark", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "faces-00000.chunk"), func(raw []byte) []byte { raw[0] ^= 1; return raw })
		}, "store.damaged"},
		{"document chunk cut", b.key, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "documents-00000.chunk"), func(raw []byte) []byte { return raw[:len(raw)-1] })
		}, "store.damaged"},
		{"chunk is a link", b.key, func(t *testing.T, dir string) {
			p := filepath.Join(dir, "documents-00000.chunk")
			if err := os.Rename(p, filepath.Join(t.TempDir(), "x")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/dev/zero", p); err != nil {
				t.Fatal(err)
			}
		}, "store.damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyTree(t, good)
			c.spoil(t, dir)
			wantCode(t, use(dir, c.key), c.code)
			// And no post takes it.
			d, err := OpenDir(ctx, filepath.Join(t.TempDir(), "list"))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if _, err := d.Adopt(ctx, dir, "bench", c.key, 7); err == nil {
				t.Error("the spoilt generation was adopted")
			}
			_, err = d.Current()
			wantCode(t, err, "store.empty")
		})
	}
}

// A record that is taken out leaves an index that leads nowhere: damage, not
// "not listed".
func TestAttackRecordRemoved(t *testing.T) {
	b := newBench(t)
	dir := b.build(t, spec("bench", 1), 40)
	editDB(t, dir, func(b *bbolt.Bucket) error {
		var keys [][]byte
		if err := b.ForEach(func(k, _ []byte) error { keys = append(keys, bytes.Clone(k)); return nil }); err != nil {
			return err
		}
		for _, k := range keys {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	g, err := OpenFolder(dir, b.key)
	if err != nil {
		if fault.CodeOf(err) == "store.damaged" {
			return // bbolt let the file grow: noticed even earlier
		}
		t.Fatal(err)
	}
	defer g.Close()
	table, err := g.LoadDocuments(ctx)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := documentEntries(g.seal.index, person(2), RecordKey{})
	if err != nil {
		t.Fatal(err)
	}
	found := table.Lookup(entries[0].Hash)
	if len(found) != 1 {
		t.Fatalf("the sealed table lost an entry: %v", found)
	}
	_, err = g.At(found[0])
	wantCode(t, err, "store.damaged")
	wantCode(t, g.Verify(ctx), "store.damaged")
}
