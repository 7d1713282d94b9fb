package encounter

import (
	"errors"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer/limit"
)

// TestAttackOnSearchLimits is an officer who wants to ask more often than
// policy allows.
func TestAttackOnSearchLimits(t *testing.T) {
	limited := func(t *testing.T) *bench {
		b := newBench(t)
		rules := *policy.Default(policy.Desk)
		rules.Officers.SearchesPerHour = 3
		rules.Officers.Limits = []policy.SearchLimit{{Purpose: "reception_registration", Searches: 1, Window: policy.Duration(2 * time.Hour)}}
		b.policy = &rules
		b.stop()
		b.start()
		for _, purpose := range []string{"border_check", "reception_registration"} {
			ask(t, b, purpose)
		}
		return b
	}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, b *bench)
		code fault.Code
	}{
		{"as often as they like", func(t *testing.T, b *bench) { ask(t, b, "border_check") }, "officer.limit"},
		{"for the purpose that is limited", func(*testing.T, *bench) {}, "officer.limit"},
		{"after a restart", func(t *testing.T, b *bench) {
			ask(t, b, "border_check")
			b.stop()
			b.start()
		}, "officer.limit"},
		{"after the clock was put back", func(t *testing.T, b *bench) {
			ask(t, b, "border_check")
			b.clock(-3 * time.Hour)
		}, "officer.limit"},
		{"after a restart with the clock put back", func(t *testing.T, b *bench) {
			ask(t, b, "border_check")
			b.stop()
			b.clock(-3 * time.Hour)
			b.start()
		}, "officer.limit"},
		{"just before it lifts", func(t *testing.T, b *bench) { b.clock(2*time.Hour - time.Second) }, "officer.limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := limited(t)
			c.do(t, b)
			before, err := b.post.Store.AuditHead()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "reception_registration"}); fault.CodeOf(err) != c.code || !errors.Is(err, limit.ErrLimit) {
				t.Errorf("%v, want %s", err, c.code)
			}
			raw, err := b.post.Store.AuditLines(before.Lines, 10)
			if err != nil || len(raw) != 1 {
				t.Fatalf("%d lines tell of it: %v", len(raw), err)
			}
			for line, err := range audit.Lines(func(from int64, _ int) ([][]byte, error) { return raw[min(from, 1):], nil }) {
				if err != nil || line.Action != audit.SearchLimited || line.Actor != "o1" || line.Purpose != "reception_registration" {
					t.Errorf("%+v %v", line, err)
				}
			}
			if len(b.post.OpenEncounters()) != 0 {
				t.Error("an encounter was opened all the same")
			}
		})
	}
	t.Run("when it lifts", func(t *testing.T) {
		b := limited(t)
		b.clock(2 * time.Hour)
		ask(t, b, "reception_registration")
	})
}

// ask opens an encounter and ends it.
func ask(t *testing.T, b *bench, purpose string) {
	t.Helper()
	e, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: purpose})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Abandoned, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
}

// clock moves the clock on the wall and no other.
func (b *bench) clock(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}
