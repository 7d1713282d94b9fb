package store

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/powercut"
	"github.com/watchpost/watchpost/hwtest/syscalls"
)

// TestActor is the child process of the tests below.
func TestActor(t *testing.T) {
	if dir := os.Getenv("WATCHPOST_TEST_ACTOR"); dir != "" {
		actor(t, dir)
	}
}

func child(dir string, from, to int) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestActor$")
	cmd.Env = append(os.Environ(), "WATCHPOST_TEST_ACTOR="+dir, "WATCHPOST_TEST_FROM="+strconv.Itoa(from), "WATCHPOST_TEST_TO="+strconv.Itoa(to))
	return cmd
}

// said reads what a child had said: how many acts were done in all, and the
// code of what failed.
func said(out string, from int) (done int, code string) {
	done = from
	for l := range strings.Lines(out) {
		if n, ok := strings.CutPrefix(l, "done "); ok && strings.HasSuffix(n, "\n") {
			i, _ := strconv.Atoi(strings.TrimSpace(n))
			done = i + 1
		}
		if c, ok := strings.CutPrefix(l, "failed "); ok {
			code = strings.TrimSpace(c)
		}
	}
	return done, code
}

// killed kills the writer at random points, again and again over one store,
// and opens it after each: what was said to be done is there, the act under
// way whole or not at all, nothing twice.
func killed(t *testing.T, rounds int) {
	dir := powercut.TempDir(t)
	at, inWrites := 0, 0
	for round := range rounds {
		cmd := child(dir, at, 1<<30)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// After some acts, and at any moment of the one that follows.
		lines := bufio.NewReader(out)
		var heard bytes.Buffer
		for range 1 + rand.IntN(3) {
			l, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("round %d: the writer ended early: %s", round, l)
			}
			heard.WriteString(l)
		}
		time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond) // chooses the point, proves nothing
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := lines.WriteTo(&heard); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its error is the kill
		done, code := said(heard.String(), at)
		if code != "" {
			t.Fatalf("round %d: the writer failed: %s", round, code)
		}
		s, err := Open(dir, newGCM(t, 1))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if at, err = stands(s, done, done+1); err != nil {
			t.Fatalf("round %d, %d acts done: %v", round, done, err)
		}
		if at > done {
			inWrites++
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills over %d acts: nothing lost, doubled or half; %d acts stood though not yet said", rounds, at, inWrites)
}

func TestKilledWriter(t *testing.T)     { killed(t, 20) }
func TestSoakKilledWriter(t *testing.T) { soak(t); killed(t, 200) }

func soak(t *testing.T) {
	t.Helper()
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("WATCHPOST_SOAK is not set: make soak runs this")
	}
}

// failing makes each call that writes, syncs, cuts or names fail in turn: the
// writer ends in a code, what it had said is there, and the store goes on.
func failing(t *testing.T, acts, every, enough int, calls []string, errors ...string) {
	// A failure that is made good ends in no code, and so does the run in which
	// there are no more calls to fail: it takes several to tell.
	runs, codes := 0, map[string]int{}
	for _, call := range calls {
		for _, e := range errors {
			failed := 0
			for n, good := 1, 0; good < enough; n += every {
				dir := powercut.TempDir(t)
				f := syscalls.Failure{Call: call, Nth: n, Error: e}
				for _, name := range []string{"", "post.db", "post.db.new", keysName} {
					f.Paths = append(f.Paths, filepath.Join(dir, name))
				}
				cmd := child(dir, 0, acts)
				syscalls.Fail(t, cmd, f)
				out, err := cmd.CombinedOutput()
				done, code := said(string(out), 0)
				if err != nil {
					t.Fatalf("%s %d of %s: the writer: %v\n%s", e, n, call, err, out)
				}
				if good++; code != "" {
					good = 0
					failed++
				}
				runs++
				codes[code]++
				recovers(t, dir, fmt.Sprintf("%s %d of %s", e, n, call), done, code)
				os.RemoveAll(dir)
			}
			if failed == 0 && call != "unlinkat" { // that one is made good
				t.Errorf("no %s failed: the test does not test", call)
			}
		}
	}
	delete(codes, "")
	t.Logf("%d runs, ended in %v or made good: nothing lost, doubled or half", runs, codes)
}

// recovers opens the store that a writer left when a call had failed, and
// goes on with it.
func recovers(t *testing.T, dir, what string, done int, code string) {
	t.Helper()
	if code != "" && !strings.HasPrefix(code, "store.") {
		t.Fatalf("%s: ended in %q", what, code)
	}
	s, err := Open(dir, newGCM(t, 1))
	if err != nil {
		t.Fatalf("%s: opened again: %v", what, err)
	}
	defer s.Close()
	may := []int{done}
	if code == string(ErrUncertain.Code) {
		may = append(may, done+1)
	}
	at, err := stands(s, may...)
	if err != nil {
		t.Fatalf("%s, ended in %s after %d acts: %v", what, code, done, err)
	}
	for n := at; n < at+3; n++ {
		if err := act(s, n); err != nil {
			t.Fatalf("%s: going on: %v", what, err)
		}
	}
	if _, err := stands(s, at+3); err != nil {
		t.Fatalf("%s: gone on: %v", what, err)
	}
}

func TestFailingCalls(t *testing.T) {
	failing(t, 8, 7, 1, []string{"pwrite64", "fdatasync", "fsync"}, "EIO")
}

func TestSoakFailingCalls(t *testing.T) {
	soak(t)
	failing(t, 26, 1, 12, []string{"pwrite64", "fdatasync", "fsync", "ftruncate", "linkat", "unlinkat", "openat"}, "EIO", "ENOSPC")
}

// cut logs the calls of a writer and opens the store on what power cuts could
// have left.
func cut(t *testing.T, acts, states int) {
	dir, log := powercut.TempDir(t), filepath.Join(t.TempDir(), "log")
	cmd := child(dir, 0, acts)
	syscalls.Log(t, cmd, log)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	calls, err := syscalls.Read(h)
	if err != nil {
		t.Fatal(err)
	}
	ahead, seen := 0, map[int]bool{}
	n := powercut.Each(t, calls, dir, states, 1, func(c powercut.Cut, dir string) {
		done, _ := said(c.Said, 0)
		s, err := Open(dir, newGCM(t, 1))
		if err != nil {
			t.Fatalf("call %d (%s), kind %d, %d acts done: %v", c.Call, c.Last, c.Kind, done, err)
		}
		defer s.Close()
		at, err := stands(s, done, done+1)
		if err != nil {
			t.Fatalf("call %d (%s), kind %d: %v", c.Call, c.Last, c.Kind, err)
		}
		if seen[at] = true; at > done {
			ahead++
		}
	})
	if len(seen) < acts {
		t.Errorf("the cuts stand after %d numbers of acts only", len(seen))
	}
	t.Logf("%d states after power cuts over %d acts: nothing lost, doubled or half; in %d the act under way stood", n, acts, ahead)
}

func TestPowerCut(t *testing.T) { cut(t, 24, 300) }
func TestSoakPowerCut(t *testing.T) {
	soak(t)
	cut(t, 90, 6000)
}
