package trust_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/document/trust"
)

func TestOpen(t *testing.T) {
	if _, err := trust.Open(t.TempDir()); !errors.Is(err, trust.ErrNoStore) {
		t.Errorf("empty folder: %v", err)
	}
	u := newState(t, "UT")
	for name, damage := range map[string]func(string) string{
		"cut off":          func(s string) string { return s[:len(s)/2] },
		"empty":            func(string) string { return "" },
		"other version":    func(s string) string { return strings.Replace(s, `"version":1`, `"version":2`, 1) },
		"other kind":       func(s string) string { return strings.Replace(s, `"kind":"csca"`, `"kind":"root"`, 1) },
		"changed bytes":    func(s string) string { return strings.Replace(s, `"der":"MII`, `"der":"MIA`, 1) },
		"other print":      func(s string) string { return strings.Replace(s, `"fingerprint":"`, `"fingerprint":"0`, 1) },
		"other CRL digest": func(s string) string { return strings.Replace(s, `"digest":"`, `"digest":"0`, 1) },
	} {
		b := newBench(t)
		b.take(u.rootRaw)
		b.take(u.crl(now, 1))
		path := filepath.Join(b.dir, "trust.json")
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := damage(string(raw))
		if changed == string(raw) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := trust.Open(b.dir); !errors.Is(err, trust.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := trust.NewImporter(context.Background(), b.dir, nil); !errors.Is(err, trust.ErrDamaged) {
			t.Errorf("%s: import: %v", name, err)
		}
	}
}

func TestLockAndCommit(t *testing.T) {
	u, b := newState(t, "UT"), newBench(t)
	im, err := trust.NewImporter(context.Background(), b.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.NewImporter(context.Background(), b.dir, nil); !errors.Is(err, trust.ErrLocked) {
		t.Errorf("second import: %v", err)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := trust.NewImporter(canceled, b.dir, nil); !errors.Is(err, trust.ErrLocked) {
		t.Errorf("second import, canceled: %v", err)
	}
	if _, err := im.Import("root.cer", u.rootRaw); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Open(b.dir); !errors.Is(err, trust.ErrNoStore) {
		t.Errorf("readers see what was not committed: %v", err)
	}
	if err := im.Commit(); err != nil {
		t.Fatal(err)
	}
	before := b.open()
	if _, err := im.Import("next.cer", u.nextRaw); err != nil {
		t.Fatal(err)
	}
	im.Close() // forgets next.cer
	b.take(u.linkRaw)
	if len(before.Entries()) != 1 || len(b.open().Entries()) != 2 || b.open().Find(parse(t, u.nextRaw)) != nil {
		t.Error("commit and close are mixed up")
	}
	if files, _ := filepath.Glob(filepath.Join(b.dir, "*.new-*")); len(files) != 0 {
		t.Errorf("left over: %v", files)
	}
}

// A write that fails is told and leaves nothing behind.
func TestFailedWrite(t *testing.T) {
	u, b := newState(t, "UT"), newBench(t)
	im, err := trust.NewImporter(context.Background(), b.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	if _, err := im.Import("root.cer", u.rootRaw); err != nil {
		t.Fatal(err)
	}
	// A folder in the place of the index makes the rename fail, for root too.
	if err := os.MkdirAll(filepath.Join(b.dir, "trust.json", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := im.Commit(); !errors.Is(err, trust.ErrWrite) {
		t.Errorf("%v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(b.dir, "*.new-*")); len(files) != 0 {
		t.Errorf("left over: %v", files)
	}
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.NewImporter(context.Background(), file, nil); !errors.Is(err, trust.ErrWrite) {
		t.Errorf("a file in the place of the folder: %v", err)
	}
}

func TestCountryMatches(t *testing.T) {
	for _, x := range []struct {
		country, issuer string
		want            bool
	}{
		{"DE", "D<<", true}, {"de", "D", true}, {"DE", "DEU", true}, {"fr", "FRA", true}, {"EU", "EUE", true}, {"UN", "UNO", true}, {"ZZ", "UNO", true},
		{"UN", "UNK", true}, {"KS", "RKS", true}, {"XK", "RKS", true}, {"GB", "GBD", true}, {"BM", "GBD", true}, {"CN", "CHN", true}, {"HK", "CHN", true},
		{"CHE", "CHE", true}, {" us ", "usa", true}, {"TW", "TWN", true}, {"XO", "XOM", true},
		{"DE", "FRA", false}, {"D", "DE", false}, {"", "D", false}, {"DE", "", false}, {"DE", "<<<", false}, {"EU", "DEU", false}, {"XX", "XXA", false},
		{"XXA", "XXA", false}, {"AB", "ABC", false}, {"ABC", "ABC", false}, {"US", "USAX", false}, {"BM", "GBR", false}, {"SW", "EAF", false}, {"GB", "GB", false},
	} {
		if got := trust.CountryMatches(x.country, x.issuer); got != x.want {
			t.Errorf("%q for %q: %v", x.country, x.issuer, got)
		}
	}
}
