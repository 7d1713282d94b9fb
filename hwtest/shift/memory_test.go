package shift_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
	"github.com/watchpost/watchpost/hwtest/memory"
)

// around is how much of what stands beside a secret is told.
const around = 120

// inMemory counts how often secret lies in the writable memory of a process,
// and tells what stands beside it.
func inMemory(t *testing.T, pid int, secret []byte) (found int, beside []string) {
	t.Helper()
	err := memory.Writable(pid, func(at int64, piece []byte) {
		found += bytes.Count(piece, secret)
		if i := bytes.Index(piece, secret); i >= 0 {
			beside = append(beside, fmt.Sprintf("at %#x: %q", at+int64(i), piece[max(0, i-around):min(len(piece), i+around)]))
		}
	})
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("SKIPPED: this user may not read the daemon's memory: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return found, beside
}

// TestAttackMemoryOfALockedDaemon reads all of the real daemon's memory, as
// root could, for what opens its vault: the key that the TPM gave out, and the
// PIN by which an officer signed in.
func TestAttackMemoryOfALockedDaemon(t *testing.T) {
	const annas = "annas-own-pin-9157"
	d := newDesk(t, policy.Desk, []account{{"anna", annas, time.Now().Add(time.Hour)}}, nil)
	pin := filepath.Join(d.dir, "pin")
	byTPM := []string{"--tpm", d.chip.Address(), "--pin-file", pin}
	d.ok(append([]string{"keys", "init", "--unlock", "tpm"}, byTPM...)...)
	d.ok(append([]string{"keys", "add", "--new-officer", "anna", "--new-pin-file", d.file("anna.pin", annas)}, byTPM...)...)
	params, err := vault.Params(filepath.Join(d.state, install.VaultFile), vault.Way{Kind: tpm.Kind, Name: "anna"})
	d.must(err)
	key, err := tpm.Unlocker{Device: d.chip.Address(), PIN: []byte(annas), Officer: "anna"}.Derive(t.Context(), params)
	d.must(err)
	d.run("--locked", "--provision", d.provision)
	for range 3 {
		d.wantAPI(d.client.SignIn(t.Context(), "anna", annas), "")
		pid := d.daemon.cmd.Process.Pid
		if n, _ := inMemory(t, pid, []byte(d.state)); n == 0 {
			t.Fatal("not even the name of its folder lies in the daemon's memory: the search finds nothing")
		}
		d.ok("keys", "lock")
		if n, beside := inMemory(t, pid, key); n != 0 {
			t.Errorf("what the TPM gave out lies in the memory of the locked daemon %d times: %s", n, beside)
		}
		if n, beside := inMemory(t, pid, []byte(annas)); n != 0 {
			t.Errorf("the officer's PIN lies in the memory of the locked daemon %d times: %s", n, beside)
		}
	}
}
