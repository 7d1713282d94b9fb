package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	swtpm "github.com/watchpost/watchpost/hwtest/tpm"
)

func TestKeysByTPM(t *testing.T) {
	device, dir := swtpm.ForTest(t, "").Address(), t.TempDir()
	state, copied := filepath.Join(dir, "state"), filepath.Join(dir, "copy")
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right, wrong, short := write("pin", "482913\n"), write("wrong", "000000\n"), write("short", "1234\n")
	byTPM := func(more ...string) []string { return append([]string{"--tpm", device}, more...) }
	for _, c := range []struct {
		name string
		sub  []string
		at   string
		args []string
		code fault.Code
	}{
		{"short PIN", []string{"init"}, state, byTPM("--pin-file", short), "vault.pin_short"},
		{"unknown way", []string{"init"}, state, byTPM("--unlock", "luck"), "usage"},
		{"passphrase and TPM", []string{"init"}, state, byTPM("--unlock", "passphrase", "--pin-file", right), "usage"},
		{"PIN without TPM", []string{"init"}, state, []string{"--pin-file", right}, "usage"},
		{"made", []string{"init"}, state, byTPM("--unlock", "tpm", "--pin-file", right), ""},
		{"made again", []string{"init"}, state, byTPM("--pin-file", right), "vault.exists"},
		{"shown", nil, state, byTPM("--pin-file", right), ""},
		{"wrong PIN", nil, state, byTPM("--pin-file", wrong), "vault.pin"},
		{"nothing given: the state, without opening", nil, state, nil, ""},
		{"two ways given", nil, state, byTPM("--passphrase-file", right), "usage"},
		{"wiped by mistake", []string{"wipe"}, state, byTPM(), "usage"},
		{"wiped", []string{"wipe"}, state, byTPM("--yes"), ""},
		{"wiped, and copied before", nil, copied, byTPM("--pin-file", right), "tpm.wiped"},
		{"copy wiped without its TPM", []string{"wipe"}, copied, []string{"--yes"}, "tpm.missing"},
		{"its file is gone all the same", nil, copied, byTPM("--pin-file", right), "vault.missing"},
		{"nothing to wipe", []string{"wipe"}, state, byTPM("--yes"), "vault.missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "wiped" {
				if err := os.CopyFS(copied, os.DirFS(state)); err != nil {
					t.Fatal(err)
				}
			}
			out, err := runKeys(t, append(append(append([]string{}, c.sub...), "--state", c.at), c.args...)...)
			if got := fault.CodeOf(err); got != c.code {
				t.Fatalf("ends in %q (%v), want %q", got, err, c.code)
			}
			if strings.Contains(out, "482913") {
				t.Error("the PIN is printed")
			}
		})
	}
}

// runKeys runs "watchpost keys ARGS".
func runKeys(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "watchpost", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(keysCommand())
	root.SetArgs(append([]string{"keys"}, args...))
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// TestWipeTakesASecond: keys are gone within a second. The quickest of five
// counts, since a machine that stands still meanwhile is not the command's work.
func TestWipeTakesASecond(t *testing.T) {
	device, dir := swtpm.ForTest(t, "").Address(), t.TempDir()
	pin := filepath.Join(dir, "pin")
	if err := os.WriteFile(pin, []byte("482913\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	least := time.Hour
	for n := 0; n < 5 && least > time.Second; n++ {
		state := filepath.Join(dir, "state", strconv.Itoa(n))
		if _, err := runKeys(t, "init", "--state", state, "--tpm", device, "--pin-file", pin); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := runKeys(t, "wipe", "--state", state, "--tpm", device, "--yes"); err != nil {
			t.Fatal(err)
		}
		least = min(least, time.Since(begun))
	}
	if least > time.Second {
		t.Errorf("wiping took %v, at most 1 s is allowed", least)
	}
}
