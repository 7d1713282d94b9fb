package knocks_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/sdk/client"
)

// TestClockBack starts the daemon on a log whose last line is two hours ahead
// of this machine's clock, as a box finds itself whose clock was put back: it
// goes on from the time that it has seen, says so, and calls nothing clear. The
// clock of this machine is not touched; jumps while the daemon runs are tested
// in device/clock.
func TestClockBack(t *testing.T) {
	s := onStage(t).another(t)
	if err := s.post.KillDaemon(); err != nil {
		t.Fatal(err)
	}
	ahead := time.Now().Add(2 * time.Hour)
	db, err := store.Open(s.world.State, noKey{}) // the log needs no key
	if err != nil {
		t.Fatal(err)
	}
	line := audit.Line{Time: ahead, Actor: "post", Action: audit.PostStopped}
	if err := db.Commit(store.Change{Audit: []audit.Line{line}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.post.StartDaemon(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.seq = 0
	if err := s.world.SignIn(t.Context(), s.client); err != nil {
		t.Fatal(err)
	}
	y, err := s.client.System(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if y.Started.After(ahead) {
		t.Errorf("the daemon was started at %s by its own clock", y.Started)
	}
	if !slices.ContainsFunc(y.Devices, func(d struct{ ID, Kind, Name, State string }) bool { return d.ID == "clock" && d.State == "lost" }) {
		t.Errorf("the officer is not told: %+v", y.Devices)
	}
	inWords(t, "clock.back")
	if catalogue(t)["missing.clock.back"] == "" {
		t.Error("the page has no words for an answer without a clock")
	}

	s.show(t, "astronaut")
	genuine := s.passport(t, demo.Astronaut)
	s.lay(t, genuine)
	p := s.arrive(t, true)
	p.done(p.read(genuine.Person().Key()))
	p.done(p.face())
	e := p.answered()
	if e.Answer != "not-verified" || !slices.Contains(e.Missing, "clock: clock.back") || e.Advice == nil || e.Advice.Clear {
		t.Errorf("the answer is %s (%v), the advice %+v", e.Answer, e.Missing, e.Advice)
	}
	p.begin(s.client.Decide(t.Context(), p.id, "referred", ""))
	p.follow(func(ev client.Event) bool {
		if ev.Time.Before(ahead) {
			t.Errorf("%s is at %s, before %s", ev.Kind, ev.Time, ahead)
		}
		return ev.Kind == "encounter.outcome"
	})
	s.neverBackwards(t)
}

// another is a second post on the same bench, without central, for what cannot
// be undone.
func (s *stage) another(t *testing.T) *stage {
	t.Helper()
	two := &stage{dir: t.TempDir(), bin: s.bin, bench: s.bench, options: s.options, log: s.log, scenes: s.scenes}
	two.options.Central = nil
	var err error
	if two.world, err = demo.NewWorld(t.Context(), filepath.Join(two.dir, "post"), two.options); err != nil {
		t.Fatal(err)
	}
	if two.post, two.client, err = demo.StartPost(t.Context(), two.world, two.options, s.bench.PCSCDSocket()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := two.post.Stop(); err != nil {
			t.Error(err)
		}
	})
	return two
}

// neverBackwards holds that no line of the log is before the one before it.
func (s *stage) neverBackwards(t *testing.T) {
	t.Helper()
	var last time.Time
	for i, l := range s.auditLines(t) {
		if l.Time.Before(last) {
			t.Errorf("line %d of the audit log is at %s, after one at %s", i, l.Time, last)
		}
		last = l.Time
	}
}
