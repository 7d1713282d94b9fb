package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/hwtest/powercut"
	"github.com/watchpost/watchpost/hwtest/syscalls"
)

// The tests of crashes let a process of its own adopt generations, each the
// successor of the one before, and say each when it is in force.

// persons is how many records generation n has: what is in force shows by it.
func persons(n int) int { return 3 + n%17 }

// stick is where generations lie ready to be adopted, and the list's key.
type stick struct {
	bench
	dir string
}

func newStick(t testing.TB) stick {
	t.Helper()
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	key, err := ring.Import(bytes.Repeat([]byte{7}, vault.KeySize)) // the child has the same
	if err != nil {
		t.Fatal(err)
	}
	return stick{bench{ring, key}, powercut.TempDir(t)}
}

// ready makes generation n where it is not there.
func (s stick) ready(t testing.TB, n int) {
	t.Helper()
	dir := filepath.Join(s.dir, strconv.Itoa(n))
	if _, err := os.Stat(dir); err == nil {
		return
	}
	b, err := Create(dir, s.ring, s.key, spec("bench", uint64(n)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.AddAll(ctx, sequence(persons(n), person)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestAdopter is the child process of the tests below.
func TestAdopter(t *testing.T) {
	list := os.Getenv("WATCHPOST_TEST_LIST")
	if list == "" {
		return
	}
	runtime.LockOSThread()
	from, _ := strconv.Atoi(os.Getenv("WATCHPOST_TEST_FROM"))
	to, err := strconv.Atoi(os.Getenv("WATCHPOST_TEST_TO"))
	if err != nil {
		t.Fatal(err)
	}
	s := newStick(t)
	d, err := OpenDir(ctx, list)
	for n := from; err == nil && n <= to; n++ {
		if _, err = d.Adopt(ctx, filepath.Join(os.Getenv("WATCHPOST_TEST_STICK"), strconv.Itoa(n)), "bench", s.key, 0); err == nil {
			fmt.Printf("done %d\n", n)
		}
	}
	if err != nil {
		fmt.Printf("failed %s\n", fault.CodeOf(err))
	}
}

func adopter(s stick, list string, from, to int) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestAdopter$")
	cmd.Env = append(os.Environ(), "WATCHPOST_TEST_LIST="+list, "WATCHPOST_TEST_STICK="+s.dir, "WATCHPOST_TEST_FROM="+strconv.Itoa(from), "WATCHPOST_TEST_TO="+strconv.Itoa(to))
	return cmd
}

// said reads what an adopter had said: the generation in force, 0 for none,
// and the code of what failed.
func said(out string, before int) (n int, code string) {
	n = before
	for l := range strings.Lines(out) {
		if g, ok := strings.CutPrefix(l, "done "); ok && strings.HasSuffix(g, "\n") {
			n, _ = strconv.Atoi(strings.TrimSpace(g))
		}
		if c, ok := strings.CutPrefix(l, "failed "); ok {
			code = strings.TrimSpace(c)
		}
	}
	return n, code
}

// inForce opens a list after a crash: it must hold, whole, one of the
// generations that may be in force, and nothing half beside it.
func inForce(s stick, list string, may ...int) (int, error) {
	d, err := OpenDir(ctx, list)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	entries, err := os.ReadDir(list)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), partialSuffix) {
			return 0, fmt.Errorf("%s is left", e.Name())
		}
	}
	g, err := d.Open("bench", s.key, 0)
	if errors.Is(err, ErrEmpty) && may[0] == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer g.Close()
	n := int(g.Manifest().Generation)
	for _, m := range may {
		if n == m {
			if g.Manifest().Records != persons(n) {
				return 0, fmt.Errorf("generation %d holds %d records", n, g.Manifest().Records)
			}
			return n, g.Verify(ctx)
		}
	}
	return 0, fmt.Errorf("generation %d is in force, not one of %v", n, may)
}

// swapsKilled kills the adopter at random points, again and again over one
// list.
func swapsKilled(t *testing.T, rounds int) {
	s, list := newStick(t), filepath.Join(powercut.TempDir(t), "list")
	at, inSwap := 0, 0
	for round := range rounds {
		for n := at + 1; n <= at+4; n++ {
			s.ready(t, n)
		}
		cmd := adopter(s, list, at+1, at+4)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		var heard bytes.Buffer
		for range rand.IntN(3) {
			l, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("round %d: the adopter ended early: %s", round, l)
			}
			heard.WriteString(l)
		}
		time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond) // chooses the point, proves nothing
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := lines.WriteTo(&heard); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its error is the kill
		done, code := said(heard.String(), at)
		if code != "" {
			t.Fatalf("round %d: the adopter failed: %s", round, code)
		}
		if at, err = inForce(s, list, done, done+1); err != nil {
			t.Fatalf("round %d, generation %d said: %v", round, done, err)
		}
		if at > done {
			inSwap++
		}
	}
	t.Logf("%d kills over %d generations: each whole, none lost; %d stood though not yet said", rounds, at, inSwap)
}

