package encounter

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/liveness"
)

// watcher shows the post what a simulated presentation makes of a challenge.
// It learns the challenge from the event, as whoever stands before the post
// learns it from the screen.
type watcher struct {
	b       *bench
	species []string // of each try; the last again and again
	person  uint64   // who stands there: another number is another person
	change  func([]WatchedFace)
	err     error
	pulled  error // ends the watch when the challenge is seen

	mu    sync.Mutex
	asked []pad.Challenge
}

// errNotShown stands for a challenge that nobody was told of.
var errNotShown = errors.New("no challenge was shown")

func (w *watcher) WatchFace(ctx context.Context, length time.Duration, begun func()) ([]WatchedFace, error) {
	if w.err != nil {
		return nil, w.err
	}
	before := w.b.post.Events.Last()
	begun()
	events, err := w.b.post.Events.Next(ctx, before)
	if err != nil {
		return nil, err
	}
	var c ChallengeData
	for _, ev := range events {
		if ev.Kind == EventChallenge {
			if err = json.Unmarshal(ev.Data, &c); err != nil {
				return nil, err
			}
		}
	}
	if len(c.Steps) == 0 {
		return nil, errNotShown
	}
	if w.pulled != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked = append(w.asked, c.Challenge)
		return nil, w.pulled
	}
	w.mu.Lock()
	species := w.species[min(len(w.asked), len(w.species)-1)]
	w.asked = append(w.asked, c.Challenge)
	try := uint64(len(w.asked))
	w.mu.Unlock()
	frames, err := liveness.Present(rand.New(rand.NewPCG(11+w.person, try)), species, c.Challenge)
	if err != nil {
		return nil, err
	}
	var out []WatchedFace
	for _, f := range frames {
		same := f.Same
		f.At += time.Duration(c.LeadMS) * time.Millisecond
		f.Same = math.NaN()
		t := person(0.01 + math.Acos(min(1, same)))
		out = append(out, WatchedFace{Frame: f, Faces: 1, Template: &t})
	}
	if w.change != nil {
		w.change(out)
	}
	if last := out[len(out)-1].Frame.At; last > length {
		return nil, errNotShown
	}
	return out, nil
}

// challenged is a bench whose policy asks for challenges, its encounter with the
// face taken.
func challenged(t *testing.T, mode policy.PresentationMode, kinds []pad.Kind, tries int, species ...string) (*bench, *watcher, Encounter) {
	t.Helper()
	b := newBench(t)
	w := &watcher{b: b, species: species}
	rules := policy.Default(policy.Desk)
	rules.Presentation = &policy.Presentation{Mode: mode, Challenges: kinds, Tries: tries}
	b.post.Policy, b.post.Watcher, b.post.TravellerDisplay = rules, w, true
	e := b.open(false, Adult)
	if err := b.post.CaptureFace(e.ID); err != nil {
		t.Fatal(err)
	}
	return b, w, b.until(e.ID, func(e Encounter) bool { return e.Step(StepFace).State == Done })
}

// vouched lets passes of all kinds count.
func (b *bench) vouched() {
	for _, k := range []pad.Kind{pad.Flash, pad.Turn, pad.Blink} {
		b.post.Policy.Presentation.Benches = append(b.post.Policy.Presentation.Benches, policy.Bench{Challenge: k, Report: "LAB-1", SHA256: "00"})
	}
}

// try gives one challenge and waits for what comes of it.
func (b *bench) try(id string) Encounter {
	b.t.Helper()
	before, err := b.post.Get(id)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.post.Challenge(id, ChallengeRequest{}); err != nil {
		b.t.Fatal(err)
	}
	return b.until(id, func(e Encounter) bool {
		s := e.Step(StepPresentation)
		return s.State != Running && (e.Presentation.Tries > before.Presentation.Tries || s.Code != "" && s.Tries > before.Step(StepPresentation).Tries)
	})
}

