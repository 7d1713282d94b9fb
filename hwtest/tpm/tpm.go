// Package tpm starts software TPMs (swtpm, Debian package of that name) for
// tests and demonstrations, each with a state of its own and no network.
package tpm

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TPM is a running software TPM. One goroutine only.
type TPM struct {
	cmd  *exec.Cmd
	sock string
}

// startLimit bounds the wait for the first answer.
const startLimit = 30 * time.Second

// Start powers a TPM on whose state is in dir, new where dir is empty. The
// path of dir has at most 100 bytes, since a socket lies in it. The caller
// stops it.
func Start(dir string) (*TPM, error) {
	bin, err := exec.LookPath("swtpm")
	if err != nil {
		return nil, fmt.Errorf("software TPM: %w", err)
	}
	t := &TPM{sock: filepath.Join(dir, "s")}
	t.cmd = exec.Command(bin, "socket", "--tpm2", "--tpmstate", "dir="+dir, "--server", "type=unixio,path="+t.sock,
		"--ctrl", "type=unixio,path="+filepath.Join(dir, "c"), "--flags", "not-need-init,startup-clear")
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("software TPM: %w", err)
	}
	for until := time.Now().Add(startLimit); ; {
		c, err := net.Dial("unix", t.sock)
		if err == nil {
			return t, c.Close()
		}
		if time.Now().After(until) {
			t.Stop()
			return nil, fmt.Errorf("software TPM does not answer: %w", err)
		}
		time.Sleep(time.Millisecond)
	}
}

// Address is what --tpm takes.
func (t *TPM) Address() string { return "unix:" + t.sock }

// Stop cuts the power. Calling it again does nothing.
func (t *TPM) Stop() {
	if t.cmd.ProcessState == nil {
		_ = t.cmd.Process.Kill()
		_ = t.cmd.Wait()
	}
}

// ForTest starts a TPM in dir, or in a folder of its own where dir is "", and
// stops it when the test ends. Where swtpm is not installed the test is
// skipped; where CI=true it fails.
func ForTest(t testing.TB, dir string) *TPM {
	t.Helper()
	if dir == "" {
		dir = Dir(t)
	}
	chip, err := Start(dir)
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: swtpm is not installed (make deps); nothing of the TPM is tested")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(chip.Stop)
	return chip
}

// Dir is a new folder whose path is short enough for sockets.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wp-tpm-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
