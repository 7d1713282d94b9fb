package store

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/audittest"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/fault"
)

var errShut = &fault.Error{Code: "vault.locked"}

// signed is a store that signs every third line; the key shuts when *open is
// false.
func signed(t *testing.T, dir string, open *bool, failed *[]error) *Store {
	t.Helper()
	s, err := Open(dir, newGCM(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	key := audittest.Key("p")
	signer := &checkpoint.Signer{Origin: checkpoint.Origin("p"), Public: key.Public().(ed25519.PublicKey), Seed: func() ([]byte, error) {
		if !*open {
			return nil, errShut
		}
		return key.Seed(), nil
	}}
	s.SignHeads(&audit.Signing{Signer: signer, EveryLines: 3}, func() time.Time { return time.Unix(1000, 0) }, func(err error) { *failed = append(*failed, err) })
	return s
}

func rules(t *testing.T) audit.Rules {
	t.Helper()
	v, err := checkpoint.ParseKey(checkpoint.Key(checkpoint.Origin("p"), audittest.Key("p").Public().(ed25519.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	return audit.Rules{Origin: checkpoint.Origin("p"), Key: v}
}

func TestHeadsAreSignedInTheTransactionOfTheirLines(t *testing.T) {
	dir, open, failed := t.TempDir(), true, []error(nil)
	s := signed(t, dir, &open, &failed)
	for i := range 7 {
		if err := s.Commit(Change{Audit: []audit.Line{line(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	heads, err := s.Heads(0, 100)
	if err != nil || len(heads) != 2 {
		t.Fatalf("%d heads after 7 lines, want 2: %v", len(heads), err)
	}
	if err := s.SignHead(checkpoint.Stop, line(7)); err != nil {
		t.Fatal(err)
	}
	last, held, err := s.LastHead()
	if err != nil || !held || last.Number != 2 || last.Lines != 8 || last.Why != checkpoint.Stop {
		t.Errorf("last head %+v %v %v", last, held, err)
	}

	// The vault locks: what officers do is still written, and the head is owed.
	open = false
	for i := range 4 {
		if err := s.Commit(Change{Audit: []audit.Line{line(8 + i)}}); err != nil {
			t.Fatalf("a line was lost with the key: %v", err)
		}
	}
	if len(failed) != 2 || !errors.Is(failed[0], errShut) {
		t.Errorf("told of %v, want two heads that could not be signed", failed)
	}
	if err := s.SignHead(checkpoint.Lock); !errors.Is(err, errShut) {
		t.Errorf("a head without a key: %v", err)
	}
	if err := s.SetMark("central", Mark{3, 8}); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Mark("central"); err != nil || m != (Mark{3, 8}) {
		t.Errorf("mark %+v %v", m, err)
	}
	if m, err := s.Mark("medium"); err != nil || m != (Mark{}) {
		t.Errorf("mark of another %+v %v", m, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	err = ReadAudit(dir, func(s *Store) error {
		own, err := s.Heads(0, 100)
		if err != nil {
			return err
		}
		head, all, err := s.CheckAudit(rules(t), audit.Evidence{Source: "post", Heads: own})
		if err != nil || head.Lines != 12 || all[0].Err != nil || all[0].Covers != 8 {
			t.Errorf("%+v %+v %v", head, all, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestReadingTheLogChangesNothing(t *testing.T) {
	dir, open, failed := t.TempDir(), true, []error(nil)
	s := signed(t, dir, &open, &failed)
	if err := s.Commit(Change{Audit: []audit.Line{line(0)}}); err != nil {
		t.Fatal(err)
	}
	if err := ReadAudit(dir, func(*Store) error { return nil }); !errors.Is(err, ErrLocked) {
		t.Errorf("read beside an open post: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "post.db")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := ReadAudit(dir, func(s *Store) error { _, err := s.AuditLines(0, 10); return err }); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(before) != string(after) {
		t.Errorf("reading has changed the file: %v", err)
	}
	for name, spoil := range map[string]func() error{
		"missing": func() error { return os.Remove(path) },
		"cut":     func() error { return os.WriteFile(path, before[:len(before)/3], 0o600) },
		"empty":   func() error { return os.WriteFile(path, nil, 0o600) },
		"noise":   func() error { return os.WriteFile(path, make([]byte, len(before)), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		code := fault.CodeOf(ReadAudit(dir, func(*Store) error { return nil }))
		if code != "store.unreadable" && code != "store.damaged" {
			t.Errorf("%s: %q", name, code)
		}
		if name == "missing" {
			if _, err := os.Stat(path); err == nil {
				t.Error("reading has made a post.db")
			}
		}
	}
}