func TestChallengeIsAnswered(t *testing.T) {
	// Of live people some are not understood: until one is, at most ten times.
	for _, kind := range []pad.Kind{pad.Flash, pad.Turn, pad.Blink} {
		passed := false
		for n := 0; n < 10 && !passed; n++ {
			b, w, e := challenged(t, policy.PresentationRequire, []pad.Kind{kind}, 1, liveness.BonaFide)
			b.vouched()
			w.person = uint64(n)
			e = b.try(e.ID)
			f := e.Presentation
			if f.Check.Code != inspect.PresentationAttack || f.Check.Clause == "" || f.Kind != kind.String() || len(w.asked) != 1 || w.asked[0].Kind != kind {
				t.Fatalf("%v: %+v", kind, f)
			}
			if passed = f.Check.Result == inspect.Pass; passed {
				e = b.until(e.ID, inReview)
				if f.Bench != "LAB-1" || !e.Advice.Clear || e.Step(StepPresentation).State != Done {
					t.Errorf("%v: %+v, %+v", kind, f, e.Advice)
				}
			}
		}
		if !passed {
			t.Errorf("%v: ten live people did not pass", kind)
		}
	}
}

// What no bench vouches for is not assessable, whatever the mode; the mode says
// what that weighs.
func TestChallengeWithoutBench(t *testing.T) {
	for mode, clear := range map[policy.PresentationMode]bool{policy.PresentationAdvise: true, policy.PresentationRequire: false} {
		seen := false
		for n := 0; n < 10 && !seen; n++ {
			b, w, e := challenged(t, mode, []pad.Kind{pad.Turn}, 1, liveness.BonaFide)
			w.person = uint64(n)
			// Another kind's bench vouches for nothing here.
			b.post.Policy.Presentation.Benches = []policy.Bench{{Challenge: pad.Flash, Report: "LAB-1", SHA256: "00"}}
			e = b.try(e.ID)
			if e.Presentation.Check.Result == inspect.Pass {
				t.Fatalf("%s: a pass that nothing but simulation vouches for", mode)
			}
			if seen = e.Presentation.Check.Reason == pad.ReasonSimulated; seen {
				e = b.until(e.ID, inReview)
				if e.Advice.Clear != clear || e.Presentation.Bench != "" {
					t.Errorf("%s: %+v", mode, e.Advice)
				}
			}
		}
		if !seen {
			t.Errorf("%s: nobody answered", mode)
		}
	}
}

