package knocks_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/sdk/client"
)

// diskSize is that of the small disk, bytes: state, list and what the post
// sets aside take about a third.
const diskSize = 96 << 20

// smallDisk moves the post's state onto a file system of its own for the test.
// Who may not mount cannot fill a disk without filling everybody's: the test is
// left out then, and an error where CI says that it is root.
func (s *stage) smallDisk(t *testing.T) (dir string) {
	t.Helper()
	state := s.world.State
	if err := s.post.Stop(); err != nil {
		t.Fatal(err)
	}
	s.noSocket()
	kept := state + "-kept"
	if err := os.Rename(state, kept); err != nil {
		t.Fatal(err)
	}
	back := func() {
		if err := os.Remove(state); err != nil {
			t.Error(err)
		}
		if err := os.Rename(kept, state); err != nil {
			t.Error(err)
		}
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", state, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,mode=700", diskSize)); err != nil {
		back()
		s.restart(t)
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount a small disk: %v", err)
		}
		t.Skipf("SKIPPED: a small disk needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := s.post.Stop(); err != nil {
			t.Error(err)
		}
		s.noSocket()
		// What has happened here happened: central has heads of the log.
		if err := os.RemoveAll(kept); err != nil {
			t.Error(err)
		}
		if err := os.CopyFS(kept, os.DirFS(state)); err != nil {
			t.Error(err)
		}
		if err := unix.Unmount(state, 0); err != nil {
			t.Error(err)
		}
		back()
		s.restart(t)
	})
	if err := os.CopyFS(state, os.DirFS(kept)); err != nil {
		t.Fatal(err)
	}
	s.restart(t)
	return state
}

// restart brings the post up on what is in its state folder.
func (s *stage) restart(t *testing.T) {
	t.Helper()
	s.noSocket()
	if err := s.start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.seq = 0
}

// noSocket removes what a confined process leaves behind.
func (s *stage) noSocket() {
	for _, name := range []string{"capture.sock", "admin.sock"} {
		_ = os.Remove(filepath.Join(s.world.State, name))
	}
}

// fill writes a file until so many bytes are left.
func fill(t *testing.T, dir, name string, left uint64) (empty func()) {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	free := st.Bavail * uint64(st.Bsize)
	if free < left {
		t.Fatalf("%d bytes are free, %d must be left", free, left)
	}
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(free-left)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// TestFullDisk fills the disk that the state lies on.
func TestFullDisk(t *testing.T) {
	s := onStage(t)
	s.settled(t)
	dir := s.smallDisk(t)
	t.Run("in mid-encounter", func(t *testing.T) { s.fullDisk(t, dir) })
	t.Run("at the start", func(t *testing.T) { s.startOnFullDisk(t, dir) })
}

// fullDisk fills the disk in mid-encounter: no new encounter begins, the one
// under way ends and its outcome reaches central, and when there is room again
// encounters begin by themselves.
func (s *stage) fullDisk(t *testing.T, dir string) {
	t.Helper()
	s.settled(t)
	before := s.delivered(t)
	s.show(t, "astronaut")
	p := s.arrive(t, false)
	colleague := s.colleague(t)

	empty := fill(t, dir, "filler", 4<<10)
	_, err := colleague.Open(t.Context(), demo.Purpose, false, client.Declared{Age: "adult"})
	if code(err) != "store.full" {
		t.Errorf("an encounter on a full disk: %v", err)
	}
	inWords(t, "store.full")
	p.done(p.face())
	if e := p.answered(); e.Answer != "clear" {
		t.Errorf("the answer on a full disk is %s (%v)", e.Answer, e.Missing)
	}
	// What the post had set aside has been given up; now that is gone too.
	more := fill(t, dir, "more", 0)
	for {
		_, err = s.client.Decide(t.Context(), p.id, "admitted", "")
		if err == nil || code(err) == "store.full" {
			break
		}
		t.Fatalf("the outcome on a disk without a byte: %v", err)
	}
	if err != nil { // refused, and kept open until there is room
		e, gerr := s.client.Get(t.Context(), p.id)
		if gerr != nil || e.State != "review" {
			t.Fatalf("after a refused outcome: %+v, %v", e, gerr)
		}
		more()
		p.begin(s.client.Decide(t.Context(), p.id, "admitted", ""))
	} else {
		more()
	}
	p.delivered()
	if after := s.delivered(t); after != before+1 {
		t.Errorf("central has %d outcomes more, must have one", after-before)
	}

	empty()
	var e *client.Encounter
	for begun := time.Now(); ; time.Sleep(tryEvery) {
		if e, err = colleague.Open(t.Context(), demo.Purpose, false, client.Declared{Age: "adult"}); err == nil {
			break
		}
		if code(err) != "store.full" || time.Since(begun) > stepLimit {
			t.Fatalf("with room again: %v", err)
		}
	}
	if _, err := colleague.Decide(t.Context(), e.ID, "abandoned", "the test ends here"); err != nil {
		t.Fatal(err)
	}
	p.delivered()
}

// startOnFullDisk kills the daemon in mid-encounter on a disk that is full and
// starts it there: it takes the encounter up and it can be ended.
func (s *stage) startOnFullDisk(t *testing.T, dir string) {
	t.Helper()
	s.settled(t)
	s.show(t, "astronaut")
	p := s.arrive(t, false)
	empty := fill(t, dir, "filler", 0)
	s.kill(t, demo.Daemon)
	p.goesOn("")
	empty()
	p.delivered()
	s.auditCounts(t, p.id, map[string]int{"encounter.opened": 1, "encounter.resumed": 1, "encounter.outcome": 1})
}

// colleague is another officer, signed in.
func (s *stage) colleague(t *testing.T) *client.Client {
	t.Helper()
	c := client.NewSocket(filepath.Join(s.world.State, "admin.sock"))
	if err := c.SignIn(t.Context(), "demo-colleague", s.world.Third); err != nil {
		t.Fatal(err)
	}
	return c
}
