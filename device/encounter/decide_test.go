package encounter

import (
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

func TestCandidateNeedsAFinding(t *testing.T) {
	b := newBench(t)
	b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}
	e := b.walk(true, Adult)
	for _, o := range []Outcome{Admitted, Referred, Refused} {
		if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: o, Reason: "x"}); !errors.Is(err, ErrUndecided) {
			t.Errorf("%s without a finding: %v", o, err)
		}
	}
	for name, bad := range map[string]AdjudicateRequest{
		"unknown finding": {Officer: "o1", List: "l", Record: "r1", Reason: "x"},
		"no reason":       {Officer: "o1", List: "l", Record: "r1", Finding: SamePerson},
		"no such record":  {Officer: "o1", List: "l", Record: "r2", Finding: SamePerson, Reason: "x"},
	} {
		if _, err := b.post.Adjudicate(e.ID, bad); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	got, err := b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: "l", Record: "r1", Finding: DifferentPerson, Reason: "other ears"})
	if err != nil || !got.Advice.Clear {
		t.Fatalf("%v %+v", err, got.Advice)
	}
	got, err = b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: "l", Record: "r1", Finding: SamePerson, Reason: "scar"})
	if err != nil || got.Advice.Clear {
		t.Fatalf("%v %+v", err, got.Advice)
	}
	done, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Referred})
	if err != nil || done.Candidates[0].Finding != SamePerson {
		t.Fatal(err)
	}
}

func TestOverrideNeedsReasonAndSecond(t *testing.T) {
	b := newBench(t)
	rules := *policy.Default(policy.Desk)
	rules.Officers.SecondOfficer = []policy.Act{policy.ActOverride}
	b.post.Policy = &rules
	b.result.Answer = screening.NotVerified
	e := b.walk(true, Adult)
	for _, c := range []struct {
		req  DecideRequest
		want error
	}{
		{DecideRequest{Officer: "o1", Outcome: Admitted}, ErrReason},
		{DecideRequest{Officer: "o1", Outcome: Admitted, Reason: "known to me"}, ErrSecond},
		{DecideRequest{Officer: "o1", Second: "o1", Outcome: Admitted, Reason: "known to me"}, ErrSecond},
	} {
		if _, err := b.post.Decide(e.ID, c.req); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.req, err, c.want)
		}
	}
	done, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Second: "s2", Outcome: Admitted, Reason: "known to me"})
	if err != nil || !done.Decision.Override || done.Decision.Second != "s2" {
		t.Fatalf("%v %+v", err, done.Decision)
	}
}

func TestCommandsOutOfOrder(t *testing.T) {
	b := newBench(t)
	if _, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "curiosity"}); !errors.Is(err, ErrPurpose) {
		t.Errorf("purpose: %v", err)
	}
	e := b.open(false, Adult)
	if _, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "border_check"}); !errors.Is(err, ErrBusy) {
		t.Errorf("two at a time: %v", err)
	}
	if err := b.post.ReadDocument(e.ID, DocumentKey{}); !errors.Is(err, ErrNoSuchStep) {
		t.Errorf("document of a person without one: %v", err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted, Reason: "x"}); fault.CodeOf(err) != ErrState.Code {
		t.Errorf("decided before anything was looked at: %v", err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: OutcomeUnknown}); fault.CodeOf(err) != "encounter.word" {
		t.Errorf("outcome unknown: %v", err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Abandoned, Reason: "left"}); err != nil {
		t.Fatal(err)
	}
	if err := b.post.CaptureFace("nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown encounter: %v", err)
	}
}
