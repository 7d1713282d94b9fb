package encounter

import (
	"encoding/json"
	"testing"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// TestRestartInEveryState stops the post in each state that an encounter can
// stand in and starts it again on the same store: the encounter is there, its
// officer is told what to take again and why, it ends with one outcome, and
// one message waits for central. What an officer has said stays said.
func TestRestartInEveryState(t *testing.T) {
	for _, k := range []struct {
		name  string
		reach func(*bench) Encounter // and what its answer will be
		after State                  // where it stands after the restart
		again []StepName             // that have to be taken again
	}{
		{"opened", func(b *bench) Encounter { return b.open(true, Adult) }, Collecting, []StepName{StepDocument, StepFace}},
		{"step running", func(b *bench) Encounter {
			e := b.open(false, Adult)
			b.mu.Lock()
			b.hang = make(chan struct{})
			b.mu.Unlock()
			b.do(b.post.CaptureFace(e.ID))
			return b.until(e.ID, func(e Encounter) bool { return e.Step(StepFace).State == Running })
		}, Collecting, []StepName{StepFace}},
		{"step failed", func(b *bench) Encounter {
			e := b.open(true, Adult)
			b.mu.Lock()
			b.docErr = fault.New("card.removed", "torn")
			b.mu.Unlock()
			b.do(b.post.ReadDocument(e.ID, DocumentKey{}))
			return b.until(e.ID, func(e Encounter) bool { return e.Step(StepDocument).State == Failed })
		}, Collecting, []StepName{StepDocument, StepFace}},
		{"one step done", func(b *bench) Encounter {
			e := b.open(true, Adult)
			b.do(b.post.ReadDocument(e.ID, DocumentKey{}))
			return b.until(e.ID, func(e Encounter) bool { return e.Step(StepDocument).State == Done })
		}, Collecting, []StepName{StepDocument, StepFace}},
		{"one step skipped", func(b *bench) Encounter {
			e := b.open(true, Adult)
			b.do(b.post.Skip(e.ID, StepDocument, "o1", "reader_broken"))
			return e
		}, Collecting, []StepName{StepFace}},
		{"screening", func(b *bench) Encounter {
			b.mu.Lock()
			b.hangScreen = make(chan struct{})
			b.mu.Unlock()
			e := b.open(false, Adult)
			b.do(b.post.CaptureFace(e.ID))
			return b.until(e.ID, func(e Encounter) bool { return e.State == Screening })
		}, Collecting, []StepName{StepFace}},
		{"screening, every step skipped", func(b *bench) Encounter {
			b.mu.Lock()
			b.hangScreen = make(chan struct{})
			b.mu.Unlock()
			e := b.open(false, Adult)
			b.do(b.post.Skip(e.ID, StepFace, "o1", "refused_by_person"))
			return b.until(e.ID, func(e Encounter) bool { return e.State == Screening })
		}, Review, nil},
		{"review, clear", func(b *bench) Encounter { return b.walk(true, Adult) }, Collecting, []StepName{StepDocument, StepFace}},
		{"review, not verified", func(b *bench) Encounter {
			b.result = screening.Result{Answer: screening.NotVerified, Missing: []string{"central: link.not_asked"}}
			return b.walk(true, Adult)
		}, Collecting, []StepName{StepDocument, StepFace}},
		{"review, every step skipped", func(b *bench) Encounter {
			e := b.open(false, Adult)
			b.do(b.post.Skip(e.ID, StepFace, "o1", "refused_by_person"))
			return b.until(e.ID, inReview)
		}, Review, nil},
		{"review, a candidate", func(b *bench) Encounter {
			b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}
			return b.walk(true, Adult)
		}, Review, nil},
		{"review, a late candidate", func(b *bench) Encounter {
			e := b.walk(true, Adult)
			b.late(screening.Reply{Source: "central", Candidates: []screening.Candidate{candidate()}})
			return b.until(e.ID, func(e Encounter) bool { return len(e.Candidates) == 1 })
		}, Review, nil},
		{"review, adjudicated", func(b *bench) Encounter {
			b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}
			e := b.walk(true, Adult)
			_, err := b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: "l", Record: "r1", Finding: SamePerson, Reason: "scar"})
			b.do(err)
			return e
		}, Review, nil},
		{"closed", func(b *bench) Encounter {
			e := b.walk(true, Adult)
			_, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted})
			b.do(err)
			return e
		}, Closed, nil},
	} {
		t.Run(k.name, func(t *testing.T) {
			b := newBench(t)
			before := k.reach(b)
			b.stop()
			b.hang, b.hangScreen, b.docErr = nil, nil, nil
			b.start()
			e := b.until(before.ID, func(e Encounter) bool { return e.State == k.after })
			for _, s := range e.Steps {
				b.stepAfterRestart(s, before.Step(s.Name), k.again)
			}
			for _, name := range k.again {
				if name == StepDocument {
					b.do(b.post.ReadDocument(e.ID, DocumentKey{}))
				} else {
					b.do(b.post.CaptureFace(e.ID))
				}
			}
			if k.after != Closed {
				e = b.until(e.ID, inReview)
				for _, c := range e.Candidates {
					if (k.name == "review, adjudicated") != (c.Finding == SamePerson) {
						t.Errorf("the finding is %s", c.Finding)
					}
					_, err := b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: c.List, Record: c.Record, Finding: Undecided, Reason: "x"})
					b.do(err)
				}
				_, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Referred})
				b.do(err)
			}
			b.told(e.ID, audit.EncounterOpened, 1)
			b.told(e.ID, audit.OutcomeRecorded, 1)
			if w, err := b.post.Store.Outbox(10); err != nil || len(w) != 1 {
				t.Errorf("%d messages for central, must be one: %v", len(w), err)
			}
			if held := b.post.OpenEncounters(); len(held) != 0 {
				t.Errorf("%d encounters are open", len(held))
			}
		})
	}
}

// do fails the test where a command was refused.
func (b *bench) do(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// stepAfterRestart holds that a step has to be taken again and says why, or
// stands as it did.
func (b *bench) stepAfterRestart(s Step, before *Step, again []StepName) {
	b.t.Helper()
	for _, name := range again {
		if name != s.Name {
			continue
		}
		if s.State != Pending || s.Code != "post.restarted" || s.Hint == "" {
			b.t.Errorf("step %s is %s with code %q and hint %q", s.Name, s.State, s.Code, s.Hint)
		}
		return
	}
	if before.State == Skipped && (s.State != Skipped || s.Code != before.Code) {
		b.t.Errorf("step %s was skipped for %q, is %s for %q", s.Name, before.Code, s.State, s.Code)
	}
}

// told counts an action of an encounter in the audit log.
func (b *bench) told(id string, action audit.Action, want int) {
	b.t.Helper()
	lines, err := b.post.Store.AuditLines(0, 1000)
	b.do(err)
	n := 0
	for _, raw := range lines {
		var l audit.Line
		b.do(json.Unmarshal(raw, &l))
		if l.Encounter == id && l.Action == action {
			n++
		}
	}
	if n != want {
		b.t.Errorf("the audit log tells %d times of %s, must tell %d times", n, action, want)
	}
}