func TestAttackChallenge(t *testing.T) {
	turn, flash, blink := []pad.Kind{pad.Turn}, []pad.Kind{pad.Flash}, []pad.Kind{pad.Blink}
	other := func(from, to time.Duration) func([]WatchedFace) {
		return func(frames []WatchedFace) {
			for i := range frames {
				if at := frames[i].Frame.At; at >= from && at < to {
					stranger := person(1.2)
					frames[i].Template = &stranger
				}
			}
		}
	}
	for name, c := range map[string]struct {
		kinds   []pad.Kind
		species string
		change  func([]WatchedFace)
		want    []string // results that may come
		reasons []string // nil: any
	}{
		"flat photograph, turn":        {turn, liveness.FlatPrint, nil, []string{"fail", "not-assessable"}, nil},
		"flat photograph, flash":       {flash, liveness.FlatPrint, nil, []string{"fail", "not-assessable"}, nil},
		"tilted photograph, turn":      {turn, liveness.ObliquePrint, nil, []string{"fail", "not-assessable"}, nil},
		"another face after the turn":  {turn, liveness.Swap, nil, []string{"fail", "not-assessable"}, nil},
		"another person all the time":  {turn, liveness.BonaFide, other(0, time.Hour), []string{"fail"}, []string{pad.ReasonChanged, pad.ReasonOther}},
		"another person in the middle": {turn, liveness.BonaFide, other(3*time.Second, 6*time.Second), []string{"fail"}, []string{pad.ReasonChanged, pad.ReasonOther}},
		"no templates": {turn, liveness.BonaFide, func(frames []WatchedFace) {
			for i := range frames {
				frames[i].Template = nil
			}
		}, []string{"fail", "not-assessable"}, nil},
		"templates of another model": {turn, liveness.BonaFide, func(frames []WatchedFace) {
			for i := range frames {
				frames[i].Template.Model = "other"
			}
		}, []string{"fail", "not-assessable"}, nil},
		"a second face": {flash, liveness.BonaFide, func(frames []WatchedFace) {
			for i := range frames {
				frames[i].Faces = 2
			}
		}, []string{"not-assessable"}, []string{"several_faces"}},
		"frames of before": {turn, liveness.BonaFide, func(frames []WatchedFace) {
			for i := range frames {
				frames[i].Frame.At -= challengeLead + 10*time.Second
			}
		}, []string{"not-assessable"}, []string{pad.ReasonFewFrames}},
		"the camera covered": {blink, liveness.BonaFide, func(frames []WatchedFace) {
			for i := range frames {
				frames[i].Frame.Face, frames[i].Faces, frames[i].Template = false, 0, nil
			}
		}, []string{"not-assessable"}, []string{pad.ReasonFewFrames}},
		"a still picture held to a blink": {blink, liveness.BonaFide, func(frames []WatchedFace) {
			for i := range frames {
				at := frames[i].Frame.At
				frames[i].Frame = frames[0].Frame
				frames[i].Frame.At = at
			}
		}, []string{"fail"}, []string{pad.ReasonOther}},
		"eyes never shut": {blink, liveness.RigidMask, nil, []string{"fail", "not-assessable"}, []string{pad.ReasonOther, pad.ReasonUnclear}},
		"a still picture held to a turn": {turn, liveness.BonaFide, func(frames []WatchedFace) {
			for i := range frames {
				at := frames[i].Frame.At
				frames[i].Frame = frames[0].Frame
				frames[i].Frame.At = at
			}
		}, []string{"fail"}, []string{pad.ReasonFlat, pad.ReasonOther}},
	} {
		t.Run(name, func(t *testing.T) {
			b, w, e := challenged(t, policy.PresentationRequire, c.kinds, 1, c.species)
			w.change = c.change
			b.vouched() // so that a pass would count
			e = b.try(e.ID)
			check := e.Presentation.Check
			if !slices.Contains(c.want, check.Result.String()) || c.reasons != nil && !slices.Contains(c.reasons, check.Reason) || check.Reason == "" {
				t.Errorf("%s, %s", check.Result, check.Reason)
			}
			if e = b.until(e.ID, inReview); e.Advice.Clear {
				t.Error("nothing speaks against admitting")
			}
			if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted}); !errors.Is(err, ErrReason) {
				t.Errorf("admitted without a reason: %v", err)
			}
		})
	}
}

// A recording of an answer to one challenge is held before the camera for
// another.
func TestAttackReplay(t *testing.T) {
	const trials = 6
	passed := 0
	for range trials {
		b, _, e := challenged(t, policy.PresentationRequire, []pad.Kind{pad.Flash}, 1, liveness.Replay)
		b.vouched()
		if b.try(e.ID).Presentation.Check.Result == inspect.Pass {
			passed++
		}
	}
	if passed > 0 {
		t.Errorf("%d of %d replays passed", passed, trials)
	}
}

// After a try that failed neither a live person nor silence makes a pass.
func TestAttackTryAgain(t *testing.T) {
	for name, c := range map[string]struct {
		second string
		change func([]WatchedFace)
	}{
		"live person second": {liveness.BonaFide, nil},
		"nobody second":      {liveness.BonaFide, func(f []WatchedFace) { clear(f[1:]) }},
	} {
		t.Run(name, func(t *testing.T) {
			b, w, e := challenged(t, policy.PresentationRequire, []pad.Kind{pad.Turn}, 2, liveness.FlatPrint, c.second)
			b.vouched()
			stranger := person(1.2)
			w.change = func(f []WatchedFace) { // certain to fail
				for i := range f {
					f[i].Template = &stranger
				}
			}
			e = b.try(e.ID)
			if e.Presentation.Check.Result != inspect.Fail || e.Step(StepPresentation).State != Failed || e.Step(StepPresentation).Hint == "" {
				t.Fatalf("%+v %+v", e.Presentation, e.Step(StepPresentation))
			}
			w.change = c.change
			e = b.try(e.ID)
			if e.Presentation.Check.Result == inspect.Pass || !e.Presentation.Failed {
				t.Errorf("%+v", e.Presentation)
			}
			if len(w.asked) == 2 && slices.Equal(w.asked[0].Steps, w.asked[1].Steps) {
				t.Log("the same order was drawn twice, which 14 orders do now and then")
			}
			if err := b.post.Challenge(e.ID, ChallengeRequest{}); err == nil {
				t.Error("a third try")
			}
		})
	}
}

