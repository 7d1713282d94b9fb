package signer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

var right = []byte("correct horse battery")

func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anna.key")
	made, err := Create(path, "anna", right)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, right)
	if err != nil {
		t.Fatal(err)
	}
	if again.Name != "anna" || !again.Private().Equal(made.Private()) {
		t.Error("another key was opened")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !Is(raw) || Is([]byte("{}")) || bytes.Contains(raw, made.Private().Seed()) {
		t.Error("the file is not sealed, or not told from others")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if s := fmt.Sprintf("%v %+v %#v", made, made, made); s != "[signing key] [signing key] [signing key]" {
		t.Errorf("formatted: %s", s)
	}
}

func TestAttackKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anna.key")
	if _, err := Create(path, "anna", right); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		raw, words []byte
		code       fault.Code
	}{
		{"wrong passphrase", raw, []byte("wrong horse battery"), "signer.passphrase"},
		{"no passphrase", raw, nil, "signer.passphrase"},
		{"another's name", bytes.Replace(raw, []byte(`"anna"`), []byte(`"boris"`), 1), right, "signer.passphrase"},
		{"memory beyond the machine", bytes.Replace(raw, []byte(`"memory_kib":65536`), []byte(`"memory_kib":4000000000`), 1), right, "signer.format"},
		{"passes without end", bytes.Replace(raw, []byte(`"passes":3`), []byte(`"passes":4000000000`), 1), right, "signer.format"},
		{"no lanes", bytes.Replace(raw, []byte(`"lanes":4`), []byte(`"lanes":0`), 1), right, "signer.format"},
		{"unknown key", bytes.Replace(raw, []byte(`{`), []byte(`{"x":1,`), 1), right, "signer.format"},
		{"cut", raw[:len(raw)/2], right, "signer.format"},
		{"empty", nil, right, "signer.format"},
		{"huge", bytes.Repeat([]byte(" "), maxFile+1), right, "signer.format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Decode(c.raw, c.words); !errors.Is(err, &fault.Error{Code: c.code}) {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
	t.Run("overwriting", func(t *testing.T) {
		if _, err := Create(path, "mallory", right); fault.CodeOf(err) != "signer.file" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("short passphrase", func(t *testing.T) {
		if _, err := Create(path+"2", "anna", []byte("short")); fault.CodeOf(err) != "signer.weak" {
			t.Errorf("got %v", err)
		}
	})
}
