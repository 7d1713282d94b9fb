package knocks_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo terminal (pts(4)) and returns both its ends.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	unlocked := int32(0)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, ours.Fd(), unix.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlocked))); errno != 0 {
		t.Fatal(errno)
	}
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// TestTerminal runs at a terminal what make run ends with: it tells the page's
// address and who may sign in, serves it until Ctrl-C, ends well and leaves
// nothing behind.
func TestTerminal(t *testing.T) {
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := terminal(t)
	// PostgreSQL runs as another user, who passes through.
	temp, err := os.MkdirTemp("", "wpterm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	if err := os.Chmod(temp, 0o711); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "hwtest"), "up", "--post", "--bin", bin, "--faces", "10", "--documents", "100")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(ours); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), stageLimit)
	defer cancel()
	said := ""
	for _, must := range []string{"page        https://localhost:", "officer     demo-officer   password ", "on the data page"} {
		for !strings.Contains(said, must) {
			select {
			case l, open := <-lines:
				if !open {
					t.Fatalf("it ended before %q:\n%s", must, said)
				}
				said += l + "\n"
			case <-ctx.Done():
				t.Fatalf("it does not say %q:\n%s", must, said)
			}
		}
	}
	if _, err := io.WriteString(ours, "\x03"); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			for l := range lines {
				said += l + "\n"
			}
			t.Errorf("after Ctrl-C: %v\n%s", err, said)
		}
	case <-time.After(stepLimit):
		t.Fatal("it does not end at Ctrl-C")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v behind: %v", left, err)
	}
}