func TestKilledSwap(t *testing.T)     { swapsKilled(t, 20) }
func TestSoakKilledSwap(t *testing.T) { soak(t); swapsKilled(t, 200) }

func soak(t *testing.T) {
	t.Helper()
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("WATCHPOST_SOAK is not set: make soak runs this")
	}
}

// swapsFailing makes each call that writes, syncs or names fail in turn.
func swapsFailing(t *testing.T, swaps, every, enough int, calls []string, errs ...string) {
	s := newStick(t)
	for n := 1; n <= swaps+1; n++ {
		s.ready(t, n)
	}
	runs, codes := 0, map[string]int{}
	for _, call := range calls {
		for _, e := range errs {
			failed := 0
			for n, good := 1, 0; good < enough; n += every {
				top := powercut.TempDir(t)
				list := filepath.Join(top, "list")
				cmd := adopter(s, list, 1, swaps)
				syscalls.Fail(t, cmd, syscalls.Failure{Call: call, Nth: n, Error: e, Paths: paths(t, s, top, list, swaps)})
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%s %d of %s: the adopter: %v\n%s", e, n, call, err, out)
				}
				done, code := said(string(out), 0)
				if good++; code != "" {
					good = 0
					failed++
				}
				runs++
				codes[code]++
				if code != "" && !strings.HasPrefix(code, "store.") {
					t.Fatalf("%s %d of %s: ended in %q", e, n, call, code)
				}
				may := []int{done}
				if code == string(ErrUncertain.Code) {
					may = append(may, done+1)
				}
				at, err := inForce(s, list, may...)
				if err != nil {
					t.Fatalf("%s %d of %s, ended in %s: %v", e, n, call, code, err)
				}
				if out, err := adopter(s, list, at+1, at+1).CombinedOutput(); err != nil {
					t.Fatalf("going on: %v\n%s", err, out)
				}
				if _, err := inForce(s, list, at+1); err != nil {
					t.Fatalf("%s %d of %s: gone on: %v", e, n, call, err)
				}
				os.RemoveAll(top)
			}
			if failed == 0 {
				t.Errorf("no %s failed: the test does not test", call)
			}
		}
	}
	delete(codes, "")
	t.Logf("%d runs, ended in %v or made good: each generation whole, none lost", runs, codes)
}

// paths are all that an adopter may touch of a list: strace is told each.
func paths(t *testing.T, s stick, top, list string, swaps int) []string {
	t.Helper()
	all := []string{top, list}
	for _, name := range []string{lockName, currentName, currentName + ".new"} {
		all = append(all, filepath.Join(list, name))
	}
	for n := 0; n <= swaps; n++ {
		dir, from := filepath.Join(list, "incoming"+partialSuffix), max(n, 1)
		if n > 0 {
			dir = filepath.Join(list, folderName(uint64(n)))
		}
		all = append(all, dir)
		files, err := os.ReadDir(filepath.Join(s.dir, strconv.Itoa(from)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			all = append(all, filepath.Join(dir, f.Name()))
		}
	}
	return all
}

func TestFailingSwap(t *testing.T) {
	swapsFailing(t, 2, 7, 1, []string{"write", "fsync", "renameat"}, "EIO")
}

func TestSoakFailingSwap(t *testing.T) {
	soak(t)
	swapsFailing(t, 3, 1, 6, []string{"write", "fsync", "renameat", "mkdirat", "openat"}, "EIO", "ENOSPC")
}

// swapsCut logs the calls of an adopter and opens the list on what power cuts
// could have left.
func swapsCut(t *testing.T, swaps, states int) {
	s, top := newStick(t), powercut.TempDir(t)
	for n := 1; n <= swaps; n++ {
		s.ready(t, n)
	}
	log := filepath.Join(t.TempDir(), "log")
	cmd := adopter(s, filepath.Join(top, "lists", "list"), 1, swaps)
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
	n := powercut.Each(t, calls, top, states, 1, func(c powercut.Cut, dir string) {
		done, _ := said(c.Said, 0)
		at, err := inForce(s, filepath.Join(dir, "lists", "list"), done, done+1)
		if err != nil {
			t.Fatalf("call %d (%s), kind %d, generation %d said: %v", c.Call, c.Last, c.Kind, done, err)
		}
		if seen[at] = true; at > done {
			ahead++
		}
	})
	if len(seen) <= swaps {
		t.Errorf("the cuts stand at %d generations only", len(seen))
	}
	t.Logf("%d states after power cuts over %d swaps: each generation whole, none lost; in %d the one under way stood", n, swaps, ahead)
}

func TestPowerCutSwap(t *testing.T) { swapsCut(t, 3, 200) }
func TestSoakPowerCutSwap(t *testing.T) {
	soak(t)
	swapsCut(t, 8, 4000)
}
