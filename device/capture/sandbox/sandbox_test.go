package sandbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/capture/sandbox"
	"github.com/watchpost/watchpost/device/fault"
)

// insideEnv makes the test binary enter the sandbox, try what must be refused
// and report from inside. Its value is the JSON form of request.
const insideEnv = "WATCHPOST_SANDBOX_INSIDE"

type request struct {
	Profile    sandbox.Profile
	Allowed    string // a file inside the profile
	Refused    string // a file outside
	Writable   string // a folder inside ReadWrite, or ""
	Socket     string // a listening unix socket
	Parent     int
	DeviceNode string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(insideEnv); text != "" {
		if err := inside(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// inside prints one JSON object: the outcome of each attempt, "" for success.
func inside(text string) error {
	var q request
	if err := json.Unmarshal([]byte(text), &q); err != nil {
		return err
	}
	// Threads that exist before Enter must be confined as well.
	const threads = 8
	entered := make(chan struct{})
	var before, done sync.WaitGroup
	var mu sync.Mutex
	escaped := 0
	for range threads {
		before.Add(1)
		done.Add(1)
		go func() {
			runtime.LockOSThread()
			before.Done()
			<-entered
			_, file := os.Open(q.Refused)
			_, sock := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if file == nil || sock == nil {
				mu.Lock()
				escaped++
				mu.Unlock()
			}
			done.Done()
		}()
	}
	before.Wait()
	if err := sandbox.Enter(q.Profile); err != nil {
		return err
	}
	close(entered)
	done.Wait()
	out := map[string]string{}
	note := func(name string, err error) {
		out[name] = ""
		var errno syscall.Errno
		if errors.As(err, &errno) {
			out[name] = unix.ErrnoName(errno)
		} else if err != nil {
			out[name] = err.Error()
		}
	}
	if escaped > 0 {
		note("threads", fmt.Errorf("%d of %d threads escaped", escaped, threads))
	}
	for name, family := range map[string]int{"inet": unix.AF_INET, "inet6": unix.AF_INET6, "packet": unix.AF_PACKET,
		"netlink": unix.AF_NETLINK, "vsock": unix.AF_VSOCK, "unix": unix.AF_UNIX} {
		_, err := unix.Socket(family, unix.SOCK_STREAM, 0)
		note(name, err)
	}
	_, err := net.Dial("unix", q.Socket)
	note("connect", err)
	_, err = os.ReadFile(q.Allowed)
	note("allowed", err)
	_, err = os.ReadFile(q.Refused)
	note("refused", err)
	note("overwrite", os.WriteFile(q.Allowed, []byte("x"), 0o600))
	if q.Writable != "" {
		note("write", os.WriteFile(filepath.Join(q.Writable, "new"), []byte("x"), 0o600))
	}
	_, err = os.OpenFile(q.DeviceNode, os.O_RDWR, 0)
	note("device", err)
	child, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno == 0 && child == 0 {
		os.Exit(0)
	}
	note("fork", errno)
	note("execve", unix.Exec("/bin/true", []string{"true"}, nil))
	note("ptrace", unix.PtraceAttach(q.Parent))
	local := make([]byte, 1)
	iov := []unix.Iovec{{Base: &local[0], Len: 1}}
	_, err = unix.ProcessVMReadv(q.Parent, iov, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&local[0])), Len: 1}}, 0)
	note("readv", err)
	note("signal", unix.Kill(q.Parent, 0))
	note("mount", unix.Mount("none", "/tmp", "tmpfs", 0, ""))
	note("unshare", unix.Unshare(unix.CLONE_NEWUSER))
	_, _, errno = unix.Syscall(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(new([120]byte))), 0)
	note("io_uring", errno)
	_, _, errno = unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)
	note("clone3", errno)
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		note("dumpable", fmt.Errorf("still %d, %v", n, err))
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func report(t *testing.T, q request) map[string]string {
	t.Helper()
	text, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), insideEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("inside: %v", err)
	}
	var out map[string]string
	if err := json.Unmarshal(stdout, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func bench(t *testing.T) request {
	t.Helper()
	dir := t.TempDir()
	q := request{
		Allowed:    filepath.Join(dir, "in", "model"),
		Refused:    filepath.Join(dir, "out", "secret"),
		Socket:     filepath.Join(dir, "s"),
		Parent:     os.Getpid(),
		DeviceNode: "/dev/full", // stands for the camera: a node every machine has
	}
	for _, path := range []string{q.Allowed, q.Refused} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("unix", q.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	q.Profile.ReadOnly = []string{filepath.Dir(q.Allowed)}
	return q
}

// denied is what no profile ever opens.
var denied = map[string]string{
	"inet": "EPERM", "inet6": "EPERM", "packet": "EPERM", "netlink": "EPERM", "vsock": "EPERM",
	"allowed": "", "refused": "EACCES", "overwrite": "EACCES",
	"fork": "EPERM", "execve": "EPERM", "ptrace": "EPERM", "readv": "EPERM", "signal": "EPERM",
	"mount": "EPERM", "unshare": "EPERM", "io_uring": "EPERM", "clone3": "ENOSYS",
}

func check(t *testing.T, got map[string]string, more map[string]string) {
	t.Helper()
	want := map[string]string{}
	for name, outcome := range denied {
		want[name] = outcome
	}
	for name, outcome := range more {
		want[name] = outcome
	}
	for name, outcome := range want {
		if have, ok := got[name]; !ok || have != outcome {
			t.Errorf("%s: got %q, want %q", name, have, outcome)
		}
	}
	for name, outcome := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s", name, outcome)
		}
	}
}

func TestDecoderInside(t *testing.T) {
	q := bench(t)
	q.Profile.Libraries = true
	q.Profile.MaxData = 1 << 30
	check(t, report(t, q), map[string]string{"unix": "EPERM", "connect": "EPERM", "device": "EACCES"})
}

func TestDevicesInside(t *testing.T) {
	q := bench(t)
	q.Writable = filepath.Join(filepath.Dir(q.Socket), "rw")
	if err := os.Mkdir(q.Writable, 0o700); err != nil {
		t.Fatal(err)
	}
	q.Profile.ReadWrite = []string{q.Writable}
	q.Profile.Devices = []string{q.DeviceNode}
	q.Profile.AllowUnixSockets = true
	q.Profile.UnixSockets = []string{q.Socket, "/nonexistent/pcscd.comm"}
	check(t, report(t, q), map[string]string{"unix": "", "connect": "", "device": "", "write": ""})
}

func TestProfileRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// None of these confines the test: the profile is judged before that.
	for name, p := range map[string]sandbox.Profile{
		"read-only path missing":  {ReadOnly: []string{file + ".missing"}},
		"read-write path missing": {ReadWrite: []string{file + ".missing"}},
		"device missing":          {Devices: []string{file + ".missing"}},
		"device is a plain file":  {Devices: []string{file}},
	} {
		if err := sandbox.Enter(p); !errors.Is(err, sandbox.ErrProfile) {
			t.Errorf("%s: %v (code %s)", name, err, fault.CodeOf(err))
		}
	}
}
