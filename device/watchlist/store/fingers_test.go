package store

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/fingers"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// print is a made-up print of a seed.
func print(seed uint64) *finger.Template {
	r := rand.New(rand.NewPCG(seed, 3))
	all := make([]finger.Minutia, 30)
	for i := range all {
		all[i] = finger.Minutia{X: 300 * r.Float32(), Y: 300 * r.Float32(), Angle: 2 * math.Pi * r.Float32(), Quality: 50}
	}
	return finger.NewTemplate(320, 320, all)
}

func fingerOf(t *testing.T, seed uint64, position int, viewed uint8) record.Finger {
	t.Helper()
	b, err := finger.MarshalISO([]finger.View{{Template: print(seed), Position: viewed}})
	if err != nil {
		t.Fatal(err)
	}
	return record.Finger{Position: position, Format: record.MinutiaeISO19794, Template: b, Impress: record.PressedLive}
}

func builderOf(t *testing.T) (*Builder, *vault.Key, string) {
	t.Helper()
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	key, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "g")
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	b, err := Create(dir, ring, key, Spec{
		List: "prints", Generation: 1, Owner: "o", LegalBasis: "l", Purpose: "p",
		Handling: record.Handling{Action: record.Refer}, Created: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, key, dir
}

func TestFingersOfAGeneration(t *testing.T) {
	b, key, dir := builderOf(t)
	people := map[string][]record.Finger{
		"a": {fingerOf(t, 1, 2, 0), fingerOf(t, 2, 7, 0)},
		"b": {fingerOf(t, 3, 0, 4)}, // the view knows the position
		"c": nil,
	}
	for id, prints := range people {
		r := &record.Record{
			Schema: 1, ID: id, Edition: 1, Fingers: prints,
			Names: []record.Name{{Primary: "X", Script: "Latn", Kind: record.NamePrimary, Quality: record.NameGood}},
		}
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	m, err := b.Finish(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if m.Fingers != (FingerIndex{Version: finger.PackVersion, Prints: 3, Persons: 2}) {
		t.Errorf("manifest %+v", m.Fingers)
	}
	g, err := OpenFolder(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if err := g.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	in, err := g.LoadFingers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		seed     uint64
		position int
		id       string
	}{{1, 2, "a"}, {2, 7, "a"}, {3, 4, "b"}} {
		hits, err := in.Index.Search(t.Context(), fingers.Query{Probes: []fingers.Probe{{Position: c.position, Template: print(c.seed)}}, Top: 1})
		if err != nil || len(hits) != 1 || hits[0].Fingers[0].Position != c.position {
			t.Fatalf("%v, %v", hits, err)
		}
		if r, err := g.Get(in.Records[hits[0].Person]); err != nil || r.ID != c.id {
			t.Errorf("print %d: %v, %v", c.seed, r, err)
		}
	}
	g.m.Fingers.Version++
	if in, err := g.LoadFingers(t.Context()); err != nil || !in.Other || len(in.Records) != 0 {
		t.Errorf("another version: %+v, %v", in, err)
	}
	g.m.Fingers.Version--
	g.m.Fingers.Prints++
	if _, err := g.LoadFingers(t.Context()); fault.CodeOf(err) != "store.damaged" {
		t.Errorf("a print too few: %v", err)
	}
}

func TestAttackFingerTemplates(t *testing.T) {
	b, _, _ := builderOf(t)
	defer b.Abort()
	good := fingerOf(t, 1, 2, 0)
	long, cut := good, good
	long.Template = append(append([]byte(nil), good.Template...), 0)
	cut.Template = good.Template[:len(good.Template)-3]
	for name, f := range map[string]record.Finger{"trailing byte": long, "cut": cut} {
		t.Run(name, func(t *testing.T) {
			r := &record.Record{Schema: 1, ID: name, Edition: 1, Fingers: []record.Finger{good, f}}
			if err := b.Add(r); fault.CodeOf(err) != "store.finger" {
				t.Errorf("error %v", err)
			}
		})
	}
	if b.m.Records != 0 || b.m.Fingers.Prints != 0 {
		t.Errorf("%d records, %d prints after refusals", b.m.Records, b.m.Fingers.Prints)
	}
}

// Rows of chunks that authenticate but make no sense are damage, not a panic.
func TestAttackFingerRows(t *testing.T) {
	row := make([]byte, len(RecordKey{})+8)
	for _, w := range print(1).AppendPacked(nil) {
		for i := range 8 {
			row = append(row, byte(w>>(8*i)))
		}
	}
	position := append([]byte(nil), row...)
	position[len(RecordKey{})] = 11
	head := append([]byte(nil), row...)
	head[len(RecordKey{})+8] = 0xff
	for name, raw := range map[string][]byte{
		"cut": row[:len(row)-1], "header only": row[:20], "position": position, "sizes": head, "rest": append(append([]byte(nil), row...), 1, 2, 3),
	} {
		t.Run(name, func(t *testing.T) {
			l := fingerLoader{to: &Fingers{Index: fingers.New()}}
			if err := l.add(raw); fault.CodeOf(err) != "store.damaged" {
				t.Errorf("error %v", err)
			}
		})
	}
}
