package store

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/docnumber"
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
			edit(t, filepath.Join(dir, metaName), func(raw []byte) []byte { return bytes.Replace(raw, []byte(`"format":2`), []byte(`"format":9`), 1) })
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

// TestAttackBlocks changes where records lie, as one who can write the disk
// would.
func TestAttackBlocks(t *testing.T) {
	b := newBench(t)
	const n = 300 // some twenty blocks
	good, older, foreign := b.build(t, spec("bench", 7), n), b.build(t, spec("bench", 6), n), b.build(t, spec("other", 7), n)
	block := func(raw []byte, i int) []byte { return raw[i*blockSize:][:blockSize] }
	from := func(dir string, i int) func([]byte) []byte {
		other, err := os.ReadFile(filepath.Join(dir, recordsName))
		if err != nil {
			t.Fatal(err)
		}
		return func(raw []byte) []byte { copy(block(raw, i), block(other, i)); return raw }
	}
	whole := map[string]string{"index": "index-00000.chunk", "records": recordsName}
	for _, c := range []struct {
		name, file string
		spoil      func([]byte) []byte
	}{
		{"two blocks exchanged", "records", func(raw []byte) []byte {
			held := bytes.Clone(block(raw, 0))
			copy(block(raw, 0), block(raw, 1))
			copy(block(raw, 1), held)
			return raw
		}},
		{"block doubled", "records", func(raw []byte) []byte { copy(block(raw, 1), block(raw, 0)); return raw }},
		{"block moved by one byte", "records", func(raw []byte) []byte { copy(raw[1:], bytes.Clone(raw)); return raw }},
		{"block of an older generation", "records", from(older, 1)},
		{"block of another list", "records", from(foreign, 1)},
		{"block zeroed", "records", func(raw []byte) []byte { clear(block(raw, 1)); return raw }},
		{"bit of the padding changed", "records", func(raw []byte) []byte { raw[len(raw)-1] ^= 1; return raw }},
		{"block cut off", "records", func(raw []byte) []byte { return raw[:len(raw)-blockSize] }},
		{"block added", "records", func(raw []byte) []byte { return append(raw, block(raw, 0)...) }},
		{"index emptied", "index", func([]byte) []byte { return nil }},
		{"index cut", "index", func(raw []byte) []byte { return raw[:len(raw)/2] }},
		{"index zeroed", "index", func(raw []byte) []byte { clear(raw); return raw }},
		{"bit of the index changed", "index", func(raw []byte) []byte { raw[40] ^= 1; return raw }},
		{"index of an older generation", "index", func([]byte) []byte {
			raw, err := os.ReadFile(filepath.Join(older, "index-00000.chunk"))
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyTree(t, good)
			edit(t, filepath.Join(dir, whole[c.file]), c.spoil)
			g, err := OpenFolder(dir, b.key)
			if err == nil {
				defer g.Close()
				err = g.Authenticate(ctx)
			}
			wantCode(t, err, "store.damaged")
			// What is damaged is never taken for "not listed".
			if g != nil {
				for i := range n {
					if _, err := g.ByID(person(i).ID); err != nil && fault.CodeOf(err) != "store.damaged" {
						t.Fatalf("record %d: %v", i, err)
					}
				}
			}
		})
	}
}

