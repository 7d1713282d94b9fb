package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
	swtpm "github.com/watchpost/watchpost/hwtest/tpm"
)

// keyBox is a state folder, a TPM, and the files that commands are given.
type keyBox struct {
	t          *testing.T
	dir, state string
	chip       string
}

func newKeyBox(t *testing.T) *keyBox {
	dir := t.TempDir()
	return &keyBox{t: t, dir: dir, state: filepath.Join(dir, "state"), chip: swtpm.ForTest(t, "").Address()}
}

func (b *keyBox) file(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// keys runs a keys command and returns what it printed.
func (b *keyBox) keys(code fault.Code, args ...string) []byte {
	b.t.Helper()
	root := &cobra.Command{Use: "watchpost", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(keysCommand())
	root.SetArgs(append(append([]string{"keys"}, args...), "--state", b.state))
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	if err := root.ExecuteContext(b.t.Context()); fault.CodeOf(err) != code {
		b.t.Fatalf("keys %v ends in %q (%v), want %q", args, fault.CodeOf(err), err, code)
	}
	return out.Bytes()
}

// by are the flags of a way in by the TPM of the box.
func (b *keyBox) by(pinFile string, args ...string) []string {
	return append(args, "--tpm", b.chip, "--pin-file", pinFile)
}

func (b *keyBox) state1() keyState {
	b.t.Helper()
	var s keyState
	if err := json.Unmarshal(b.keys(""), &s); err != nil {
		b.t.Fatal(err)
	}
	return s
}

func pemFile(t *testing.T, path, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeysChangePINAndOfficers(t *testing.T) {
	b := newKeyBox(t)
	first, second, wrong, annas := b.file("first", "482913"), b.file("second", "995521"), b.file("wrong", "000000"), b.file("annas", "annas-pin")
	b.keys("", b.by(first, "init")...)
	b.keys("usage", b.by(first, "pin")...)
	b.keys("usage", b.by(first, "pin", "--new-passphrase-file", second)...)
	b.keys("vault.pin", b.by(wrong, "pin", "--new-pin-file", second)...)
	b.keys("vault.pin_short", b.by(first, "pin", "--new-pin-file", b.file("short", "123"))...)
	b.keys("", b.by(first, "pin", "--new-pin-file", second)...)
	b.keys("vault.pin", b.by(first)...)
	b.keys("", b.by(second)...)

	b.keys("", b.by(second, "add", "--new-officer", "anna", "--new-pin-file", annas)...)
	b.keys("vault.slot_exists", b.by(second, "add", "--new-officer", "anna", "--new-pin-file", annas)...)
	b.keys("", b.by(annas, "--officer", "anna")...)
	b.keys("vault.unlocker", b.by(annas, "--officer", "ben")...)
	b.keys("", b.by(annas, "pin", "--officer", "anna", "--new-pin-file", first)...)
	b.keys("", b.by(first, "--officer", "anna")...)
	b.keys("", b.by(second)...) // the other's stays
	if ways := b.state1().UnlockBy; len(ways) != 2 {
		t.Errorf("ways in: %v", ways)
	}
	b.keys("vault.unlocker", b.by(second, "remove", "--kind", "tpm", "--name", "ben")...)
	b.keys("", b.by(second, "remove", "--kind", "tpm", "--name", "anna")...)
	b.keys("vault.unlocker", b.by(first, "--officer", "anna")...)
	b.keys("vault.last_slot", b.by(second, "remove", "--kind", "tpm")...)

	// A passphrase changes the same way.
	p := newKeyBox(t)
	old, next := p.file("old", "correct horse"), p.file("next", "battery staple")
	p.keys("", "init", "--passphrase-file", old)
	p.keys("usage", "pin", "--passphrase-file", old, "--new-pin-file", next)
	p.keys("", "pin", "--passphrase-file", old, "--new-passphrase-file", next)
	p.keys("vault.passphrase", "--passphrase-file", old)
	p.keys("", "--passphrase-file", next)
}

func TestKeysRotate(t *testing.T) {
	b := newKeyBox(t)
	pin := b.file("pin", "482913")
	b.keys("", b.by(pin, "init")...)
	link := b.keys("", b.by(pin, "link")...)
	var before, after keyState
	if err := json.Unmarshal(b.keys("", b.by(pin)...), &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.keys("", b.by(pin, "rotate")...), &after); err != nil {
		t.Fatal(err)
	}
	if before.Device == after.Device || after.Rotating {
		t.Errorf("device %s, before %s, rotating %v", after.Device, before.Device, after.Rotating)
	}
	if again := b.keys("", b.by(pin, "link")...); !bytes.Equal(link, again) {
		t.Error("central would not know the post any more")
	}
}

func TestKeysEscrowAndRecover(t *testing.T) {
	b := newKeyBox(t)
	pin, fresh := b.file("pin", "482913"), b.file("fresh", "995521")
	var private, public [3]string
	for i := range private {
		key, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(b.dir, string(rune('a'+i)))
		der, err := x509.MarshalPKCS8PrivateKey(key)
		private[i] = pemFile(t, name, "PRIVATE KEY", der, err)
		der, err = x509.MarshalPKIXPublicKey(key.PublicKey())
		public[i] = pemFile(t, name+".pub", "PUBLIC KEY", der, err)
	}
	out := filepath.Join(b.dir, "escrow")
	b.keys("", b.by(pin, "init")...)
	b.keys("escrow.persons", b.by(pin, "escrow", "--person", public[0], "--out", out)...)
	b.keys("", b.by(pin, "escrow", "--person", public[0], "--person", public[1], "--person", public[2], "--out", out)...)
	b.keys("escrow.file", b.by(pin, "escrow", "--person", public[0], "--person", public[1], "--out", out)...) // never over a file
	link := b.keys("", b.by(pin, "link")...)

	broken := b.chip
	b.chip = swtpm.ForTest(t, "").Address() // another board
	b.keys("tpm.other", b.by(pin)...)
	persons := func(who ...int) []string {
		args := []string{"recover", "--escrow", out}
		for _, i := range who {
			args = append(args, "--escrow-key", private[i])
		}
		return args
	}
	b.keys("escrow.persons", b.by(fresh, persons(0)...)...)
	b.keys("escrow.persons", b.by(fresh, persons(1, 1)...)...)
	b.keys("usage", persons(0, 2)...)
	b.keys("", b.by(fresh, persons(0, 2)...)...)
	b.keys("", b.by(fresh)...)
	if again := b.keys("", b.by(fresh, "link")...); !bytes.Equal(link, again) {
		t.Error("the recovered vault holds other keys")
	}
	b.chip = broken
	b.keys("tpm.other", b.by(pin)...) // the old way in is gone
	if ways := b.state1().UnlockBy; len(ways) != 2 {
		t.Errorf("ways in: %v", ways)
	}
	b.keys("", append(persons(1, 2), "--passphrase-file", b.file("passphrase", "correct horse"))...) // and a box without a TPM
}

func TestKeysSignedBoot(t *testing.T) {
	b := newKeyBox(t)
	pin := b.file("pin", "482913")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	maker := pemFile(t, filepath.Join(b.dir, "maker"), "PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(&key.PublicKey)
	public := pemFile(t, filepath.Join(b.dir, "maker.pub"), "PUBLIC KEY", der, err)
	var boot bootValues
	if err := json.Unmarshal(b.keys("", "boot", "--tpm", b.chip), &boot); err != nil || len(boot) != 2 {
		t.Fatalf("boot %v, %v", boot, err)
	}
	sign := []string{"boot", "sign", "--key", maker, "--image", "test 1", "--pcr", "7=" + boot["7"]}
	b.keys("usage", sign...)
	b.keys("usage", append(sign, "--pcr", "11=zz")...)
	b.keys("tpm.boot_values", append(sign, "--pcr", "11=00")...)
	b.keys("tpm.boot_key", "boot", "sign", "--key", public, "--image", "x", "--pcr", "7="+boot["7"], "--pcr", "11="+boot["11"])
	line := b.keys("", append(sign, "--pcr", "11="+boot["11"])...)

	b.keys("tpm.boot_key", b.by(pin, "init", "--boot-key", maker)...)
	b.keys("usage", "init", "--passphrase-file", pin, "--boot-key", public)
	b.keys("tpm.policy", b.by(pin, "init", "--boot-key", public)...) // this boot is not signed yet
	if err := os.WriteFile(filepath.Join(b.state, tpm.BootFile), line, 0o600); err != nil {
		t.Fatal(err)
	}
	b.keys("", b.by(pin, "init", "--boot-key", public)...)
	b.keys("", b.by(pin)...)
	b.keys("", b.by(pin, "add", "--new-officer", "anna", "--new-pin-file", pin)...) // under signed boots as well
	b.keys("", b.by(pin, "--officer", "anna")...)
	if err := os.Remove(filepath.Join(b.state, tpm.BootFile)); err != nil {
		t.Fatal(err)
	}
	b.keys("tpm.policy", b.by(pin)...)
	b.keys("tpm.policy", b.by(pin, "--officer", "anna")...)
}

func TestKeysWithoutDaemon(t *testing.T) {
	b := newKeyBox(t)
	b.keys("vault.missing")
	b.keys("post.not_running", "lock")
	b.keys("post.not_running", "unlock", "--passphrase-file", b.file("p", "correct horse"))
	b.keys("usage", "init", "--unlock", "lease", "--tpm", b.chip) // no configuration
	b.keys("", "init", "--passphrase-file", filepath.Join(b.dir, "p"))
	if s := b.state1(); !s.Locked || s.Daemon != nil || len(s.UnlockBy) != 1 || s.UnlockBy[0] != (vault.Way{Kind: "passphrase"}) {
		t.Errorf("state without opening: %+v", s)
	}
}
