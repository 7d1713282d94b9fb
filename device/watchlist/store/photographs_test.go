package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// picture makes bytes that pass for a small JPEG; the store looks no further.
func picture(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	p := append(make([]byte, 0, size), "\xff\xd8\xff"...)
	for len(p) < size {
		p = append(p, byte(r.Uint32()))
	}
	return p
}

// pictured is a person with up to three photographs of any size.
func pictured(i int) *record.Record {
	p := person(i)
	r := rand.New(rand.NewPCG(uint64(i), 8))
	for n := range i % 4 {
		p.Photographs = append(p.Photographs, record.Photograph{Image: picture(uint64(10*i+n), 3+r.IntN(record.MaxPhotograph-2))})
	}
	return p
}

func (b bench) buildPictured(t testing.TB, s Spec, n int, forge func(*Builder)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "generation")
	builder, err := Create(dir, b.ring, b.key, s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := builder.Add(pictured(i)); err != nil {
			t.Fatal(err)
		}
	}
	forge(builder)
	if _, err := builder.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	return dir
}

func untouched(*Builder) {}

// photographsOf reads every photograph of the first n persons.
func photographsOf(g *Generation, n int) (read int, err error) {
	for i := range n {
		want := pictured(i)
		r, err := g.ByID(want.ID)
		if err != nil {
			return read, err
		}
		for k := range r.Photographs {
			got, err := g.Photograph(r, k)
			if err != nil {
				return read, err
			}
			if !bytes.Equal(got, want.Photographs[k].Image) {
				return read, errors.New("another picture")
			}
			read++
		}
	}
	return read, nil
}

