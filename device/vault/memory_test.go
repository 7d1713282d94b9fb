package vault

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/hwtest/memory"
)

// roleEnv makes the test program play a process of TestAttackMemory.
const roleEnv = "WATCHPOST_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "daemon", "bare":
		holder(os.Getenv(roleEnv) == "daemon")
	case "thief":
		os.Exit(thief())
	default:
		os.Exit(m.Run())
	}
}

// holder is a process with a key: it prints the key, on a pipe that stands for
// the attacker's luck, and does what each line of its input says.
func holder(hardened bool) {
	if hardened {
		if err := Harden(); err != nil {
			panic(err)
		}
	}
	ring := NewRing()
	k, err := ring.Random()
	if err != nil {
		panic(err)
	}
	sealed, err := k.Seal(nil, []byte("text"), nil)
	if err != nil {
		panic(err)
	}
	if _, err := k.Open(nil, sealed, nil); err != nil {
		panic(err)
	}
	if _, err := k.MAC([]byte("x")); err != nil {
		panic(err)
	}
	derived, err := k.Derive("x")
	if err != nil {
		panic(err)
	}
	if _, err := derived.MAC([]byte("x")); err != nil {
		panic(err)
	}
	fmt.Println(hex.EncodeToString(k.raw))
	fmt.Println(hex.EncodeToString(derived.raw))
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "lock":
			ring.Close()
			k, derived, ring = nil, nil, nil
			Scrub() // as device/post/shift does
			fmt.Println("locked")
		case "crash":
			_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		}
	}
}

