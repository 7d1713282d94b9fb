package encounter

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// FingerTouch is one print of one finger. It is personal data.
type FingerTouch struct {
	Template *finger.Template
	Record   []byte        // the template as an ISO/IEC 19794-2 record
	Image    *finger.Image // for the officer's eye
}

// LogValue keeps prints out of logs.
func (FingerTouch) LogValue() slog.Value { return slog.StringValue("print (redacted)") }

// String keeps prints out of the fmt verbs.
func (FingerTouch) String() string { return "print (redacted)" }

// FingerSensor takes one finger. What the person has to do is told to advice
// (place, hold_still, lift) as it changes. Errors whose code begins with
// "finger." are of the touch: the sensor itself works.
type FingerSensor interface {
	CaptureFinger(ctx context.Context, position int, advice func(string)) (FingerTouch, error)
}

// FingerState is where one finger stands.
type FingerState string

// States of a finger.
const (
	FingerOpen     FingerState = "open"      // to be taken, perhaps again
	FingerRunning  FingerState = "running"   // the sensor waits for it
	FingerTaken    FingerState = "taken"     // the best of its tries is kept
	FingerFailed   FingerState = "failed"    // every try was used and none gave a print
	FingerExcepted FingerState = "excepted"  // the person cannot or will not give it
	FingerNotTaken FingerState = "not_taken" // the officer ended the step without it
)

// FingerException is why a finger is not given: ANSI/NIST-ITL 1 field 14.018
// knows the first three.
type FingerException string

// Exceptions.
const (
	FingerMissing  FingerException = "missing"
	FingerBandaged FingerException = "bandaged"
	FingerUnable   FingerException = "unable"
	FingerRefused  FingerException = "refused"
)

var fingerExceptions = []FingerException{FingerMissing, FingerBandaged, FingerUnable, FingerRefused}

// FingerFacts are what is known of one finger, without its print.
type FingerFacts struct {
	Position  int             `json:"position"` // ISO/IEC 19794-2: 1 right thumb to 10 left little finger
	State     FingerState     `json:"state"`
	Tries     int             `json:"tries"`             // used, of at most 3
	Quality   int             `json:"quality,omitempty"` // 0-100, of the best try
	Code      string          `json:"code,omitempty"`    // why the last try did not do
	Hint      string          `json:"hint,omitempty"`    // what helps
	Advice    string          `json:"advice,omitempty"`  // of the sensor, while it runs
	Exception FingerException `json:"exception,omitempty"`
}

// fingerOrder is in which fingers are asked for: the index fingers first, as
// one is most often on a list and gives the best prints, the little ones last.
var fingerOrder = [...]int{2, 7, 3, 8, 1, 6, 4, 9, 5, 10}

const (
	fingerTries = 3
	// A print below is taken again while tries are left, on our own scale: of
	// FVC2002 DB1 one in twenty lies below 29 (hwtest/gen/prints/README.md).
	minFingerQuality = 30
)

// Errors of the finger step.
var (
	ErrFinger        = &fault.Error{Code: "finger.position", Hint: "positions are 1, right thumb, to 10, left little finger"}
	ErrFingerTries   = &fault.Error{Code: "finger.no_tries", Hint: "every try of this finger is used: go on with the next"}
	ErrFingerTwice   = &fault.Error{Code: "finger.duplicate", Hint: "this finger was given for another position: take the one that is asked for"}
	ErrFingerNone    = &fault.Error{Code: "finger.none", Hint: "take one finger at least, or skip the step with a reason"}
	errFingerQuality = &fault.Error{Code: "finger.quality", Hint: "wipe finger and sensor, press evenly, then try again"}
)

// newFingers are the facts of ten fingers of which nothing is known but what
// the person has declared.
func newFingers(declared map[string]string) []FingerFacts {
	var out []FingerFacts
	for _, position := range fingerOrder {
		f := FingerFacts{Position: position, State: FingerOpen}
		if why := FingerException(declared[strconv.Itoa(position)]); slices.Contains(fingerExceptions, why) {
			f.State, f.Exception = FingerExcepted, why
		}
		out = append(out, f)
	}
	return out
}

