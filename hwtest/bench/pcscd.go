package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// friendlyName is what readers of a private bench are called, before pcscd's
// own numbers.
const friendlyName = "Bench"

// driver is where Debian's vsmartcard-vpcd puts vpcd's driver.
const driver = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"

// findPCSCD returns the path of pcscd, and an error that names the package
// where it or the driver is missing.
func findPCSCD() (string, error) {
	if _, err := os.Stat(driver); err != nil {
		return "", missing("the driver "+driver, "vsmartcard-vpcd")
	}
	for _, name := range []string{"pcscd", "/usr/sbin/pcscd"} { // sbin is not on everybody's path
		path, err := exec.LookPath(name)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
			return "", fault.Wrap(codeStart, err)
		}
	}
	return "", missing("the program pcscd", "pcscd")
}

func missing(what, pkg string) error {
	return fault.New(codeMissing, "%s is not installed", what).
		WithHint(fmt.Sprintf("Install the Debian package %s, or run: make deps", pkg))
}

// startPCSCD starts pcscd in the foreground with vpcd as its only reader. Its
// socket is in /run/pcscd, which the caller has made private. It ends with
// this process.
func startPCSCD(dir string) (*exec.Cmd, error) {
	path, err := findPCSCD()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "reader.conf.d")
	if err := os.MkdirAll(conf, 0o755); err != nil {
		return nil, fault.Wrap(codeStart, err)
	}
	// With /dev/null as host vpcd listens; it must not dial out itself, for
	// pcscd 1.9.9 then aborts.
	text := fmt.Sprintf("FRIENDLYNAME \"%s\"\nDEVICENAME /dev/null:%d\nLIBPATH %s\nCHANNELID 0x%X\n", friendlyName, firstPort, driver, firstPort)
	if err := os.WriteFile(filepath.Join(conf, "bench"), []byte(text), 0o644); err != nil {
		return nil, fault.Wrap(codeStart, err)
	}
	log, err := os.Create(logIn(dir))
	if err != nil {
		return nil, fault.Wrap(codeStart, err)
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(path, "--foreground", "--config", conf)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fault.Wrap(codeStart, err)
	}
	return cmd, nil
}

func logIn(dir string) string { return filepath.Join(dir, "pcscd.log") }

// pause is the time between two questions whether something is up yet.
const pause = 10 * time.Millisecond

// answers waits until a unix socket takes connections, by asking.
func answers(ctx context.Context, path string) error {
	var d net.Dialer
	return until(ctx, path+" does not answer", func() (bool, error) {
		conn, err := d.DialContext(ctx, "unix", path)
		if err != nil {
			return false, nil
		}
		return true, conn.Close()
	})
}

// listens waits until a TCP port of this network namespace is listened on. It
// asks the kernel, not the port: for vpcd a connection is a card.
func listens(ctx context.Context, port int) error {
	const listen = "0A" // TCP_LISTEN of proc_net_tcp(5)
	return until(ctx, fmt.Sprintf("nothing listens on port %d", port), func() (bool, error) {
		table, err := os.ReadFile("/proc/self/net/tcp")
		if err != nil {
			return false, err
		}
		for line := range strings.Lines(string(table)) {
			fields := strings.Fields(line)
			if len(fields) > 3 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) && fields[3] == listen {
				return true, nil
			}
		}
		return false, nil
	})
}

// until asks until the answer is yes, an error, or ctx ends.
func until(ctx context.Context, otherwise string, ask func() (bool, error)) error {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		yes, err := ask()
		if yes || err != nil {
			return fault.Wrap(codeStart, err)
		}
		select {
		case <-ctx.Done():
			return fault.New(codeStart, "%s: %v", otherwise, ctx.Err())
		case <-ticker.C:
		}
	}
}
