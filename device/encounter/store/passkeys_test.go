package store

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/fault"
)

func TestPasskeysAreKeptSealedWithTheirAuditLine(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, newGCM(t, 1))
	if raw, err := s.Passkeys("o1"); raw != nil || err != nil {
		t.Errorf("an officer without passkeys: %q, %v", raw, err)
	}
	before, err := s.AuditLines(0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, plain := range []string{"first PLANTED", "second PLANTED"} {
		if err := s.SetPasskeys("o1", []byte(plain), line(i)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Passkeys("o1"); err != nil || string(got) != plain {
			t.Errorf("kept %q, read %q, %v", plain, got, err)
		}
	}
	if raw, err := s.Passkeys("o2"); raw != nil || err != nil {
		t.Errorf("another officer's are %q, %v", raw, err)
	}
	after, err := s.AuditLines(0, 100)
	if err != nil || len(after) != len(before)+2 {
		t.Errorf("%d audit lines after %d, %v", len(after), len(before), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, newGCM(t, 1))
	if got, err := s.Passkeys("o1"); err != nil || string(got) != "second PLANTED" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	s.Close()
	other := open(t, dir, newGCM(t, 2))
	if got, err := other.Passkeys("o1"); err == nil {
		t.Errorf("another key opens %q", got)
	}
}

// TestAttackPasskeysOfAnother moves the sealed passkeys of one officer to
// another in the file, as one who can write the disk would, to sign in as him.
func TestAttackPasskeysOfAnother(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, newGCM(t, 1))
	if err := s.SetPasskeys("thief", []byte("PLANTED"), line(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.db.View(func(tx *bbolt.Tx) error {
		if bytes.Contains(tx.Bucket(bucketPasskeys).Get([]byte("thief")), []byte("PLANTED")) {
			t.Error("it lies open in " + filepath.Base(dir))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, forge := range map[string]func([]byte) []byte{
		"moved":     func(b []byte) []byte { return b },
		"bit":       func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-1] ^= 1; return b },
		"truncated": func(b []byte) []byte { return b[:len(b)-1] },
		"empty":     func([]byte) []byte { return []byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.db.Update(func(tx *bbolt.Tx) error {
				b := tx.Bucket(bucketPasskeys)
				return b.Put([]byte("chief"), forge(bytes.Clone(b.Get([]byte("thief")))))
			}); err != nil {
				t.Fatal(err)
			}
			got, err := s.Passkeys("chief")
			var f *fault.Error
			if err == nil || !errors.As(err, &f) {
				t.Errorf("opened %q, %v", got, err)
			}
		})
	}
}
