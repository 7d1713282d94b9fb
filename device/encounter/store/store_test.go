package store

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
)

// gcm is a Sealer with a fixed key.
type gcm struct{ cipher.AEAD }

func newGCM(t testing.TB, key byte) gcm {
	t.Helper()
	b, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	a, err := cipher.NewGCMWithRandomNonce(b)
	if err != nil {
		t.Fatal(err)
	}
	return gcm{a}
}

func (g gcm) Seal(id, plain []byte) ([]byte, error)  { return g.AEAD.Seal(nil, nil, plain, id), nil }
func (g gcm) Open(id, sealed []byte) ([]byte, error) { return g.AEAD.Open(nil, nil, sealed, id) }

func line(n int) audit.Line {
	return audit.Line{Time: time.Unix(int64(n), 0), Actor: "o1", Action: audit.OutcomeRecorded, Encounter: fmt.Sprint(n)}
}

func open(t *testing.T, dir string, s Sealer) *Store {
	t.Helper()
	st, err := Open(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func TestNothingInClear(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, newGCM(t, 1))
	secret := []byte("MUSTERMANN<<ERIKA")
	if err := s.Commit(Change{Encounter: "e1", State: secret, Outbox: secret, Audit: []audit.Line{line(1)}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "post.db"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, secret) {
		t.Error("post.db holds the state in clear")
	}
}

func TestFailedStepWritesNothing(t *testing.T) {
	s := open(t, t.TempDir(), broken{newGCM(t, 1)})
	err := s.Commit(Change{Encounter: "e1", State: []byte("x"), Audit: []audit.Line{line(1)}})
	if fault.CodeOf(err) != "store.failed" {
		t.Fatalf("%v", err)
	}
	if h, err := s.AuditHead(); err != nil || h.Lines != 0 {
		t.Errorf("a failed step left %d audit lines (%v)", h.Lines, err)
	}
	if _, err := s.Encounter("e1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a failed step left an encounter: %v", err)
	}
}

// broken seals nothing.
type broken struct{ gcm }

func (broken) Seal(_, _ []byte) ([]byte, error) { return nil, errors.New("no key") }

func TestOtherKeyAndLock(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, newGCM(t, 1))
	if err := s.Commit(Change{Encounter: "e1", State: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, newGCM(t, 1)); !errors.Is(err, ErrLocked) {
		t.Errorf("second opener: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other := open(t, dir, newGCM(t, 2))
	if _, err := other.Encounter("e1"); err == nil {
		t.Error("another key opens the encounter")
	}
}

func TestDamagedFile(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"zeros":     func(b []byte) []byte { return make([]byte, len(b)) },
		"cut":       func(b []byte) []byte { return b[:100] },
		"one page":  func(b []byte) []byte { return b[:4096] },
		"some":      func(b []byte) []byte { return b[:64<<10] }, // the state alone is longer
		"text":      func([]byte) []byte { return []byte("this is no database, but it is long enough to be looked at") },
		"meta hurt": func(b []byte) []byte { copy(b[16:], "XXXXXXXX"); copy(b[4096+16:], "XXXXXXXX"); return b },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, newGCM(t, 1))
			if err := s.Commit(Change{Encounter: "e", State: make([]byte, 100<<10), Audit: []audit.Line{line(1)}}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "post.db")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, newGCM(t, 1)); fault.CodeOf(err) != ErrDamaged.Code || fault.HintOf(err) == "" {
				t.Errorf("code %q, hint %q (%v)", fault.CodeOf(err), fault.HintOf(err), err)
			}
		})
	}
}