func TestPhotographs(t *testing.T) {
	b := newBench(t)
	const n = 40
	dir := b.buildPictured(t, spec("bench", 7), n, untouched)
	g, err := OpenFolder(dir, b.key)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if read, err := photographsOf(g, n); err != nil || read != 60 || g.m.Photographs != 60 {
		t.Errorf("%d of %d photographs, %v", read, g.m.Photographs, err)
	}
	if err := g.Verify(ctx); err != nil {
		t.Error(err)
	}
	r, err := g.ByID(pictured(3).ID)
	if err != nil || len(r.Photographs) != 3 || r.Photographs[0].Image != nil {
		t.Fatalf("%v, %v", r, err)
	}
	for _, k := range []int{-1, 3} {
		if _, err := g.Photograph(r, k); !errors.Is(err, ErrNoPhotograph) {
			t.Errorf("photograph %d: %v", k, err)
		}
	}
	// A post takes it whole, and one without photographs has no such file.
	d, err := OpenDir(ctx, filepath.Join(t.TempDir(), "list"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Adopt(ctx, dir, "bench", b.key, 0); err != nil {
		t.Error(err)
	}
	plain := b.build(t, spec("bench", 8), n)
	if _, err := os.Stat(filepath.Join(plain, photographsName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a list without photographs: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(plain, metaName))
	if err != nil || !bytes.HasPrefix(raw, []byte(`{"format":2,`)) {
		t.Errorf("a list without photographs is not of the form it was: %.20s, %v", raw, err)
	}
}

// TestPhotographsInFiles sorts more than is held in memory.
func TestPhotographsInFiles(t *testing.T) {
	b := newBench(t)
	dir := b.buildPictured(t, spec("bench", 7), 40, func(b *Builder) {
		if err := b.pictures.open(); err != nil {
			t.Fatal(err)
		}
	})
	g, err := OpenFolder(dir, b.key)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := photographsOf(g, 40); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*spill*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPhotographsRefused(t *testing.T) {
	b := newBench(t)
	builder, err := Create(filepath.Join(t.TempDir(), "g"), b.ring, b.key, spec("bench", 7))
	if err != nil {
		t.Fatal(err)
	}
	defer builder.Abort()
	for name, c := range map[string]struct {
		edit func(*record.Record)
		code fault.Code
	}{
		"not read yet": {func(r *record.Record) { r.Photographs[0] = record.Photograph{File: "a.jpg"} }, "record.invalid"},
		"no JPEG":      {func(r *record.Record) { r.Photographs[0].Image = []byte("<svg onload=x>") }, "record.invalid"},
		"too large":    {func(r *record.Record) { r.Photographs[0].Image = picture(1, record.MaxPhotograph+1) }, "record.invalid"},
		"a print":      {func(r *record.Record) { r.Prints = []record.Print{{File: "a.wsq"}} }, "record.invalid"},
		"digest alone": {func(r *record.Record) { r.Photographs[0] = record.Photograph{SHA256: make([]byte, 32)} }, "store.photograph"},
	} {
		t.Run(name, func(t *testing.T) {
			r := pictured(1)
			c.edit(r)
			wantCode(t, builder.Add(r), c.code)
		})
	}
}

// TestAttackPhotographs changes where photographs lie, as one who can write the
// disk would: no picture is ever shown that is not the record's own.
func TestAttackPhotographs(t *testing.T) {
	b := newBench(t)
	const n = 40 // sixty photographs
	good := b.buildPictured(t, spec("bench", 7), n, untouched)
	older := b.buildPictured(t, spec("bench", 6), n, untouched)
	foreign := b.buildPictured(t, spec("other", 7), n, untouched)
	block := func(raw []byte, i int) []byte { return raw[i*blockSize:][:blockSize] }
	from := func(dir, name string) []byte {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, raw []byte) []byte
	}{
		{"two photographs exchanged", func(_ *testing.T, raw []byte) []byte {
			held := bytes.Clone(block(raw, 10))
			copy(block(raw, 10), block(raw, 11))
			copy(block(raw, 11), held)
			return raw
		}},
		{"photograph doubled", func(_ *testing.T, raw []byte) []byte { copy(block(raw, 5), block(raw, 4)); return raw }},
		{"photograph of an older generation", func(_ *testing.T, raw []byte) []byte {
			copy(block(raw, 3), block(from(older, photographsName), 3))
			return raw
		}},
		{"photograph of another list", func(_ *testing.T, raw []byte) []byte {
			copy(block(raw, 3), block(from(foreign, photographsName), 3))
			return raw
		}},
		{"block of records in its place", func(_ *testing.T, raw []byte) []byte {
			copy(block(raw, 3), block(from(good, recordsName), 0))
			return raw
		}},
		{"photograph zeroed", func(_ *testing.T, raw []byte) []byte { clear(block(raw, 30)); return raw }},
		{"bit of a photograph changed", func(_ *testing.T, raw []byte) []byte { block(raw, 30)[9000] ^= 1; return raw }},
		{"all moved by one block", func(_ *testing.T, raw []byte) []byte { copy(raw[blockSize:], bytes.Clone(raw)); return raw }},
		{"all moved by one byte", func(_ *testing.T, raw []byte) []byte { copy(raw[1:], bytes.Clone(raw)); return raw }},
		{"truncated", func(_ *testing.T, raw []byte) []byte { return raw[:20*blockSize] }},
		{"truncated within a photograph", func(_ *testing.T, raw []byte) []byte { return raw[:20*blockSize+100] }},
		{"emptied", func(*testing.T, []byte) []byte { return nil }},
		{"a block added", func(_ *testing.T, raw []byte) []byte { return append(raw, block(raw, 0)...) }},
		{"whole file of an older generation", func(*testing.T, []byte) []byte { return from(older, photographsName) }},
		{"whole file of another list", func(*testing.T, []byte) []byte { return from(foreign, photographsName) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyTree(t, good)
			edit(t, filepath.Join(dir, photographsName), func(raw []byte) []byte { return c.spoil(t, raw) })
			g, err := OpenFolder(dir, b.key)
			if err == nil {
				defer g.Close()
				_, err = photographsOf(g, n)
			}
			wantCode(t, err, "store.damaged")
			refuseAdoption(t, b, dir)
		})
	}
	for name, spoil := range map[string]func(t *testing.T, path string) error{
		"file removed": func(_ *testing.T, path string) error { return os.Remove(path) },
		"file is a link": func(_ *testing.T, path string) error {
			return errors.Join(os.Remove(path), os.Symlink("/dev/zero", path))
		},
		"file is a folder": func(_ *testing.T, path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyTree(t, good)
			if err := spoil(t, filepath.Join(dir, photographsName)); err != nil {
				t.Fatal(err)
			}
			_, err := OpenFolder(dir, b.key)
			wantCode(t, err, "store.damaged")
			refuseAdoption(t, b, dir)
		})
	}
	t.Run("exchanged on an open list", func(t *testing.T) {
		dir := copyTree(t, good)
		g, err := OpenFolder(dir, b.key)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		h, err := os.OpenFile(filepath.Join(dir, photographsName), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.WriteAt(from(older, photographsName), 0)
		if err := errors.Join(err, h.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = photographsOf(g, n)
		wantCode(t, err, "store.damaged")
	})
	t.Run("meta of the older form", func(t *testing.T) {
		dir := copyTree(t, good)
		edit(t, filepath.Join(dir, metaName), func(raw []byte) []byte { return bytes.Replace(raw, []byte(`"format":3`), []byte(`"format":2`), 1) })
		_, err := OpenFolder(dir, b.key)
		wantCode(t, err, "store.damaged")
	})
}

// refuseAdoption checks that no post takes a folder.
func refuseAdoption(t *testing.T, b bench, dir string) {
	t.Helper()
	d, err := OpenDir(ctx, filepath.Join(t.TempDir(), "list"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = d.Adopt(ctx, dir, "bench", b.key, 7)
	wantCode(t, err, "store.damaged")
	_, err = d.Current()
	wantCode(t, err, "store.empty")
}

// TestAttackForgedPhotographs lets one who builds the generation, with its key,
// give a record another's picture.
func TestAttackForgedPhotographs(t *testing.T) {
	key := func(t *testing.T, b *Builder, i, n int) RecordKey {
		k, err := b.seal.photographKey(pictured(i).ID, n)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	held := func(t *testing.T, b *Builder, k RecordKey) *item {
		for i := range b.pictures.held {
			if b.pictures.held[i].key == k {
				return &b.pictures.held[i]
			}
		}
		t.Fatal("no such photograph")
		return nil
	}
	for _, c := range []struct {
		name  string
		forge func(t *testing.T, b *Builder)
	}{
		{"photograph of another record", func(t *testing.T, b *Builder) {
			held(t, b, key(t, b, 1, 0)).sealed = held(t, b, key(t, b, 2, 0)).sealed
		}},
		{"photograph of another record, sealed for this one", func(t *testing.T, b *Builder) {
			k := key(t, b, 1, 0)
			sealed, err := b.key.Seal(nil, pictured(2).Photographs[0].Image, b.seal.photographIdentity(k))
			if err != nil {
				t.Fatal(err)
			}
			held(t, b, k).sealed = sealed
		}},
		{"two photographs of one record exchanged", func(t *testing.T, b *Builder) {
			x, y := held(t, b, key(t, b, 3, 0)), held(t, b, key(t, b, 3, 1))
			x.sealed, y.sealed = y.sealed, x.sealed
		}},
		{"photograph of another edition", func(t *testing.T, b *Builder) {
			k := key(t, b, 1, 0)
			sealed, err := b.key.Seal(nil, picture(999, 5000), b.seal.photographIdentity(k))
			if err != nil {
				t.Fatal(err)
			}
			held(t, b, k).sealed = sealed
		}},
		{"photograph without bytes", func(t *testing.T, b *Builder) { held(t, b, key(t, b, 1, 0)).sealed = nil }},
		{"photograph cut", func(t *testing.T, b *Builder) {
			it := held(t, b, key(t, b, 1, 0))
			it.sealed = it.sealed[:len(it.sealed)-1]
		}},
		{"photograph taken out", func(t *testing.T, b *Builder) {
			held(t, b, key(t, b, 1, 0)).key = RecordKey{}
		}},
		{"more promised than there are", func(_ *testing.T, b *Builder) { b.m.Photographs++ }},
		{"more promised than the file has room for", func(_ *testing.T, b *Builder) { b.m.Photographs = 1 << 40 }},
		{"fewer promised than there are", func(_ *testing.T, b *Builder) { b.m.Photographs -= 30 }},
		{"none promised", func(_ *testing.T, b *Builder) { b.m.Photographs = 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newBench(t)
			dir := k.buildPictured(t, spec("bench", 7), 40, func(b *Builder) { c.forge(t, b) })
			g, err := OpenFolder(dir, k.key)
			if err == nil {
				defer g.Close()
				err = g.Verify(ctx)
			}
			wantCode(t, err, "store.damaged")
		})
	}
	t.Run("a length that leads outside", func(t *testing.T) {
		k := newBench(t)
		dir := filepath.Join(t.TempDir(), "generation")
		b, err := Create(dir, k.ring, k.key, spec("bench", 7))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(pictured(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Finish(ctx); err != nil {
			t.Fatal(err)
		}
		g, err := OpenFolder(dir, k.key)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		r, err := g.ByID(pictured(1).ID)
		if err != nil {
			t.Fatal(err)
		}
		pk, err := g.seal.photographKey(r.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, length := range []uint32{blockContent, 1 << 31, 1<<32 - 1, 0, vault.Overhead} {
			plain := make([]byte, blockContent)
			copy(plain, pk[:])
			binary.BigEndian.PutUint32(plain[len(pk):], length)
			sealed, err := g.key.Seal(nil, plain, photographBlock(g.m, 0))
			if err != nil {
				t.Fatal(err)
			}
			edit(t, filepath.Join(dir, photographsName), func(raw []byte) []byte { copy(raw, sealed); return raw })
			_, err = g.Photograph(r, 0)
			wantCode(t, err, "store.damaged")
		}
	})
}

func BenchmarkPhotograph(b *testing.B) {
	k := newBench(b)
	dir := k.buildPictured(b, spec("bench", 7), 2000, untouched)
	g, err := OpenFolder(dir, k.key)
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	r, err := g.ByID(pictured(3).ID)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := g.Photograph(r, 2); err != nil {
			b.Fatal(err)
		}
	}
}
