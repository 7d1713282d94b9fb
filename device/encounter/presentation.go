package encounter

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/fault"
)

// WatchedFace is what was seen of a face in one frame. It is personal data.
type WatchedFace struct {
	Frame    pad.Frame // At is since the watch began; Same is not set
	Faces    int       // seen; the largest was looked at
	Template *template.Face
}

// FaceWatcher looks at the camera for a time. begun is called once, with the
// first frame that came; the times of the frames count from there. A device that
// stops meanwhile is an error.
type FaceWatcher interface {
	WatchFace(ctx context.Context, length time.Duration, begun func()) ([]WatchedFace, error)
}

// Display is whom the screen of the page faces.
type Display string

// Displays. Only a screen that faces the traveller can light the face.
const (
	ToOfficer   Display = "officer"
	ToTraveller Display = "traveller"
)

// PresentationFacts are what is known of the challenge against presentation
// attacks.
type PresentationFacts struct {
	Display Display       `json:"display" enum:"officer,traveller"`
	Flash   bool          `json:"flash,omitempty"` // a flash may be drawn
	Tries   int           `json:"tries"`           // challenges that were judged
	Draws   int           `json:"draws,omitempty"` // challenges that were shown, judged or broken off
	Of      int           `json:"of"`              // at most
	Kind    string        `json:"kind,omitempty"`  // of the last one: flash, turn, blink
	Check   inspect.Check `json:"check"`           // presentation.attack
	// Failed says that a try failed: no later one counts as a pass.
	Failed bool               `json:"failed,omitempty"`
	Bench  string             `json:"bench,omitempty"`  // report that vouches for a pass
	Scores map[string]float64 `json:"scores,omitempty"` // what the last verdict rests on
}

// ChallengeData is the data of EventChallenge: what the page has to show, and
// from when on.
type ChallengeData struct {
	pad.Challenge
	LeadMS  int     `json:"lead_ms"` // from the event to the first step, milliseconds
	Display Display `json:"display"`
	Try     int     `json:"try"` // from 1
	Of      int     `json:"of"`
	Draw    int     `json:"draw"` // challenges shown so far, this one too
}

// ErrTries, ErrDraws and ErrNoFace refuse a challenge.
var (
	ErrTries  = &fault.Error{Code: "presentation.no_tries", Hint: "every try is used: go on with what was found"}
	ErrDraws  = &fault.Error{Code: "presentation.no_draws", Hint: "too many challenges were broken off: who or what interrupts the camera? Skip the step with a reason"}
	ErrNoFace = &fault.Error{Code: "presentation.no_face", Hint: "take the face first: the challenge is of the same person"}
)

const (
	clausePresentation = "ISO/IEC 30107-3:2023 (challenge; error rates by its bench alone)"
	// spareDraws is how many challenges of an encounter may be shown and broken off,
	// by a camera that went away or a person who sat down. Without a bound one
	// draws, by pulling the camera, until what was recorded before is asked for.
	spareDraws = 2
	// challengeLead is what page and person have to get ready.
	challengeLead = 1500 * time.Millisecond
	// challengeTail is how long after the last step the camera is looked at:
	// the light of a screen shows up to 360 ms late.
	challengeTail = 400 * time.Millisecond
	// challengeFMR is the false match rate at which a frame counts as of another
	// person: turned faces are less alike, and one in ten may fall below.
	challengeFMR = 1e-2
	// Reasons that are not of package pad.
	reasonNotDone   = "not_done"
	reasonNoFace    = "no_live_face"
	reasonSeveral   = "several_faces"
	reasonBefore    = "failed_before"
	reasonNoKind    = "no_challenge_possible"
	severalFraction = 4 // of the frames
)

// addPresentation gives an encounter its challenge where policy asks for one.
func (p *Post) addPresentation(e *Encounter) {
	e.Presentation = p.newPresentation()
	if e.Presentation != nil && e.Presentation.Check.Reason != reasonNoKind {
		e.Steps = append(e.Steps, Step{Name: StepPresentation, State: Pending})
	}
}

// restarted are the facts of an encounter whose face a restart has lost: a try
// that failed stays, and so do the challenges that were shown. f may be nil.
func (f *PresentationFacts) restarted() *PresentationFacts {
	if f == nil {
		return nil
	}
	again := *f
	again.Tries = 0
	if !f.Failed && f.Check.Reason != reasonNoKind {
		again.Check.Result, again.Check.Reason, again.Bench = inspect.NotPerformed, reasonNotDone, ""
	}
	return &again
}