// thief is another program of the same user: it prints what it could do.
func thief() int {
	pid := os.Getenv("WATCHPOST_TEST_PID")
	said := func(what string, err error) { fmt.Printf("%s %v\n", what, err) }
	mem, err := os.Open("/proc/" + pid + "/mem")
	said("mem", err)
	if err == nil {
		mem.Close()
	}
	_, err = os.ReadFile("/proc/" + pid + "/environ")
	said("environ", err)
	var n int
	if _, err := fmt.Sscan(pid, &n); err != nil {
		return 1
	}
	runtime.LockOSThread()
	err = unix.PtraceAttach(n)
	said("ptrace", err)
	if err == nil {
		_ = unix.PtraceDetach(n)
	}
	local := make([]byte, 8)
	_, err = unix.ProcessVMReadv(n, []unix.Iovec{{Base: &local[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
	said("readv", err)
	return 0
}

// nobody is the user under which daemon and thief run.
const nobody = 65534

// asNobody runs the test program in a role, as another user than root.
func asNobody(t *testing.T, role string, env ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can be two users")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "wpm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "program")
	if err := os.WriteFile(bin, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin)
	cmd.Dir = dir
	cmd.Env = append([]string{roleEnv + "=" + role}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// running is a holder under way.
type running struct {
	cmd  *exec.Cmd
	in   io.Writer
	out  *bufio.Reader
	keys [2][]byte // one, and one derived of it
}

func newHolder(t *testing.T, role string) *running {
	t.Helper()
	h := &running{cmd: asNobody(t, role)}
	in, err := h.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if h.cmd.ProcessState == nil {
			_ = h.cmd.Process.Kill()
			_ = h.cmd.Wait()
		}
	})
	h.in, h.out = in, bufio.NewReader(out)
	for i := range h.keys {
		line, err := h.out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if h.keys[i], err = hex.DecodeString(strings.TrimSpace(line)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// robbed is what a thief could do to a process, by name.
func (h *running) robbed(t *testing.T) map[string]string {
	t.Helper()
	cmd := asNobody(t, "thief", fmt.Sprintf("WATCHPOST_TEST_PID=%d", h.cmd.Process.Pid))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(out)) {
		what, how, _ := strings.Cut(strings.TrimSpace(line), " ")
		got[what] = how
	}
	return got
}

// inMemory counts how often each of the secrets lies in the process's memory:
// what root, or a probe on the memory bus, would find.
func (h *running) inMemory(t *testing.T, secrets map[string][]byte) map[string]int {
	t.Helper()
	found := map[string]int{}
	err := memory.Writable(h.cmd.Process.Pid, func(_ int64, piece []byte) {
		for what, secret := range secrets {
			found[what] += bytes.Count(piece, secret)
		}
	})
	if errors.Is(err, os.ErrPermission) {
		t.Skip("SKIPPED: this machine forbids even root to read memory")
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// forms are how a key lies in memory: itself, which is also the beginning of
// its AES schedule (FIPS 197, 2001, section 5.2), and the pads that HMAC makes of
// it (FIPS 198-1, 2008, section 4).
func forms(keys ...[]byte) map[string][]byte {
	all := map[string][]byte{}
	for n, key := range keys {
		inner, outer := bytes.Clone(key), bytes.Clone(key)
		for i := range key {
			inner[i] ^= 0x36
			outer[i] ^= 0x5c
		}
		all[fmt.Sprintf("key %d", n)], all[fmt.Sprintf("inner pad of key %d", n)], all[fmt.Sprintf("outer pad of key %d", n)] = key, inner, outer
	}
	return all
}

// TestAttackMemory goes for keys of a running process: as another program of
// the same user, by making it crash, and, as root could, by reading all of its
// memory after it was locked.
func TestAttackMemory(t *testing.T) {
	t.Run("an unhardened process would be robbed", func(t *testing.T) {
		got := newHolder(t, "bare").robbed(t)
		if got["mem"] != "<nil>" || got["environ"] != "<nil>" {
			t.Skipf("SKIPPED: this machine forbids it anyway: %v", got)
		}
	})
	t.Run("by another program of the same user", func(t *testing.T) {
		got := newHolder(t, "daemon").robbed(t)
		if len(got) != 4 {
			t.Fatalf("the thief did not try all: %v", got)
		}
		for what, how := range got {
			if !strings.Contains(how, "permission denied") && !strings.Contains(how, "operation not permitted") {
				t.Errorf("%s: %s", what, how)
			}
		}
	})
	t.Run("by a crash that leaves a core", func(t *testing.T) {
		h := newHolder(t, "daemon")
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", h.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "Max core file size") && strings.Join(strings.Fields(line)[4:6], " ") != "0 0" {
				t.Errorf("limit of core files: %s", line)
			}
		}
		if _, err := io.WriteString(h.in, "crash\n"); err != nil {
			t.Fatal(err)
		}
		_ = h.cmd.Wait() // ends by the signal
		if ws, ok := h.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.CoreDump() {
			t.Error("a core was dumped")
		}
		files, err := os.ReadDir(h.cmd.Dir)
		if err != nil || len(files) != 1 {
			t.Errorf("beside the program lies %v, %v", files, err)
		}
	})
	t.Run("by reading all memory after locking", func(t *testing.T) {
		h := newHolder(t, "daemon")
		secrets := forms(h.keys[:]...)
		found := h.inMemory(t, secrets)
		for what := range secrets {
			if found[what] == 0 {
				t.Fatalf("%s of an open process is not found: the search finds nothing", what)
			}
		}
		if _, err := io.WriteString(h.in, "lock\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.out.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		for what, n := range h.inMemory(t, secrets) {
			if n != 0 {
				t.Errorf("%s lies in memory %d times after locking", what, n)
			}
		}
	})
}

// TestLockMemory locks what is mapped now and later where this user may.
func TestLockMemory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: this user may lock only part of its memory")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "TestLockAllInChild")
	cmd.Env = append(os.Environ(), "WATCHPOST_TEST_LOCK=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestLockAllInChild runs in a process of its own: what it locks stays locked.
func TestLockAllInChild(t *testing.T) {
	if os.Getenv("WATCHPOST_TEST_LOCK") == "" {
		t.Skip("run by TestLockMemory")
	}
	locked, err := lockAll()
	if !locked || err != nil {
		t.Fatalf("%v, %v", locked, err)
	}
	big := make([]byte, 32<<20) // mapped after
	for i := range big {
		big[i] = 1
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmLck:")
	var kib int
	if _, err := fmt.Sscan(after, &kib); err != nil || kib < len(big)>>10 {
		t.Fatalf("%d KiB are locked, want at least %d", kib, len(big)>>10)
	}
	runtime.KeepAlive(big)
}

// TestLockMemoryRefused is a user who may not.
func TestLockMemoryRefused(t *testing.T) {
	if os.Getenv("WATCHPOST_TEST_REFUSED") != "" {
		_, err := lockAll()
		wantCode(t, err, "vault.swap")
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can be another user")
	}
	cmd := asNobody(t, "", "WATCHPOST_TEST_REFUSED=1")
	cmd.Args = append(cmd.Args, "-test.run", "TestLockMemoryRefused")
	cmd.Env = cmd.Env[1:]
	script := exec.Command("/bin/sh", "-c", "ulimit -l 64; exec \"$@\"", "sh", cmd.Path, "-test.run", "TestLockMemoryRefused")
	script.Env, script.Dir, script.SysProcAttr = cmd.Env, cmd.Dir, cmd.SysProcAttr
	if out, err := script.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Fatalf("%v\n%s", err, out)
	}
}