// finger returns the facts of a position, nil if the encounter takes none.
func (e *Encounter) finger(position int) *FingerFacts {
	for i := range e.Fingers {
		if e.Fingers[i].Position == position {
			return &e.Fingers[i]
		}
	}
	return nil
}

// fingerStep returns what a command on a finger works on. p.mu is held.
func (p *Post) fingerStep(id string, position int) (*active, *Step, *FingerFacts, error) {
	a, err := p.find(id)
	if err != nil {
		return nil, nil, nil, err
	}
	s := a.view.Step(StepFingers)
	if s == nil || p.Sensor == nil {
		return nil, nil, nil, ErrNoSuchStep
	}
	f := a.view.finger(position)
	if f == nil {
		return nil, nil, nil, ErrFinger
	}
	if a.view.State != Collecting || s.State != Pending && s.State != Failed {
		return nil, nil, nil, fault.New(ErrState.Code, "the encounter is %s and step %s is %s", a.view.State, s.Name, s.State)
	}
	return a, s, f, nil
}

// CaptureFinger asks for one finger and returns at once; events tell how it
// goes. A finger has three tries, of which the best is kept.
func (p *Post) CaptureFinger(id string, position int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, s, f, err := p.fingerStep(id, position)
	if err != nil {
		return err
	}
	if f.Tries >= fingerTries {
		return ErrFingerTries
	}
	before := f.State
	if before == FingerExcepted {
		before = FingerOpen // the person gives it after all
	}
	f.State, f.Exception, f.Code, f.Hint, f.Advice = FingerRunning, "", "", "", ""
	s.State, s.Code, s.Hint = Running, "", ""
	s.Tries++
	p.emit(a, EventStep, *s)
	p.emit(a, EventFinger, *f)
	limit := p.Policy.Deadlines.Capture.Of()
	ctx, cancel := context.WithTimeoutCause(p.ctx, limit,
		fault.New("step.deadline", "no finger within %s", limit).WithHint("ask the person to lay the finger on the sensor, then try again").AsRetryable())
	a.running[StepFingers] = cancel
	p.work.Add(1)
	go func() {
		defer p.work.Done()
		defer cancel()
		begun := p.Now()
		touch, err := p.Sensor.CaptureFinger(ctx, position, func(advice string) { p.adviseFinger(a, position, advice) })
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(a.running, StepFingers)
		if p.open[a.id] != a {
			return // closed meanwhile: the print is dropped
		}
		a.view.Step(StepFingers).Millis = p.Now().Sub(begun).Milliseconds()
		p.noteFinger(a, position, before, touch, err)
	}()
	return nil
}

func (p *Post) adviseFinger(a *active, position int, advice string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := a.view.finger(position); p.open[a.id] == a && f.State == FingerRunning && f.Advice != advice {
		f.Advice = advice
		p.emit(a, EventFinger, *f)
	}
}

// noteFinger notes how a touch went. p.mu is held.
func (p *Post) noteFinger(a *active, position int, before FingerState, touch FingerTouch, err error) {
	s, f := a.view.Step(StepFingers), a.view.finger(position)
	a.touched = p.Now()
	f.State, f.Advice = before, ""
	s.State = Pending
	if err == nil {
		err = a.twice(position, touch)
	}
	if err == nil {
		if kept, has := a.fingers[position]; !has || touch.Template.Quality > kept.Template.Quality {
			a.keepFinger(position, touch)
			f.Quality = touch.Template.Quality
		}
		if touch.Template.Quality < minFingerQuality {
			err = errFingerQuality
		}
	}
	if err != nil {
		f.Code, f.Hint = string(fault.CodeOf(err)), hintOf(err)
	}
	if err != nil && !ofTouch(err) { // the sensor's fault, not the finger's
		s.State, s.Code, s.Hint = Failed, f.Code, f.Hint
		p.Log.Info("step failed", "encounter", a.id, "step", string(StepFingers), "code", s.Code)
		p.emit(a, EventFinger, *f)
		p.emit(a, EventStep, *s)
		return
	}
	f.Tries++
	_, has := a.fingers[position]
	switch {
	case err == nil, has && (f.Tries >= fingerTries || before == FingerTaken):
		f.State = FingerTaken
	case f.Tries >= fingerTries:
		f.State = FingerFailed
	}
	p.emit(a, EventFinger, *f)
	p.settleFingers(a, false)
}

