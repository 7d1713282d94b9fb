package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
	swtpm "github.com/watchpost/watchpost/hwtest/tpm"
)

// TestAttackDaemonByTPM starts the daemon on a post that has keys and nothing
// else: with the vault open it ends where a post without a provisioning folder
// ends, and without it earlier.
func TestAttackDaemonByTPM(t *testing.T) {
	device, dir, state := swtpm.ForTest(t, "").Address(), t.TempDir(), t.TempDir()
	v, err := vault.Create(context.Background(), filepath.Join(state, install.VaultFile), tpm.Unlocker{Device: device, PIN: []byte("482913")})
	if err != nil {
		t.Fatal(err)
	}
	v.Lock()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	conf := write("post.yaml", `version: 1
post: t
workplace: desk
state: `+state+`
owners:
  - {id: a, public_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}
  - {id: b, public_key: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}
log: {level: error}
`)
	start := func(args ...string) fault.Code {
		cmd := newCommand()
		cmd.SetArgs(append([]string{"--config", conf}, args...))
		cmd.SetIn(bytes.NewReader(nil))
		return fault.CodeOf(cmd.ExecuteContext(context.Background()))
	}
	right, wrong := write("pin", "482913\n"), write("wrong", "000000\n")
	starts := filepath.Join(state, vault.StartsFile)
	var old []byte
	for _, c := range []struct {
		name string
		args []string
		code fault.Code
		then func()
	}{
		{"right PIN", []string{"--tpm", device, "--pin-file", right}, "provision.none", func() { old, _ = os.ReadFile(starts) }},
		{"wrong PIN", []string{"--tpm", device, "--pin-file", wrong}, "vault.pin", nil},
		{"no PIN", []string{"--tpm", device}, "vault.pin_none", nil},
		{"no PIN file", []string{"--tpm", device, "--pin-file", right + ".none"}, "vault.pin_file", nil},
		{"no TPM", []string{"--tpm", device + ".none", "--pin-file", right}, "tpm.missing", nil},
		{"passphrase instead", []string{"--passphrase-file", right}, "vault.unlocker", nil},
		{"both", []string{"--tpm", device, "--passphrase-file", right}, "usage", nil},
		{"neither", nil, "usage", nil},
		{"PIN without TPM", []string{"--pin-file", right}, "usage", nil},
		{"lease without a half in the box", []string{"--lease"}, "usage", nil},
		{"lease with a PIN", []string{"--tpm", device, "--lease", "--pin-file", right}, "usage", nil},
		{"lease from nobody", []string{"--tpm", device, "--lease"}, "config.central", nil},
		{"right PIN again", []string{"--tpm", device, "--pin-file", right}, "provision.none", func() {
			if err := os.WriteFile(starts, old, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"old disk image put back", []string{"--tpm", device, "--pin-file", right}, "post.counter", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := start(c.args...); got != c.code {
				t.Fatalf("ends in %s, want %s", got, c.code)
			}
		})
		if c.then != nil {
			c.then()
		}
	}
}
