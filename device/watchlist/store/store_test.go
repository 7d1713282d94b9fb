package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/docnumber"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

var ctx = context.Background()

func spec(list string, generation uint64) Spec {
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return Spec{
		List: list, Generation: generation, Owner: "Bench authority", LegalBasis: "act 1", Purpose: "border",
		Handling: record.Handling{Action: record.Refer}, Created: created, Expires: created.AddDate(1, 0, 0),
	}
}

func vector(r *rand.Rand) record.Vector {
	v := make(record.Vector, 128)
	var sum float64
	for i := range v {
		v[i] = float32(r.NormFloat64())
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// person makes a record whose every part follows from i.
func person(i int) *record.Record {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	p := &record.Record{
		Schema: 1, ID: fmt.Sprintf("P-%06d", i), Edition: 1,
		Names: []record.Name{{Primary: fmt.Sprintf("Name%d", i), Script: "Latn", Kind: record.NamePrimary, Quality: record.NameGood}},
	}
	for range i % 4 {
		p.Faces = append(p.Faces, record.Face{Model: "m", Version: "1", Vector: vector(r), Images: 1})
	}
	for j := range i % 3 {
		p.Documents = append(p.Documents, record.Document{Type: "P", Issuer: "UTO", Number: fmt.Sprintf("NUMBER%d-%d", i, j), Status: record.DocumentLost})
	}
	if i%5 == 0 {
		p.Owner, p.Handling = "Another authority", record.Handling{Action: record.Protect}
		end := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		p.Expires = &end
	}
	return p
}

func sequence(n int, make func(int) *record.Record) iter.Seq2[*record.Record, error] {
	return func(yield func(*record.Record, error) bool) {
		for i := range n {
			if !yield(make(i), nil) {
				return
			}
		}
	}
}

// bench holds a ring and a list key.
type bench struct {
	ring *vault.Ring
	key  *vault.Key
}

func newBench(t testing.TB) bench {
	t.Helper()
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	key, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	return bench{ring, key}
}

func (b bench) build(t testing.TB, s Spec, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "generation")
	builder, err := Create(dir, b.ring, b.key, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := builder.AddAll(ctx, sequence(n, person)); err != nil {
		t.Fatal(err)
	}
	if _, err := builder.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	return dir
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !errors.Is(err, &fault.Error{Code: code}) {
		t.Fatalf("got %v, want code %s", err, code)
	}
}

func TestEverythingComesBack(t *testing.T) {
	b := newBench(t)
	const n = 600
	dir := b.build(t, spec("bench", 1), n)
	g, err := OpenFolder(dir, b.key)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	faces, err := g.LoadFaces(ctx)
	if err != nil {
		t.Fatal(err)
	}
	table, err := g.LoadDocuments(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(faces) != 1 || faces[0].Model != "m" || g.Manifest().Records != n {
		t.Fatalf("manifest %+v", g.Manifest())
	}
	for i := range n {
		want := g.Manifest().fill(*person(i))
		got, err := g.ByID(want.ID)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("record %d: %v, %v", i, got, err)
		}
		if i%97 != 0 {
			continue
		}
		for _, f := range want.Faces {
			hits, err := faces[0].Gallery.Search(ctx, gallery.Query{Probes: []gallery.Template{gallery.Template(f.Vector)}, Top: 1, Least: 0.999})
			if err != nil || len(hits) != 1 {
				t.Fatalf("face of record %d: %v, %v", i, hits, err)
			}
			if r, err := g.Get(faces[0].Records[hits[0].Person]); err != nil || r.ID != want.ID {
				t.Fatalf("face of %d leads to %v, %v", i, r, err)
			}
		}
		for _, d := range want.Documents {
			doc, err := docnumber.Normalise(d.Type, d.Issuer, d.Number)
			if err != nil {
				t.Fatal(err)
			}
			h, err := docnumber.HashOf(g.Index(), doc)
			if err != nil {
				t.Fatal(err)
			}
			found := table.Lookup(h)
			if len(found) != 1 {
				t.Fatalf("document of record %d: %v", i, found)
			}
			keys, err := g.At(found[0])
			if err != nil || len(keys) != 1 {
				t.Fatalf("%v, %v", keys, err)
			}
			if r, err := g.Get(keys[0]); err != nil || r.ID != want.ID {
				t.Fatalf("document of %d leads to %v, %v", i, r, err)
			}
		}
	}
	_, err = g.ByID("P-999999")
	wantCode(t, err, "store.not_found")
}

func TestRefusedAtBuild(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		name string
		edit func(r *record.Record)
		code fault.Code
	}{
		{"no id", func(r *record.Record) { r.ID = "" }, "record.invalid"},
		{"other list", func(r *record.Record) { r.List = "other" }, "store.list"},
		{"other dimensions", func(r *record.Record) { r.Faces[0].Vector = record.Vector{1} }, "store.face"},
		{"number of fillers", func(r *record.Record) { r.Documents[0].Number = "<<<" }, "store.document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			builder, err := Create(filepath.Join(t.TempDir(), "g"), b.ring, b.key, spec("bench", 1))
			if err != nil {
				t.Fatal(err)
			}
			defer builder.Abort()
			r := person(7)
			c.edit(r)
			wantCode(t, builder.Add(r), c.code)
		})
	}
	t.Run("same id twice", func(t *testing.T) {
		parent := t.TempDir()
		builder, err := Create(filepath.Join(parent, "g"), b.ring, b.key, spec("bench", 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(builder.Add(person(1)), builder.Add(person(1))); err != nil {
			t.Fatal(err)
		}
		_, err = builder.Finish(ctx)
		wantCode(t, err, "store.duplicate")
		if left, _ := os.ReadDir(parent); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	for name, s := range map[string]Spec{
		"no number": spec("bench", 0),
		"no dates":  {List: "bench", Generation: 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Create(filepath.Join(t.TempDir(), "g"), b.ring, b.key, s)
			wantCode(t, err, "store.spec")
		})
	}
	for _, list := range []string{"", "../x", "A", ".", "a/b", strings.Repeat("a", 65)} {
		_, err := Create(filepath.Join(t.TempDir(), "g"), b.ring, b.key, spec(list, 1))
		wantCode(t, err, "store.list")
	}
	existing := b.build(t, spec("bench", 1), 1)
	_, err := Create(existing, b.ring, b.key, spec("bench", 1))
	wantCode(t, err, "store.exists")
}

// Nothing of a record may be readable, nor guessable by its hash.
func TestNothingInClear(t *testing.T) {
	b := newBench(t)
	dir := b.build(t, spec("bench", 1), 30)
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, secret := range []string{"Name7", "P-000007", "Bench authority", "act 1", `"UTO"`, "NUMBER7-0", "NUMBER70", `"id"`} {
			if strings.Contains(string(raw), secret) {
				t.Errorf("%s holds %q", e.Name(), secret)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzMeta(f *testing.F) {
	// Small on purpose: the fuzzer spends its time on shrinking large finds.
	raw := []byte(`{"format":2,"list":"bench","generation":7,"key":"AAAA","sealed":"AAAA"}`)
	f.Add(raw, []byte(`{"schema":1,"list":"bench","generation":1,"files":[{"name":"records.db","sha256":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, head, manifest []byte) {
		h, err := decodeHeader(head)
		if err != nil {
			if fault.CodeOf(err) == fault.Unknown {
				t.Fatal(err)
			}
			h = &header{List: "bench", Generation: 1}
		}
		m, err := decodeManifest(manifest, h)
		if err == nil {
			for _, f := range m.Files {
				if strings.ContainsAny(f.Name, "/\\") || f.Name == ".." {
					t.Fatalf("file name %q leaves the folder", f.Name)
				}
			}
		} else if fault.CodeOf(err) == fault.Unknown {
			t.Fatal(err)
		}
	})
}
