package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/finger"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/sdk/client"
)

// script is the officer: it lays the passport down, asks for captures, looks
// at what comes back and decides by the advice.
type script struct {
	client *client.Client
	bench  *bench.Bench
	world  *World
	scenes map[string]string
	show   *screen
	feeder *feeder
	person *finger.Person // with listed fingers

	last               string          // encounter
	seen               uint64          // event; a post keeps those of some 150 encounters, not all
	inspection, answer []time.Duration // as the product measured them
}

// encounterLimit is how long one encounter of the script may take.
const encounterLimit = 3 * time.Minute

// errLate is an answer that lacks a source because it was not there in time: the
// post waits less than a second for it, and a busy machine takes longer. A central
// that stands still for three seconds is given up and not asked until it is back.
var errLate = errors.New("a source was not there in time")

// lateTries is how often a person stands at the post whose answer is late.
const lateTries = 5

// take takes one person through the post, again where the machine was too slow
// for a whole answer, and says so.
func (s *script) take(ctx context.Context, k encounterCase) error {
	for tries := 1; ; tries++ {
		err := s.walk(ctx, k)
		if !errors.Is(err, errLate) || tries == lateTries {
			return err
		}
		s.show.line("  ! %v, this machine is busy: the same person once more", errLate)
		if err := waitFor(ctx, s.client, "the link is up", func(y *client.System) bool { return y.Link == "up" }); err != nil {
			return err
		}
	}
}

// walk takes one person through the post.
func (s *script) walk(ctx context.Context, k encounterCase) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, encounterLimit, fmt.Errorf("the encounter took longer than %s", encounterLimit))
	defer cancel()
	s.show.begin(k)
	if err := s.world.Show(s.scenes[k.sitter.Name]); err != nil {
		return err
	}
	s.stands(k)
	if k.passport != nil {
		if err := s.bench.Insert(ctx, 0, *k.passport); err != nil {
			return err
		}
		defer func() {
			if rerr := s.bench.Remove(context.WithoutCancel(ctx), 0); err == nil {
				err = rerr
			}
		}()
	}
	open := s.client.Open
	if k.fingers != nil {
		open = s.client.OpenWithFingers
	}
	e, err := open(ctx, Purpose, k.passport != nil, client.Declared{Age: k.age})
	if err != nil {
		return err
	}
	s.last = e.ID
	e, err = s.capture(ctx, k, e.ID)
	if err != nil {
		_, aerr := s.client.Decide(context.WithoutCancel(ctx), e0(e).ID, "abandoned", "the script failed")
		if aerr != nil {
			return fmt.Errorf("%w (and abandoning it: %w)", err, aerr)
		}
		return err
	}
	if err := s.decide(ctx, k, e); err != nil {
		return err
	}
	e, err = s.client.Get(ctx, e.ID)
	if err != nil {
		return err
	}
	s.show.end(k, e)
	if e.Decision == nil || e.Decision.Outcome != k.expect.outcome {
		return fmt.Errorf("it ended %+v, must be %s", e.Decision, k.expect.outcome)
	}
	return nil
}

// stands puts the fingers of who has come before the sensor.
func (s *script) stands(k encounterCase) {
	if k.fingers != nil {
		s.feeder.person.Store(s.person)
	} else {
		s.feeder.person.Store(nil)
	}
}

// e0 never is nil.
func e0(e *client.Encounter) *client.Encounter {
	if e == nil {
		return new(client.Encounter)
	}
	return e
}