// TestAttackForgedRecords lets one who builds the generation itself, with its
// key, put things inside the sealed blocks that do not belong.
func TestAttackForgedRecords(t *testing.T) {
	for _, c := range []struct {
		name  string
		forge func(t *testing.T, b *Builder)
		code  fault.Code
	}{
		{"two records exchanged", func(t *testing.T, b *Builder) {
			h := b.spill.held
			h[0].sealed, h[1].sealed = h[1].sealed, h[0].sealed
		}, "store.damaged"},
		{"record of another generation", func(t *testing.T, b *Builder) {
			other, err := newSealer(b.key, "bench", 8)
			if err != nil {
				t.Fatal(err)
			}
			if b.spill.held[0].sealed, err = other.seal(b.spill.held[0].key, person(0)); err != nil {
				t.Fatal(err)
			}
		}, "store.damaged"},
		{"record of another list", func(t *testing.T, b *Builder) {
			other, err := newSealer(b.key, "other", 7)
			if err != nil {
				t.Fatal(err)
			}
			if b.spill.held[0].sealed, err = other.seal(b.spill.held[0].key, person(0)); err != nil {
				t.Fatal(err)
			}
		}, "store.damaged"},
		{"record without bytes", func(t *testing.T, b *Builder) { b.spill.held[0].sealed = nil }, "store.damaged"},
		{"record taken out", func(t *testing.T, b *Builder) { b.spill.held = b.spill.held[1:] }, "store.damaged"},
		{"record under a key of its own choice", func(t *testing.T, b *Builder) { b.spill.held[0].key[3] ^= 1 }, "store.damaged"},
		{"more bytes promised than there are", func(t *testing.T, b *Builder) { b.m.RecordBytes += 1000 }, "store.damaged"},
		{"fewer bytes promised than there are", func(t *testing.T, b *Builder) { b.m.RecordBytes -= 1000 }, "store.damaged"},
		{"bytes promised beyond the file", func(t *testing.T, b *Builder) { b.m.RecordBytes = 1 << 60 }, "store.damaged"},
		{"more records promised than there are", func(t *testing.T, b *Builder) { b.m.Records++ }, "store.damaged"},
		{"more faces promised than there are", func(t *testing.T, b *Builder) { b.m.Faces[0].Templates++ }, "store.damaged"},
		{"a document that no record has", func(t *testing.T, b *Builder) {
			b.documents = append(b.documents, docnumber.Entry{Hash: 1, Record: 2})
		}, "store.damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newBench(t)
			dir := filepath.Join(t.TempDir(), "generation")
			b, err := Create(dir, k.ring, k.key, spec("bench", 7))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 40 {
				if err := b.Add(person(i)); err != nil {
					t.Fatal(err)
				}
			}
			c.forge(t, b)
			if _, err := b.Finish(ctx); err != nil {
				t.Fatal(err)
			}
			wantCode(t, use(dir, k.key), c.code)
		})
	}
}

// TestAttackLengths gives a reader lengths that lead outside.
func TestAttackLengths(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(entry []byte) []byte // of the one record: key, length, sealed
	}{
		{"a length beyond the last byte", func(e []byte) []byte { binary.BigEndian.PutUint32(e[16:], uint32(len(e))); return e }},
		{"the largest length", func(e []byte) []byte { binary.BigEndian.PutUint32(e[16:], math.MaxUint32); return e }},
		{"no length", func(e []byte) []byte { return e[:18] }},
		{"length zero", func(e []byte) []byte { binary.BigEndian.PutUint32(e[16:], 0); return e }},
		{"half a record", func(e []byte) []byte { return e[:len(e)/2] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newBench(t)
			dir := filepath.Join(t.TempDir(), "generation")
			b, err := Create(dir, k.ring, k.key, spec("bench", 7))
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Add(person(3)); err != nil {
				t.Fatal(err)
			}
			it := b.spill.held[0]
			entry := append(it.key[:], binary.BigEndian.AppendUint32(nil, uint32(len(it.sealed)))...)
			entry = c.edit(append(entry, it.sealed...))
			if _, err := b.Finish(ctx); err != nil {
				t.Fatal(err)
			}
			g, err := OpenFolder(dir, k.key)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			plain := make([]byte, blockContent)
			copy(plain, entry)
			sealed, err := g.key.Seal(nil, plain, blockIdentity(g.m, 0))
			if err != nil {
				t.Fatal(err)
			}
			edit(t, filepath.Join(dir, recordsName), func(raw []byte) []byte { copy(raw, sealed); return raw })
			g.m.RecordBytes = int64(len(entry))
			_, err = g.ByID(person(3).ID)
			wantCode(t, err, "store.damaged")
		})
	}
}

// TestAttackBitOfEachFile changes single bits of every file of a generation.
// Those of meta.json end in one of the codes of its parts: it is read before
// there is a key to judge it by.
func TestAttackBitOfEachFile(t *testing.T) {
	b := newBench(t)
	good := b.build(t, spec("bench", 7), 40)
	files, err := os.ReadDir(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			dir := copyTree(t, good)
			path := filepath.Join(dir, f.Name())
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 400 {
				bit := i * (8*len(raw) - 1) / 399 // first and last among them
				raw[bit/8] ^= 1 << (bit % 8)
				if err := os.WriteFile(path, raw, 0o600); err != nil {
					t.Fatal(err)
				}
				raw[bit/8] ^= 1 << (bit % 8)
				err := use(dir, b.key)
				switch code := fault.CodeOf(err); {
				case code == "store.damaged":
				case f.Name() == metaName && (code == "vault.open" || code == "store.format"):
				default:
					t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
				}
				if i >= 20 && f.Name() != metaName {
					break // each opening reads whole files
				}
			}
		})
	}
}
