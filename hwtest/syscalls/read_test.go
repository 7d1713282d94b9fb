package syscalls

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	calls, err := Read(strings.NewReader(`12 openat(AT_FDCWD, "\x2f\x61", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3
12 pwrite64(3, "\x00\x01", 2, 4096 <unfinished ...>
13 write(1, "\x6f\x6b\x0a", 3) = 3
12 <... pwrite64 resumed>) = 2
13 fsync(3) = -1 EIO (Input/output error) (INJECTED)
12 writev(4, [{iov_base="\x61", iov_len=1}], 1) = 1
12 close(3 <unfinished ...>
12 +++ killed by SIGKILL +++
`))
	if err != nil || len(calls) != 4 {
		t.Fatalf("%d calls, %v", len(calls), err)
	}
	if c := calls[0]; c.Name != "openat" || string(c.Args[1].Bytes) != "/a" || c.Ret != 3 {
		t.Errorf("%+v", c)
	}
	if c := calls[2]; c.Name != "pwrite64" || !bytes.Equal(c.Args[1].Bytes, []byte{0, 1}) || c.Args[3].Int() != 4096 {
		t.Errorf("%+v", c)
	}
}

func TestRefused(t *testing.T) {
	for _, s := range []string{"12", "12 x", "12 write(1, \"\\x6f", "12 write(1, \"\\x6f\"..., 1) = 1", "12 write(1, \"zz\", 1) = 1", "12 fsync(3)", "12 fsync(3) = x", "12 <... fsync"} {
		if _, err := Read(strings.NewReader(s + "\n")); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}

func TestLogAndFail(t *testing.T) {
	dir := t.TempDir()
	log, file := filepath.Join(dir, "log"), filepath.Join(dir, "file")
	cmd := exec.Command("dd", "if=/dev/zero", "of="+file, "bs=3", "count=2", "conv=fsync", "status=none")
	Log(t, cmd, log)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	calls, err := Read(h)
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, c := range calls {
		n[c.Name]++
	}
	if n["write"] != 2 || n["fsync"] != 1 {
		t.Errorf("%v", n)
	}
	cmd = exec.Command("dd", "if=/dev/zero", "of="+file, "bs=3", "count=2", "status=none")
	Fail(t, cmd, Failure{Call: "write", Nth: 2, Error: "ENOSPC", Paths: []string{file}})
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "No space") {
		t.Errorf("the second write did not fail: %v, %s", err, out)
	}
	if raw, err := os.ReadFile(file); err != nil || len(raw) != 3 {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`12 openat(AT_FDCWD, "\x2f\x61", O_RDWR, 0600) = 3`)
	f.Fuzz(func(_ *testing.T, s string) { _, _ = Read(strings.NewReader(s)) })
}