// ofTouch tells errors of one touch from those of the sensor.
func ofTouch(err error) bool {
	for _, e := range []*fault.Error{errFingerQuality, ErrFingerTwice, finger.ErrEnrol, finger.ErrImageSize} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (a *active) keepFinger(position int, touch FingerTouch) {
	if a.fingers == nil {
		a.fingers = map[int]FingerTouch{}
	}
	a.fingers[position] = touch
}

// twice refuses a finger that was given for another position already.
func (a *active) twice(position int, touch FingerTouch) error {
	m := finger.NewMatcher()
	for other, kept := range a.fingers {
		if other != position && finger.FMR(m.Score(touch.Template, kept.Template)) <= finger.FMRFloor {
			return ErrFingerTwice
		}
	}
	return nil
}

// ExceptFinger notes that a finger will not be given, and why.
func (p *Post) ExceptFinger(id string, position int, why FingerException, officer string) error {
	if !slices.Contains(fingerExceptions, why) {
		return ErrReason
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a, _, f, err := p.fingerStep(id, position)
	if err != nil {
		return err
	}
	before := *f
	f.State, f.Exception, f.Code, f.Hint = FingerExcepted, why, "", ""
	if err := p.save(a, audit.Line{Actor: officer, Action: audit.StepSkipped, Facts: map[string]string{"step": string(StepFingers), "finger": strconv.Itoa(position)}}); err != nil {
		*f = before
		return err
	}
	if kept, has := a.fingers[position]; has {
		delete(a.fingers, position) // it was another's, or another finger's
		clear(kept.Image.Pix)
	}
	p.emit(a, EventFinger, *f)
	p.settleFingers(a, false)
	return nil
}

// EndFingers ends the step with the fingers that were taken.
func (p *Post) EndFingers(id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, _, _, err := p.fingerStep(id, fingerOrder[0])
	if err != nil {
		return err
	}
	if len(a.fingers) == 0 {
		return ErrFingerNone
	}
	p.settleFingers(a, true)
	return nil
}

// settleFingers ends the step once no finger is open, or all that are by the
// officer's word. p.mu is held.
func (p *Post) settleFingers(a *active, end bool) {
	s := a.view.Step(StepFingers)
	open := 0
	for i := range a.view.Fingers {
		f := &a.view.Fingers[i]
		if f.State != FingerOpen {
			continue
		}
		if _, has := a.fingers[f.Position]; end && has {
			f.State = FingerTaken
		} else if end {
			f.State = FingerNotTaken
		} else {
			open++
		}
		if end {
			p.emit(a, EventFinger, *f)
		}
	}
	if open > 0 {
		p.emit(a, EventStep, *s)
		return
	}
	s.State = Done
	if len(a.fingers) == 0 { // ten exceptions are no search
		s.State, s.Code = Skipped, string(ErrFingerNone.Code)
	}
	a.captured = p.Now()
	p.emit(a, EventStep, *s)
	if err := p.advance(a); err != nil {
		p.Log.Error("encounter not saved", "encounter", a.id, "code", string(fault.CodeOf(err)))
		s.State, s.Code, s.Hint = Failed, string(fault.CodeOf(err)), hintOf(err)
		p.emit(a, EventStep, *s)
	}
}

// fingerProbes are the prints to search by, in the order of asking. p.mu is
// held.
func (a *active) fingerProbes() []screening.FingerProbe {
	var out []screening.FingerProbe
	for _, position := range fingerOrder {
		if t, has := a.fingers[position]; has && a.view.finger(position).State == FingerTaken {
			out = append(out, screening.FingerProbe{Position: position, Template: t.Record, Quality: t.Template.Quality})
		}
	}
	return out
}