// newPresentation are the facts of an encounter that has a challenge, nil where
// policy asks for none.
func (p *Post) newPresentation() *PresentationFacts {
	rules := p.Policy.Presentation
	if !rules.Wanted() {
		return nil
	}
	f := &PresentationFacts{Display: ToOfficer, Of: rules.MaxTries()}
	if p.TravellerDisplay {
		f.Display = ToTraveller
	}
	f.Check = inspect.Check{Code: inspect.PresentationAttack, Result: inspect.NotPerformed, Reason: reasonNotDone, Clause: clausePresentation}
	kinds := rules.Kinds(p.TravellerDisplay)
	f.Flash = slices.Contains(kinds, pad.Flash)
	if len(kinds) == 0 || p.Watcher == nil {
		f.Check.Reason = reasonNoKind
	}
	return f
}

// ChallengeRequest asks for a challenge.
type ChallengeRequest struct {
	NoFlash bool // the person must not see flashes
}

// Challenge draws a challenge and starts watching the person answer it; it
// returns at once. EventChallenge tells the page what to show, and when;
// EventPresentation what came of it. A verdict that is no pass may be tried
// again as often as policy allows, each time with another challenge; after one
// that failed no later one is a pass.
func (p *Post) Challenge(id string, req ChallengeRequest) error {
	p.mu.Lock()
	a, err := p.find(id)
	if err != nil {
		p.mu.Unlock()
		return err
	}
	facts, s, f := a.view.Presentation, a.view.Step(StepPresentation), a.view.Step(StepFace)
	switch {
	case facts == nil || s == nil:
		err = ErrNoSuchStep
	case a.probe == nil || f == nil || f.State != Done:
		err = ErrNoFace
	case facts.Tries >= facts.Of:
		err = ErrTries
	case facts.Draws >= facts.Of+spareDraws:
		err = ErrDraws
	}
	if err != nil {
		p.mu.Unlock()
		return err
	}
	// A copy: closing the encounter overwrites its templates.
	live, err := template.Means(a.probe.Templates)
	try := facts.Tries + 1
	p.mu.Unlock()
	if err != nil {
		return err
	}
	kinds := p.Policy.Presentation.Kinds(p.TravellerDisplay && !req.NoFlash)
	if len(kinds) == 0 {
		return fault.New("presentation.no_kind", "policy leaves no challenge").WithHint("skip the step with a reason")
	}
	random := pad.Unpredictable()
	challenge, err := pad.Draw(kinds[random.IntN(len(kinds))], random)
	if err != nil {
		return err
	}
	length := challengeLead + challenge.Length() + challengeTail
	return p.start(id, StepPresentation, length+p.Policy.Deadlines.Capture.Of(), func(ctx context.Context, a *active) (func(), error) {
		var unshown error
		frames, err := p.Watcher.WatchFace(ctx, length, func() { unshown = p.showChallenge(a, challenge, try) })
		if unshown != nil {
			return nil, unshown
		}
		if err != nil {
			return nil, err
		}
		return p.noteChallenge(a, challenge.Kind, p.judgeChallenge(challenge, frames, live))
	})
}

// showChallenge counts a challenge as drawn and has the page show it, in this order: what
// is not written down is not shown.
func (p *Post) showChallenge(a *active, c pad.Challenge, try int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[a.id] != a {
		return nil // closed meanwhile
	}
	before := a.view.Presentation
	facts := *before
	facts.Draws++
	a.view.Presentation = &facts
	if err := p.save(a, audit.Line{Actor: a.view.Officer, Action: audit.ChallengeDrawn, Facts: map[string]string{
		"kind": c.Kind.String(), "draw": strconv.Itoa(facts.Draws), "try": strconv.Itoa(try),
	}}); err != nil {
		a.view.Presentation = before
		return err
	}
	p.emit(a, EventChallenge, ChallengeData{c, int(challengeLead.Milliseconds()), facts.Display, try, facts.Of, facts.Draws})
	return nil
}

