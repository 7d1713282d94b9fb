package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// TestMain lets the test program be the bench's helper, as hwtest is.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[3] == "--inside" {
		if err := Inside(context.Background(), os.Args[4], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// startBench starts a bench, or skips in so many words where the machine
// cannot have one; CI must have one.
func startBench(t *testing.T, o Options) *Bench {
	t.Helper()
	b, err := Start(t.Context(), o)
	if code := fault.CodeOf(err); (code == codeMissing || code == codeNamespace) && os.Getenv("CI") != "true" {
		t.Skipf("SKIPPED, no bench on this machine: %v; %s", err, fault.HintOf(err))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestPrivateBench(t *testing.T) {
	b := startBench(t, Options{})
	conn, err := net.Dial("unix", b.PCSCDSocket())
	if err != nil {
		t.Fatalf("the socket takes nobody: %v", err)
	}
	conn.Close()
	for slot := range Slots {
		if err := b.Insert(t.Context(), slot, passport.Profile{Seed: uint64(slot)}); err != nil {
			t.Fatalf("insert into slot %d: %v", slot, err)
		}
	}
	for slot := range Slots {
		if err := b.Remove(t.Context(), slot); err != nil {
			t.Fatalf("remove from slot %d: %v", slot, err)
		}
	}
	if err := b.Insert(t.Context(), 0, passport.Profile{}); err != nil {
		t.Fatalf("insert again: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.PCSCDSocket()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary folder is left behind: %v", err)
	}
	if err := b.Insert(t.Context(), 1, passport.Profile{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed bench takes a card: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestTwoBenchesAndAnInvisiblePort(t *testing.T) {
	a, b := startBench(t, Options{}), startBench(t, Options{})
	if a.PCSCDSocket() == b.PCSCDSocket() {
		t.Fatal("two benches share a socket")
	}
	for _, one := range []*Bench{a, b} {
		if err := one.Insert(t.Context(), 0, passport.Profile{}); err != nil {
			t.Fatal(err)
		}
	}
	// The machine's own pcscd may listen there: what must not be is that the
	// port is open because of a bench. Its namespace is another one.
	mine, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(a.cards.(*helper).process.Pid), "ns/net"))
	if err != nil {
		t.Skipf("SKIPPED: the helper's namespaces cannot be seen: %v", err)
	}
	if mine == theirs {
		t.Error("the bench has no network of its own")
	}
}

func TestSlotErrors(t *testing.T) {
	b := startBench(t, Options{})
	for _, slot := range []int{-1, Slots} {
		if err := b.Insert(t.Context(), slot, passport.Profile{}); !errors.Is(err, ErrSlot) {
			t.Errorf("insert into slot %d: %v", slot, err)
		}
		if err := b.Remove(t.Context(), slot); !errors.Is(err, ErrSlot) {
			t.Errorf("remove from slot %d: %v", slot, err)
		}
	}
	if err := b.Remove(t.Context(), 0); !errors.Is(err, ErrSlot) {
		t.Errorf("remove from an empty slot: %v", err)
	}
	if err := b.Insert(t.Context(), 0, passport.Profile{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Insert(t.Context(), 0, passport.Profile{}); !errors.Is(err, ErrSlot) {
		t.Errorf("insert into a taken slot: %v", err)
	}
	if err := b.InsertDocument(t.Context(), 1, &passport.Document{Files: map[string][]byte{"DG99": {}}}); fault.CodeOf(err) != "passport.profile" {
		t.Errorf("a document that no chip holds: %v", err)
	}
}

func TestKilledHelperTakesEverythingAlong(t *testing.T) {
	ended := make(chan Event, 1)
	dir := t.TempDir()
	b := startBench(t, Options{Dir: dir, OnEvent: func(e Event) { ended <- e }})
	if err := b.cards.(*helper).process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-ended:
		if e.Kind != "ended" {
			t.Errorf("event %q", e.Kind)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody says that the bench has ended")
	}
	if err := b.Insert(t.Context(), 0, passport.Profile{}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if left := processesIn(t, dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// processesIn lists the command lines that name dir.
func processesIn(t *testing.T, dir string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range lines {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), dir) {
			out = append(out, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return out
}

func TestStartRefusals(t *testing.T) {
	if _, err := Start(t.Context(), Options{PCSCD: filepath.Join(t.TempDir(), "none")}); fault.CodeOf(err) != codeStart {
		t.Errorf("no pcscd at the socket given: %v", err)
	}
	if _, err := findPCSCD(); err != nil {
		return // what follows needs a machine that could
	}
	if _, err := Start(t.Context(), Options{Dir: filepath.Join(t.TempDir(), strings.Repeat("long", 30))}); fault.CodeOf(err) != codeStart {
		t.Errorf("a path too long for a socket: %v", err)
	}
	if _, err := Start(t.Context(), Options{Helper: []string{filepath.Join(t.TempDir(), "none")}}); fault.CodeOf(err) != codeStart && fault.CodeOf(err) != codeNamespace {
		t.Errorf("no helper: %v", err)
	}
	if path, err := exec.LookPath("true"); err == nil {
		if _, err := Start(t.Context(), Options{Helper: []string{path}}); fault.CodeOf(err) != codeStart && fault.CodeOf(err) != codeNamespace {
			t.Errorf("a helper that says nothing: %v", err)
		}
	}
}

func TestInsideRefusesElsewhere(t *testing.T) {
	if err := Inside(t.Context(), t.TempDir(), strings.NewReader(""), os.Stderr); fault.CodeOf(err) != codeInside {
		t.Errorf("got %v", err)
	}
}
