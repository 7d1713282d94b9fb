package knocks_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/hwtest/wire"
	"github.com/watchpost/watchpost/sdk/client"
)

// hangLimit is how soon an officer knows that a process hangs: it is asked
// every second and given three.
const hangLimit = 6 * time.Second

// replaceLimit is how soon a decode process that hangs is known and another one
// has loaded its models and done the work: 3 s on two quiet cores.
const replaceLimit = 12 * time.Second

// freeze stops a role's processes without ending them and lets them go on at
// the end of the test at the latest.
func (s *stage) freeze(t *testing.T, r demo.Role) (thaw func()) {
	t.Helper()
	n, err := s.post.Signal(r, syscall.SIGSTOP)
	if err != nil || n == 0 {
		t.Fatalf("%d processes of %s were stopped: %v", n, r, err)
	}
	thaw = func() {
		if _, err := s.post.Signal(r, syscall.SIGCONT); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(thaw)
	// The signal is sent, not yet felt by every thread; and one that began at this
	// very moment has not been sent it.
	for deadline := time.Now().Add(stepLimit); ; time.Sleep(time.Millisecond) {
		pids, err := s.post.PIDs(r)
		if err != nil {
			t.Fatal(err)
		}
		if allStopped(t, pids) {
			return thaw
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not stop", r)
		}
		if _, err := s.post.Signal(r, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
}

// allStopped reports whether no thread of the processes runs: state T in
// /proc/PID/task/TID/stat (proc(5)), which stands after the name in brackets.
func allStopped(t *testing.T, pids []int) bool {
	t.Helper()
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range threads {
			raw, err := os.ReadFile(path)
			if err != nil {
				continue // that thread has ended
			}
			if end := bytes.LastIndexByte(raw, ')'); end < 0 || !bytes.HasPrefix(raw[end:], []byte(") T")) {
				return false
			}
		}
	}
	return true
}

// TestCaptureHangs stops the process of the devices: a step says so within
// seconds, the state of the post as well; after it goes on, or was killed and
// started again, the same encounter goes on.
func TestCaptureHangs(t *testing.T) {
	s := onStage(t)
	s.show(t, "astronaut")
	p := s.arrive(t, false)
	thaw := s.freeze(t, demo.Devices)
	within(t, hangLimit, func() { p.fails(p.face(), "capture.hangs") })
	inWords(t, "capture.hangs")
	within(t, time.Second, func() {
		y, err := s.client.System(t.Context())
		if err != nil || len(y.Devices) != 1 || y.Devices[0].State != "lost" {
			t.Errorf("the state of the post is %+v, %v", y, err)
		}
	})
	thaw()
	p.done(again("capture.hangs", p.face))
	if e := p.answered(); e.Answer != "clear" {
		t.Errorf("after the process goes on the answer is %s (%v)", e.Answer, e.Missing)
	}
}

// TestDecodeHangs stops the process that waits for the chip's portrait: another
// one takes its place, and the officer has the comparison all the same.
func TestDecodeHangs(t *testing.T) {
	s := onStage(t)
	s.settled(t)
	s.show(t, "astronaut")
	genuine := s.passport(t, demo.Astronaut)
	s.lay(t, genuine)
	p := s.arrive(t, true)
	p.done(p.read(genuine.Person().Key()))
	s.freeze(t, demo.Decode)
	var e *client.Encounter
	p.done(p.face())
	within(t, replaceLimit, func() { e = p.answered() })
	if got := e.Inspection.Result("portrait.match"); got != "pass" || e.Answer != "clear" || e.Advice == nil || !e.Advice.Clear {
		t.Errorf("portrait.match is %s, the answer %s, the advice %+v", got, e.Answer, e.Advice)
	}
}

// camera starts the devices with a camera of another pace.
func (s *stage) camera(t *testing.T, options string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture.yaml")
	config := fmt.Sprintf("cameras:\n  - id: face\n    kind: images\n    path: %s\n    loop: true\n%s", s.world.Camera, options)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.capture(t, path)
}

// TestFrozenCamera shows the camera one picture for ever, which no sensor does.
func TestFrozenCamera(t *testing.T) {
	s := onStage(t)
	one := filepath.Join(t.TempDir(), "one")
	if err := os.Mkdir(one, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(s.scenes["astronaut"], "000.jpg"), filepath.Join(one, "000.jpg")); err != nil {
		t.Fatal(err)
	}
	s.scenes["frozen"] = one
	s.show(t, "frozen")
	s.camera(t, "    fps: 30\n    frozen_after: 0.2\n")
	p := s.arrive(t, false)
	st := p.face()
	// The first frames of a camera that was just opened cannot be known to
	// be copies; they are as old as the person is there.
	if st.State == "done" {
		t.Fatal("copies of one frame were taken for three frames")
	}
	p.fails(st, "camera.frozen")
	inWords(t, "camera.frozen")
	s.show(t, "astronaut")
	p.done(p.face())
}

// TestStaleFrame changes the person before a slow camera that stays open: the
// frame that the camera has is of the one who has left, and is never used.
func TestStaleFrame(t *testing.T) {
	s := onStage(t)
	s.camera(t, "    fps: 4\n") // a frame stays the newest for a quarter of a second
	s.show(t, "man")
	first := s.arrive(t, false)
	first.done(first.face())
	if e := first.answered(); e.Answer != "candidates" {
		t.Fatalf("the first person is %s", e.Answer)
	}
	first.begin(s.client.Decide(t.Context(), first.id, "abandoned", "the next, please"))
	for _, k := range []struct{ scene, answer string }{{"astronaut", "clear"}, {"man", "candidates"}} {
		s.show(t, k.scene)
		p := s.arrive(t, false)
		p.done(p.face())
		if e := p.answered(); e.Answer != k.answer {
			t.Fatalf("the %s is %s: %+v", k.scene, e.Answer, e.Candidates)
		}
		p.begin(s.client.Decide(t.Context(), p.id, "abandoned", "the next, please"))
	}
}

// TestReaderUnplugged takes the reader away in mid-reading and gives it back.
func TestReaderUnplugged(t *testing.T) {
	s := onStage(t)
	s.show(t, "astronaut")
	slow := s.passport(t, demo.Astronaut, slowly...)
	key := slow.Person().Key()
	s.lay(t, slow)
	p := s.arrive(t, true)
	p.begin(s.client.ReadDocument(t.Context(), p.id, key))
	p.follow(func(ev client.Event) bool { return ev.Kind == "step.progress" })
	if err := s.bench.Unplug(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := p.ended("document")
	if !strings.HasPrefix(st.Code, "card.") && !strings.HasPrefix(st.Code, "reader.") && !strings.HasPrefix(st.Code, "device.") {
		t.Errorf("a reader torn off is told as %q", st.Code)
	}
	p.fails(st, st.Code)
	inWords(t, st.Code)
	without := p.read(key)
	p.fails(without, without.Code)
	if without.Code != "reader.none" && without.Code != "device.lost" && without.Code != "device.unknown" {
		t.Errorf("without a reader the code is %q", without.Code)
	}
	inWords(t, without.Code)
	if err := s.bench.Plug(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.lay(t, s.passport(t, demo.Astronaut))
	p.done(again(without.Code, func() client.Step { return p.read(key) }))
	p.done(p.face())
	if e := p.answered(); e.Answer != "clear" || !e.Advice.Clear {
		t.Errorf("after the reader is back the answer is %s (%v)", e.Answer, e.Missing)
	}
}

// TestDaemonFrozen stops the daemon in mid-encounter for as long as central
// takes to give it up: a caller is not kept waiting by the other side, and when
// it goes on so do encounter, events and link, and the outcome is delivered.
func TestDaemonFrozen(t *testing.T) {
	s := onStage(t)
	s.settled(t)
	before := s.delivered(t)
	s.show(t, "astronaut")
	p := s.arrive(t, false)
	p.done(p.face())
	p.answered()
	thaw := s.freeze(t, demo.Daemon)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := s.client.System(ctx); err == nil {
		t.Error("a frozen daemon answers")
	}
	// The link breaks meanwhile, which a frozen daemon cannot see.
	s.central.Wire.Break()
	thaw()
	e, err := s.client.Get(t.Context(), p.id)
	if err != nil || e.State != "review" {
		t.Fatalf("after the daemon goes on: %+v, %v", e, err)
	}
	p.begin(s.client.Decide(t.Context(), p.id, "admitted", ""))
	p.follow(func(ev client.Event) bool { return ev.Kind == "encounter.outcome" })
	p.delivered()
	if after := s.delivered(t); after != before+1 {
		t.Errorf("central has %d outcomes more, must have one", after-before)
	}
	s.wire(t, wire.Open)
}