// judgeChallenge judges the frames of a challenge that began challengeLead after
// the first. live is the person whose face was taken.
func (p *Post) judgeChallenge(c pad.Challenge, frames []WatchedFace, live []template.Face) pad.Verdict {
	answers := make([]pad.Frame, 0, len(frames))
	several, during := 0, 0
	for _, w := range frames {
		f := w.Frame
		f.At -= challengeLead
		if f.At < 0 || f.At >= c.Length()+challengeTail {
			continue
		}
		during++
		if w.Faces > 1 {
			several++
			f.Face = false // whose answer it is cannot be said
		}
		f.Same = math.NaN()
		if w.Template != nil {
			if mean := template.Of(live, w.Template.Model, w.Template.Version); mean != nil {
				if score, err := template.Likeness(mean, w.Template); err == nil {
					f.Same = score
				}
			}
		}
		answers = append(answers, f)
	}
	if severalFraction*several > during {
		return pad.Verdict{Result: pad.NotAssessable, Reason: reasonSeveral}
	}
	_, benched := p.Policy.Presentation.BenchOf(c.Kind)
	return pad.Judged(pad.Judge(c, answers, p.Faces.ScoreAt(challengeFMR)), benched)
}

// noteChallenge notes a verdict. It returns what ends the step, or an error
// where the person may try again.
func (p *Post) noteChallenge(a *active, kind pad.Kind, v pad.Verdict) (func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[a.id] != a {
		return func() {}, nil // closed meanwhile
	}
	facts := *a.view.Presentation
	facts.Tries++
	facts.Kind, facts.Scores, facts.Bench = kind.String(), v.Scores, ""
	last := inspect.NotAssessable
	answered := v.Result == pad.Pass || v.Reason == pad.ReasonSimulated
	switch {
	case v.Result == pad.Fail:
		last, facts.Failed = inspect.Fail, true
	case answered && facts.Failed:
		v.Reason = reasonBefore
	case facts.Failed: // a try that says nothing takes nothing back
		last, v.Reason = inspect.Fail, facts.Check.Reason
	case v.Result == pad.Pass:
		last = inspect.Pass
		b, _ := p.Policy.Presentation.BenchOf(kind)
		facts.Bench = b.Report
	}
	facts.Check.Result, facts.Check.Reason = last, v.Reason
	before := a.view.Presentation
	a.view.Presentation = &facts
	if err := p.save(a, audit.Line{Actor: a.view.Officer, Action: audit.PresentationJudged, Facts: map[string]string{
		"kind": facts.Kind, "result": facts.Check.Result.String(), "reason": facts.Check.Reason, "try": strconv.Itoa(facts.Tries),
	}}); err != nil {
		a.view.Presentation = before
		return nil, err
	}
	p.emit(a, EventPresentation, facts)
	// Another try helps where this one was not answered; it cannot make an answer
	// that only simulation knows one that counts, nor undo one that failed.
	if answered || facts.Tries >= facts.Of {
		return func() {}, nil
	}
	return nil, fault.New(fault.Code("presentation."+facts.Check.Reason), "challenge %d of %d: %s", facts.Tries, facts.Of, facts.Check.Result).
		WithHint(challengeHint(facts.Check.Reason))
}

// challengeHints tell the officer what to do about a challenge that is no pass.
var challengeHints = map[string]string{
	pad.ReasonFewFrames:  "the face has to stay in the picture, one person alone; then try again",
	pad.ReasonNoAnswer:   "less light in the room, nearer to the screen; then try again",
	pad.ReasonOther:      "say again what to do, wait for each sign; then try again",
	pad.ReasonFlat:       "look at the person, not at the screen: is it a picture, a telephone, a mask? Then try again",
	pad.ReasonChanged:    "look who stands there: the person changed meanwhile. Then try again",
	pad.ReasonNoIdentity: "less turning, more light on the face; then try again",
	reasonSeveral:        "only one person may stand before the camera; then try again",
}

func challengeHint(reason string) string {
	if h, ok := challengeHints[reason]; ok {
		return h
	}
	return "try again; if it happens again, look closely at the person"
}

// withoutFace ends a challenge that is still to come where no face was taken:
// nobody could say whose it is. p.mu is held.
func (a *active) withoutFace() *Step {
	s := a.view.Step(StepPresentation)
	if s == nil || s.State != Pending {
		return nil
	}
	s.State, s.Code = Skipped, reasonNoFace
	facts := *a.view.Presentation
	facts.Check.Reason = reasonNoFace
	a.view.Presentation = &facts
	return s
}