// The officer skips the step: what failed before stays.
func TestAttackSkipAfterFail(t *testing.T) {
	b, w, e := challenged(t, policy.PresentationRequire, []pad.Kind{pad.Turn}, 2, liveness.BonaFide)
	stranger := person(1.2)
	w.change = func(f []WatchedFace) {
		for i := range f {
			f[i].Template = &stranger
		}
	}
	e = b.try(e.ID)
	if err := b.post.Skip(e.ID, StepPresentation, "o1", "in a hurry"); err != nil {
		t.Fatal(err)
	}
	e = b.until(e.ID, inReview)
	if e.Presentation.Check.Result != inspect.Fail || e.Advice.Clear {
		t.Errorf("%+v", e.Presentation.Check)
	}
}

func TestAttackChallengeRefused(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*bench, *watcher, Encounter) error
		want fault.Code
	}{
		"no such encounter": {func(b *bench, _ *watcher, _ Encounter) error { return b.post.Challenge("x", ChallengeRequest{}) }, ErrNotFound.Code},
		"while one runs": {func(b *bench, w *watcher, e Encounter) error {
			w.change = func([]WatchedFace) { <-b.t.Context().Done() }
			if err := b.post.Challenge(e.ID, ChallengeRequest{}); err != nil {
				return err
			}
			return b.post.Challenge(e.ID, ChallengeRequest{})
		}, ErrState.Code},
		"no tries left": {func(b *bench, _ *watcher, e Encounter) error {
			b.post.mu.Lock()
			b.post.open[e.ID].view.Presentation.Tries = 2
			b.post.mu.Unlock()
			return b.post.Challenge(e.ID, ChallengeRequest{})
		}, ErrTries.Code},
		"no face yet": {func(b *bench, _ *watcher, _ Encounter) error {
			other, err := b.post.Open(OpenRequest{Officer: "o2", Purpose: "border_check"})
			if err != nil {
				return err
			}
			return b.post.Challenge(other.ID, ChallengeRequest{})
		}, ErrNoFace.Code},
		"policy asks for none": {func(b *bench, _ *watcher, _ Encounter) error {
			b.post.Policy.Presentation.Mode = policy.PresentationOff
			other, err := b.post.Open(OpenRequest{Officer: "o2", Purpose: "border_check"})
			if err != nil {
				return err
			}
			return b.post.Challenge(other.ID, ChallengeRequest{})
		}, ErrNoSuchStep.Code},
		"flash alone and no display": {func(b *bench, _ *watcher, e Encounter) error {
			b.post.Policy.Presentation.Challenges = []pad.Kind{pad.Flash}
			return b.post.Challenge(e.ID, ChallengeRequest{NoFlash: true})
		}, "presentation.no_kind"},
	} {
		t.Run(name, func(t *testing.T) {
			b, w, e := challenged(t, policy.PresentationRequire, []pad.Kind{pad.Turn}, 2, liveness.BonaFide)
			if err := c.do(b, w, e); fault.CodeOf(err) != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// Without a display that faces the traveller no flash is drawn.
func TestFlashNeedsADisplay(t *testing.T) {
	b, w, e := challenged(t, policy.PresentationAdvise, []pad.Kind{pad.Flash, pad.Turn}, 5, liveness.FlatPrint)
	b.post.TravellerDisplay = false
	for range 5 {
		e = b.try(e.ID)
	}
	for _, c := range w.asked {
		if c.Kind != pad.Turn {
			t.Errorf("a %v for somebody who does not see it", c.Kind)
		}
	}
	if len(w.asked) != 5 || e.Step(StepPresentation).State != Done {
		t.Errorf("%d challenges, then %s", len(w.asked), e.Step(StepPresentation).State)
	}
}

// Where no face was taken there is no challenge, and that is said.
func TestChallengeWithoutFace(t *testing.T) {
	b, _, _ := challenged(t, policy.PresentationRequire, nil, 0, liveness.BonaFide)
	e, err := b.post.Open(OpenRequest{Officer: "o2", Purpose: "border_check"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.post.Skip(e.ID, StepFace, "o2", "covered"); err != nil {
		t.Fatal(err)
	}
	e = b.until(e.ID, inReview)
	if e.Step(StepPresentation).State != Skipped || e.Presentation.Check.Result != inspect.NotPerformed || e.Presentation.Check.Reason != reasonNoFace {
		t.Errorf("%+v %+v", e.Step(StepPresentation), e.Presentation)
	}
	if !slices.ContainsFunc(e.Advice.Reasons, func(r Reason) bool {
		return r.Code == string(inspect.PresentationAttack) && r.Severity == policy.Refer
	}) {
		t.Errorf("%+v", e.Advice)
	}
}

// A camera that fails costs no try; a restart forgets an answer and not a
// failure.
func TestChallengeTrouble(t *testing.T) {
	b, w, e := challenged(t, policy.PresentationRequire, []pad.Kind{pad.Turn}, 2, liveness.FlatPrint)
	w.err = fault.New("device.lost", "gone")
	e = b.try(e.ID)
	if e.Presentation.Tries != 0 || e.Step(StepPresentation).Code != "device.lost" || e.Presentation.Check.Result != inspect.NotPerformed {
		t.Errorf("%+v", e.Presentation)
	}
	w.err = nil
	stranger := person(1.2)
	w.change = func(f []WatchedFace) {
		for i := range f {
			f[i].Template = &stranger
		}
	}
	b.try(e.ID)
	b.stop()
	b.policy = b.post.Policy
	b.start()
	e, err := b.post.Get(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if f := e.Presentation; f == nil || !f.Failed || f.Tries != 0 || f.Check.Result != inspect.Fail || e.Step(StepPresentation).State != Pending {
		t.Errorf("%+v", f)
	}
}

// Who pulls the camera until a challenge comes that was recorded before gets few
// of them, not even by a restart, and each is written down.
func TestAttackDrawAgain(t *testing.T) {
	b, w, e := challenged(t, policy.PresentationRequire, []pad.Kind{pad.Turn}, 2, liveness.BonaFide)
	b.vouched()
	w.pulled = fault.New("device.lost", "pulled")
	for n := range 3 {
		e = b.try(e.ID)
		if f := e.Presentation; f.Tries != 0 || f.Draws != n+1 || f.Check.Result != inspect.NotPerformed || e.Step(StepPresentation).Code != "device.lost" {
			t.Fatalf("draw %d: %+v", n+1, f)
		}
	}
	policyNow := b.post.Policy
	b.stop()
	b.policy = policyNow
	b.start()
	b.post.Watcher, b.post.TravellerDisplay = w, true
	e, err := b.post.Get(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if e.Presentation.Draws != 3 {
		t.Fatalf("after a restart: %+v", e.Presentation)
	}
	if err := b.post.CaptureFace(e.ID); err != nil {
		t.Fatal(err)
	}
	b.until(e.ID, func(e Encounter) bool { return e.Step(StepFace).State == Done })
	b.try(e.ID)
	if err := b.post.Challenge(e.ID, ChallengeRequest{}); !errors.Is(err, ErrDraws) {
		t.Errorf("a fifth draw: %v", err)
	}
	if len(w.asked) != 4 {
		t.Errorf("%d were shown", len(w.asked))
	}
	b.told(e.ID, audit.ChallengeDrawn, 4)
}

// Frames that come from a template of no length are of nobody.
func TestJudgeChallengeOfNonsense(t *testing.T) {
	b, _, _ := challenged(t, policy.PresentationRequire, nil, 0, liveness.BonaFide)
	b.vouched()
	c, err := pad.Draw(pad.Turn, pad.Unpredictable())
	if err != nil {
		t.Fatal(err)
	}
	bad := template.Face{Model: "m", Version: "1"}
	for name, frames := range map[string][]WatchedFace{
		"none": nil, "one": {{Faces: 1, Template: &bad}},
		"no points": slices.Repeat([]WatchedFace{{Frame: pad.Frame{At: 2 * time.Second, Face: true, Width: 640, Height: 480}, Faces: 1, Template: &bad}}, 60),
	} {
		if v := b.post.judgeChallenge(c, frames, []template.Face{person(0)}); v.Result != pad.NotAssessable && v.Result != pad.Fail {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
