package encounter

import (
	"errors"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/screening"
)

func TestSweep(t *testing.T) {
	b := newBench(t)
	e := b.walk(true, Adult)
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted}); err != nil {
		t.Fatal(err)
	}
	idle := b.open(false, Adult)
	b.pass(14 * time.Minute)
	if got, _ := b.post.Get(idle.ID); got.State != Collecting {
		t.Error("abandoned too early")
	}
	b.pass(time.Minute)
	if got, _ := b.post.Get(idle.ID); got.State != Closed || got.Decision.Outcome != Abandoned {
		t.Error("an idle encounter stays open")
	}
	if _, err := b.post.Get(e.ID); err != nil {
		t.Errorf("removed too early: %v", err)
	}
	b.pass(31 * 24 * time.Hour)
	if _, err := b.post.Get(e.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("kept too long: %v", err)
	}
}

// referred takes a person with a candidate to a referral.
func (b *bench) referred() Encounter {
	b.t.Helper()
	b.mu.Lock()
	b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}
	b.mu.Unlock()
	e := b.walk(true, Adult)
	_, err := b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: "l", Record: "r1", Finding: SamePerson, Reason: "scar"})
	b.do(err)
	_, err = b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Referred})
	b.do(err)
	return e
}

// TestKeptAsLongAsSaid moves the clocks in every way after a referral and asks
// for evidence and encounter: 72 hours and 30 days of time that has passed,
// whatever the wall clock shows.
func TestKeptAsLongAsSaid(t *testing.T) {
	const day = 24 * time.Hour
	set := func(wall time.Duration) func(*bench) {
		return func(b *bench) { b.mu.Lock(); defer b.mu.Unlock(); b.now = b.now.Add(wall) }
	}
	pass := func(d time.Duration) func(*bench) { return func(b *bench) { b.pass(d) } }
	restart := func(b *bench) { b.stop(); b.start() }
	off := func(d time.Duration) func(*bench) { // switched off for d
		return func(b *bench) {
			b.stop()
			b.mu.Lock()
			b.now, b.boot, b.up = b.now.Add(d), b.boot+"+", time.Minute
			b.mu.Unlock()
			b.start()
		}
	}
	for _, c := range []struct {
		name                string
		does                []func(*bench)
		evidence, encounter bool // are still there
	}{
		{"71 hours", []func(*bench){pass(71 * time.Hour)}, true, true},
		{"72 hours", []func(*bench){pass(72 * time.Hour)}, false, true},
		{"30 days", []func(*bench){pass(30 * day)}, false, false},
		{"clock set forwards", []func(*bench){set(9000 * day), pass(0)}, true, true},
		{"clock set forwards, program restarted", []func(*bench){set(9000 * day), restart, pass(time.Minute)}, true, true},
		{"clock set back", []func(*bench){set(-9000 * day), pass(72 * time.Hour)}, false, true},
		{"clock set back, program restarted", []func(*bench){set(-9000 * day), restart, pass(72 * time.Hour)}, false, true},
		{"restarted each hour", []func(*bench){pass(36 * time.Hour), restart, pass(35 * time.Hour), restart, pass(time.Minute)}, true, true},
		{"restarted, 72 hours", []func(*bench){pass(36 * time.Hour), restart, pass(36 * time.Hour)}, false, true},
		{"off for three days", []func(*bench){off(72 * time.Hour), pass(0)}, false, true},
		{"off for a day", []func(*bench){off(24 * time.Hour), pass(time.Hour)}, true, true},
		{"off, and the clock lost", []func(*bench){off(-9000 * day), pass(71 * time.Hour)}, true, true},
		{"off, the clock lost, 72 hours on", []func(*bench){off(-9000 * day), pass(72 * time.Hour)}, false, true},
		{"off, the clock lost and set right", []func(*bench){off(-9000 * day), set(9003 * day), pass(time.Hour)}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			e := b.referred()
			for _, do := range c.does {
				do(b)
			}
			if _, err := b.post.Evidence(e.ID, "s1", "border_check"); c.evidence != (err == nil) || err != nil && !errors.Is(err, ErrNoEvidence) {
				t.Errorf("evidence: %v", err)
			}
			if _, err := b.post.Get(e.ID); c.encounter != (err == nil) || err != nil && !errors.Is(err, ErrNotFound) {
				t.Errorf("encounter: %v", err)
			}
		})
	}
}
