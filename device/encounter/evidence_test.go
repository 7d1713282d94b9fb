package encounter

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

func TestEvidenceIsKeptForItsReasonsOnly(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*bench)
		outcome Outcome
		kept    bool
	}{
		{"admitted", func(*bench) {}, Admitted, false},
		{"admitted though not verified", func(b *bench) { b.result.Answer = screening.NotVerified }, Admitted, false},
		{"abandoned", func(*bench) {}, Abandoned, false},
		{"evacuated", func(*bench) {}, Evacuated, false},
		{"referred", func(*bench) {}, Referred, true},
		{"refused", func(*bench) {}, Refused, true},
		{"admitted over a failed check", func(b *bench) { b.document.Inspection.Checks[1].Result = inspect.Fail }, Admitted, true},
		{"another person's portrait", func(b *bench) { b.portrait = person(1.2) }, Admitted, true},
		{"a candidate", func(b *bench) {
			b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}
		}, Admitted, true},
		{"a policy that keeps none", func(b *bench) {
			rules := *policy.Default(policy.Desk)
			rules.Retention.Evidence = 0
			b.post.Policy = &rules
		}, Referred, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.plant()
			c.change(b)
			e := b.walk(true, Adult)
			for _, k := range e.Candidates {
				_, err := b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: k.List, Record: k.Record, Finding: DifferentPerson, Reason: "ears"})
				b.do(err)
			}
			_, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: c.outcome, Reason: "said so"})
			b.do(err)
			got, err := b.post.Evidence(e.ID, "s1", "border_check")
			if c.kept != (err == nil) || err != nil && !errors.Is(err, ErrNoEvidence) {
				t.Fatalf("evidence: %v", err)
			}
			if c.kept {
				b.complete(got)
			}
			raw, err := b.post.Store.Encounter(e.ID)
			b.do(err)
			for _, personal := range []string{"LISTED", "ears", "L898902C3", `"scores":[{`, `"comparison"`} {
				if strings.Contains(string(raw), personal) {
					t.Errorf("the kept encounter holds %s", personal)
				}
			}
			b.stop()
			for name, raw := range b.files() {
				for what, needle := range b.needles() {
					if bytes.Contains(raw, needle) {
						t.Errorf("%s holds the %s", name, what)
					}
				}
			}
		})
	}
}

// complete holds that evidence shows what the officer saw, and no template.
func (b *bench) complete(e Evidence) {
	b.t.Helper()
	if !bytes.Equal(e.Pictures[PictureProbe], plantedShot) || !bytes.Equal(e.Pictures[PictureChip], plantedChip2) || e.Encounter.Decision == nil || e.Encounter.Inspection == nil {
		b.t.Error("the evidence is not what the officer saw")
	}
	for _, c := range e.Encounter.Candidates {
		if c.Name == "" || len(c.Scores) == 0 || c.Reason == "" {
			b.t.Error("a candidate of the evidence is not what the officer saw")
		}
	}
	if s := fmt.Sprintf("%v %+v %s", e, e, e); strings.Contains(s, "planted") || strings.Contains(s, "LISTED") {
		b.t.Errorf("printed: %s", s)
	}
}

func TestEvidenceIsAudited(t *testing.T) {
	b := newBench(t)
	e := b.referred()
	for range 2 {
		_, err := b.post.Evidence(e.ID, "s1", "border_check")
		b.do(err)
	}
	b.told(e.ID, audit.EvidenceOpened, 2)
	b.pass(72 * time.Hour)
	b.told(e.ID, audit.EvidenceShredded, 1)
	b.pass(27 * 24 * time.Hour)
	b.told(e.ID, audit.EvidenceShredded, 1)
}

// TestAttackEvidence asks for evidence in ways that must not show it.
func TestAttackEvidence(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(b *bench, id string) error
		code fault.Code
	}{
		{"after its time and before the sweep", func(b *bench, id string) error {
			b.mu.Lock()
			b.up += 72 * time.Hour
			b.mu.Unlock()
			_, err := b.post.Evidence(id, "s1", "border_check")
			return err
		}, ErrNoEvidence.Code},
		{"after its time, the wall clock set back", func(b *bench, id string) error {
			b.mu.Lock()
			b.up, b.now = b.up+72*time.Hour, b.now.Add(-1000*time.Hour)
			b.mu.Unlock()
			_, err := b.post.Evidence(id, "s1", "border_check")
			return err
		}, ErrNoEvidence.Code},
		{"after its time and a restart", func(b *bench, id string) error {
			b.stop()
			b.up += 72 * time.Hour
			b.start()
			_, err := b.post.Evidence(id, "s1", "border_check")
			return err
		}, ErrNoEvidence.Code},
		{"after the sweep", func(b *bench, id string) error {
			b.pass(72 * time.Hour)
			_, err := b.post.Evidence(id, "s1", "border_check")
			return err
		}, ErrNoEvidence.Code},
		{"for curiosity", func(b *bench, id string) error {
			_, err := b.post.Evidence(id, "s1", "curiosity")
			return err
		}, ErrPurpose.Code},
		{"for no purpose", func(b *bench, id string) error {
			_, err := b.post.Evidence(id, "s1", "")
			return err
		}, ErrPurpose.Code},
		{"of an encounter that is not there", func(b *bench, _ string) error {
			_, err := b.post.Evidence("nobody", "s1", "border_check")
			return err
		}, ErrNoEvidence.Code},
		{"of an open encounter", func(b *bench, _ string) error {
			_, err := b.post.Evidence(b.walk(true, Adult).ID, "s1", "border_check")
			return err
		}, ErrNoEvidence.Code},
		{"where its opening cannot be audited", func(b *bench, id string) error {
			db := b.post.Store
			read, err := store.Open(b.t.TempDir(), newSealer(b.t))
			b.do(err)
			b.do(read.Commit(store.Change{Encounter: id, State: []byte("{}"), Close: &store.Closing{StateUntil: 1 << 40, Evidence: []byte(`{"version":1,"until":1099511627776}`), EvidenceUntil: 1 << 40}}))
			b.post.Store = read
			defer func() { b.post.Store = db }()
			if _, err := b.post.Evidence(id, "s1", "border_check"); err != nil {
				return fault.New("test.not_shown", "it must be shown while it can be audited: %w", err)
			}
			b.do(read.Close())
			_, err = b.post.Evidence(id, "s1", "border_check")
			return err
		}, "store.failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			e := b.referred()
			if _, err := b.post.Evidence(e.ID, "s1", "border_check"); err != nil {
				t.Fatal(err)
			}
			if err := c.do(b, e.ID); fault.CodeOf(err) != c.code {
				t.Errorf("%v, want code %s", err, c.code)
			}
		})
	}
}
