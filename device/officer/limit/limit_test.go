package limit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

var t0 = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func TestWindowSlides(t *testing.T) {
	l := New(Rule{Searches: 3, Window: time.Hour})
	for i := range 3 {
		if err := l.Allow("o1", "p", t0.Add(time.Duration(i)*20*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	err := l.Allow("o1", "p", t0.Add(59*time.Minute))
	if !errors.Is(err, &fault.Error{Code: "officer.limit"}) && fault.CodeOf(err) != "officer.limit" {
		t.Fatal(err)
	}
	if !strings.Contains(err.Error(), "2026-11-22T10:00:00Z") || !strings.Contains(fault.HintOf(err), "10:00:00") || !fault.IsRetryable(err) {
		t.Errorf("it does not say when it lifts: %v (%s)", err, fault.HintOf(err))
	}
	if err := l.Allow("o2", "p", t0.Add(59*time.Minute)); err != nil {
		t.Errorf("another officer: %v", err)
	}
	if err := l.Allow("o1", "p", t0.Add(time.Hour)); err != nil {
		t.Errorf("when it lifts: %v", err)
	}
	if err := l.Allow("o1", "p", t0.Add(time.Hour)); fault.CodeOf(err) != "officer.limit" {
		t.Errorf("one more: %v", err)
	}
}

func TestPurposesCountApart(t *testing.T) {
	l := New(Rule{Searches: 5, Window: time.Hour}, Rule{Purpose: "asylum", Searches: 1, Window: 24 * time.Hour})
	for _, c := range []struct {
		purpose string
		after   time.Duration
		refused bool
	}{
		{"asylum", 0, false}, {"asylum", time.Minute, true}, {"border", time.Minute, false}, {"border", time.Minute, false},
		{"border", time.Minute, false}, {"border", time.Minute, false}, {"border", time.Minute, true}, // five of any kind
		{"border", 2 * time.Hour, false}, {"asylum", 2 * time.Hour, true}, {"asylum", 24 * time.Hour, false},
	} {
		if err := l.Allow("o1", c.purpose, t0.Add(c.after)); (err != nil) != c.refused {
			t.Errorf("%s after %s: %v", c.purpose, c.after, err)
		}
	}
}

func TestWithoutRulesNothingIsKept(t *testing.T) {
	l := New()
	for range 1000 {
		if err := l.Allow("o1", "p", t0); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.done) != 0 {
		t.Errorf("%d officers kept", len(l.done))
	}
}

func TestUndo(t *testing.T) {
	l := New(Rule{Searches: 1, Window: time.Hour})
	if err := l.Allow("o1", "p", t0); err != nil {
		t.Fatal(err)
	}
	l.Undo("o1")
	l.Undo("nobody")
	if err := l.Allow("o1", "p", t0); err != nil {
		t.Errorf("what was not begun counts: %v", err)
	}
}