// capture starts the steps and follows the events until the answer is there.
func (s *script) capture(ctx context.Context, k encounterCase, id string) (*client.Encounter, error) {
	if k.passport != nil {
		if _, err := s.client.ReadDocument(ctx, id, key(k.passport)); err != nil {
			return &client.Encounter{ID: id}, err
		}
	}
	if _, err := s.client.CaptureFace(ctx, id); err != nil {
		return &client.Encounter{ID: id}, err
	}
	if k.fingers != nil {
		if err := s.fingers(ctx, id, k.fingers); err != nil {
			return &client.Encounter{ID: id}, err
		}
	}
	var failed error
	ended := func(st client.Step) bool {
		if st.State == "failed" {
			failed = fmt.Errorf("step %s: %s (%s)", st.Name, st.Code, st.Hint)
		}
		return failed != nil
	}
	err := s.client.Watch(ctx, s.seen, func(ev client.Event) (bool, error) {
		s.seen = ev.Seq
		if ev.Encounter != id {
			return true, nil
		}
		s.show.event(ev)
		switch ev.Kind {
		case "answer.ready":
			return false, nil
		case "step.changed":
			var st client.Step
			if err := json.Unmarshal(ev.Data, &st); err != nil {
				return false, fmt.Errorf("decode a step: %w", err)
			}
			return !ended(st), nil
		}
		return true, nil
	}, func() (bool, error) { // as the page: what was missed is in the encounter
		e, err := s.client.Get(ctx, id)
		return err == nil && e.State != "review" && !slices.ContainsFunc(e.Steps, ended), err
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return &client.Encounter{ID: id}, err
	}
	e, err := s.client.Get(ctx, id)
	if err != nil {
		return &client.Encounter{ID: id}, err
	}
	for _, st := range e.Steps {
		if st.Name == "document" {
			s.inspection = append(s.inspection, time.Duration(st.Millis)*time.Millisecond)
		}
	}
	s.answer = append(s.answer, time.Duration(e.AnswerMS)*time.Millisecond)
	s.show.review(e)
	return e, nil
}

// decide records findings and the outcome, and holds what the product said
// against what it must say.
func (s *script) decide(ctx context.Context, k encounterCase, e *client.Encounter) error {
	wrong := k.expect.differs(e)
	for _, c := range e.Candidates {
		if _, err := s.client.Adjudicate(ctx, e.ID, c, or(k.expect.finding, "undecided"), "compared the photographs side by side"); err != nil {
			return err
		}
	}
	outcome, reason := "referred", ""
	if e.Advice != nil && e.Advice.Clear {
		outcome = "admitted"
	}
	if wrong != nil {
		outcome, reason = "abandoned", "the demonstration expected something else"
	}
	if _, err := s.client.Decide(ctx, e.ID, outcome, reason); err != nil {
		return err
	}
	return wrong
}

// differs says in what an encounter is not as expected.
func (x expect) differs(e *client.Encounter) error {
	var wrong []string
	for code, want := range x.checks {
		if got := e.Inspection.Result(code); got != want {
			wrong = append(wrong, fmt.Sprintf("%s is %q, must be %q", code, got, want))
		}
	}
	if e.Answer != x.answer {
		wrong = append(wrong, fmt.Sprintf("the answer is %q (%s), must be %q", e.Answer, strings.Join(e.Missing, "; "), x.answer))
	}
	switch {
	case x.record == "" && len(e.Candidates) > 0:
		wrong = append(wrong, fmt.Sprintf("%d candidates, must be none", len(e.Candidates)))
	case x.record != "" && (len(e.Candidates) != 1 || e.Candidates[0].Record != x.record):
		wrong = append(wrong, fmt.Sprintf("%d candidates, must be %s alone", len(e.Candidates), x.record))
	}
	if x.withhel != "" && !strings.Contains(strings.Join(e.Missing, " "), x.withhel) {
		wrong = append(wrong, fmt.Sprintf("what is missing is %q, must name %s", e.Missing, x.withhel))
	}
	switch {
	case e.Advice == nil:
		wrong = append(wrong, "no advice")
	case x.reason == "" && !e.Advice.Clear:
		wrong = append(wrong, fmt.Sprintf("the advice refers: %+v", e.Advice.Reasons))
	case x.reason != "" && !slices.ContainsFunc(e.Advice.Reasons, func(r client.Reason) bool { return r.Code == x.reason && r.Severity == "refer" }):
		wrong = append(wrong, fmt.Sprintf("the advice does not refer for %s: %+v", x.reason, e.Advice.Reasons))
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	lacks := func(why string) bool { return why != x.withhel && strings.Contains(strings.Join(e.Missing, "; "), why) }
	if lacks(": source.deadline") || lacks(notAsked) {
		return fmt.Errorf("%w: %s", errLate, strings.Join(wrong, "; "))
	}
	return errors.New(strings.Join(wrong, "; "))
}

// key is what the officer types off the data page.
func key(p *passport.Profile) string { return p.Person().Key() }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
