package encounter

import (
	"errors"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/screening"
)

func TestGenuineHolderIsAdmitted(t *testing.T) {
	b := newBench(t)
	e := b.walk(true, AgeUnknown)
	if !e.Advice.Clear || e.Answer != screening.Clear || e.Age != Adult || e.Inspection.Result(inspect.PortraitMatch) != inspect.Pass {
		t.Fatalf("advice %+v, answer %s, age %s", e.Advice, e.Answer, e.Age)
	}
	if q := b.asked[0]; q.Face == nil || q.Face.Frames != 3 || len(q.Documents) != 1 || len(q.Withheld) != 0 {
		t.Error("the question is not about face and document")
	}
	done, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted})
	if err != nil || done.Decision.Override {
		t.Fatal(err)
	}
	kept, err := b.post.Get(e.ID)
	if err != nil || kept.State != Closed || kept.Face != nil || kept.Comparison != nil || kept.Inspection.Document.Number != "" {
		t.Errorf("kept more than an admitted encounter may: %v", err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Refused, Reason: "x"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a second outcome: %v", err)
	}
	if w, err := b.post.Store.Outbox(10); err != nil || len(w) != 1 {
		t.Errorf("%d messages for central, %v", len(w), err)
	}
}

func TestWhatSpeaksAgainstAdmitting(t *testing.T) {
	check := func(code inspect.Code, r inspect.Result) func(*bench) {
		return func(b *bench) {
			for i := range b.document.Inspection.Checks {
				if b.document.Inspection.Checks[i].Code == code {
					b.document.Inspection.Checks[i].Result = r
				}
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*bench)
		code   string // first reason of the advice
	}{
		{"forged portrait although the faces match", func(b *bench) { check(inspect.GroupHash(2), inspect.Fail)(b); b.document.Vouched = false }, "dg2.hash"},
		{"imitated issuer", check(inspect.DSChain, inspect.Fail), "ds.chain"},
		{"unknown issuer", check(inspect.DSChain, inspect.NotAssessable), "ds.chain"},
		{"a check nobody judged", check(inspect.SODSignature, inspect.Unknown), "sod.signature"},
		{"another person", func(b *bench) { b.portrait = person(1.2) }, "portrait.match"},
		{"no portrait", func(b *bench) { b.document.Portrait = nil }, "portrait.match"},
		{"no checks at all", func(b *bench) { b.document.Inspection.Checks = nil }, "portrait.match"},
		{"a candidate", func(b *bench) {
			b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}
		}, "l/r1"},
		{"a stale list", func(b *bench) {
			b.result = screening.Result{Answer: screening.NotVerified, Missing: []string{"local: list stale"}}
		}, "not-verified"},
		{"an answer nobody gave", func(b *bench) { b.result = screening.Result{} }, "not-verified"},
		{"two models", func(b *bench) { b.portrait.Version = "2" }, "portrait.match"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			if c.name == "no checks at all" {
				b.document.Portrait = nil
			}
			c.change(b)
			e := b.walk(true, Adult)
			if e.Advice.Clear || len(e.Advice.Reasons) == 0 || !slices.ContainsFunc(e.Advice.Reasons, func(r Reason) bool { return r.Code == c.code && r.Severity == policy.Refer }) {
				t.Fatalf("advice %+v", e.Advice)
			}
			if c.code == "dg2.hash" && e.Inspection.Result(inspect.PortraitMatch) != inspect.Pass {
				t.Error("the presenter's own portrait must match, so that the hash alone speaks against it")
			}
			_, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted})
			if !errors.Is(err, ErrReason) && !errors.Is(err, ErrUndecided) {
				t.Errorf("admitted without a word: %v", err)
			}
		})
	}
}

// A portrait that matches, but hardly, is left to the officer's eye: it is told
// and hinders nothing by the policy as it ships.
func TestHardlyAlikePortraitIsTold(t *testing.T) {
	for _, c := range []struct {
		angle  float64 // of the portrait from the live face
		result inspect.Result
		notice bool
	}{
		{0.05, inspect.Pass, false}, {0.40, inspect.NotAssessable, true}, {1.2, inspect.NotPerformed, false}, // cosines 0.9995, 0.925, 0.37; threshold 0.9
	} {
		b := newBench(t)
		b.portrait = person(c.angle)
		e := b.walk(true, Adult)
		if got := e.Inspection.Result(inspect.PortraitMorph); got != c.result {
			t.Errorf("portrait %v aside: %v, want %v", c.angle, got, c.result)
		}
		told := false
		for _, r := range e.Advice.Reasons {
			told = told || r.Code == string(inspect.PortraitMorph) && r.Reason == "grey_zone" && r.Severity == policy.Notice
		}
		if told != c.notice || c.notice && !e.Advice.Clear {
			t.Errorf("portrait %v aside: told %v, advice %+v", c.angle, told, e.Advice)
		}
	}
}
