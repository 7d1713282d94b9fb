package vault

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestShred(t *testing.T) {
	v, path := newVault(t)
	v.Lock()
	if _, err := Params(path, Way{Kind: "passphrase"}); err != nil {
		t.Fatal(err)
	}
	_, err := Params(path, Way{Kind: "tpm"})
	wantCode(t, err, "vault.unlocker")

	// A second name of the same file shows what is left on the disk.
	other := filepath.Join(t.TempDir(), "other")
	if err := os.Link(path, other); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := Shred(path); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(left)) != before.Size() || len(bytes.Trim(left, "\x00")) != 0 {
		t.Errorf("%d bytes are left on the disk, not all zero", len(left))
	}
	_, err = Open(context.Background(), path, Passphrase("correct horse"))
	wantCode(t, err, "vault.missing")
	wantCode(t, Shred(path), "vault.missing")
	_, err = Params(path, Way{Kind: "passphrase"})
	wantCode(t, err, "vault.missing")
}

func TestShredDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Params(path, Way{Kind: "tpm"})
	wantCode(t, err, "vault.damaged")
	if err := Shred(path); err != nil {
		t.Fatal(err)
	}
}
