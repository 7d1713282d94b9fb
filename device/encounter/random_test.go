package encounter

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/screening"
)

// TestAnyOrderOfCommandsIsSafe sends random commands and holds the invariant
// that nobody is admitted without a clear advice or a reasoned override.
func TestAnyOrderOfCommandsIsSafe(t *testing.T) {
	b := newBench(t)
	rules := *policy.Default(policy.Desk)
	rules.Officers.SearchesPerHour = 0
	b.post.Policy = &rules
	rng := rand.New(rand.NewPCG(1, 2))
	answers := []screening.Result{{}, {Answer: screening.Clear}, {Answer: screening.NotVerified}, {Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}}
	closed := 0
	for range 60 {
		b.mu.Lock()
		b.result = answers[rng.IntN(len(answers))]
		b.mu.Unlock()
		e := b.open(rng.IntN(2) == 0, AgeClass(rng.IntN(3)))
		for range 200 {
			var done Encounter
			var err error
			switch rng.IntN(6) {
			case 0:
				_ = b.post.ReadDocument(e.ID, DocumentKey{}) // may be refused: that is the point
			case 1:
				_ = b.post.CaptureFace(e.ID)
			case 2:
				_ = b.post.Skip(e.ID, []StepName{StepDocument, StepFace}[rng.IntN(2)], "o1", "x")
			case 3:
				_, _ = b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: "l", Record: "r1", Finding: Finding(rng.IntN(4)), Reason: "x"})
			case 4:
				done, err = b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Outcome(rng.IntN(4))})
			case 5:
				done, err = b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted, Reason: strings.Repeat("x", rng.IntN(2))})
			}
			// Steps and the question run beside the commands; let them end.
			b.until(e.ID, func(e Encounter) bool {
				return e.State != Screening && !slices.ContainsFunc(e.Steps, func(s Step) bool { return s.State == Running })
			})
			if err == nil && done.State == Closed {
				closed++
				if done.Decision.Outcome == Admitted && !done.Advice.Clear && (!done.Decision.Override || done.Decision.Reason == "") {
					t.Fatalf("admitted against %+v without a reasoned override", done.Advice)
				}
				break
			}
		}
		if _, err := b.post.Get(e.ID); err == nil && len(b.post.OpenEncounters()) > 0 {
			if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Abandoned, Reason: "end of test"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if closed < 30 {
		t.Errorf("only %d encounters came to an end: the test does not test", closed)
	}
	if _, err := b.post.Store.VerifyAudit(); err != nil {
		t.Error(err)
	}
}
