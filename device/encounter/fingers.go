package encounter

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/biometric/tenprint"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// FingerSensor takes one finger, or several at once. What the person has to do
// is told to advice (place, hold_still, lift) as it changes. Errors that
// tenprint.OfTouch knows are of the touch: the sensor itself works.
type FingerSensor interface {
	// Slaps tells whether hands can be taken at once.
	Slaps(ctx context.Context) bool
	CaptureFinger(ctx context.Context, ask tenprint.Ask, advice func(string)) (*tenprint.Touch, error)
}

// FingerState is where one finger, or several taken at once, stand.
type FingerState string

// States of a finger.
const (
	FingerOpen     = FingerState(tenprint.Open)
	FingerRunning  = FingerState("running") // the sensor waits for it
	FingerTaken    = FingerState(tenprint.Taken)
	FingerFailed   = FingerState(tenprint.Failed)
	FingerExcepted = FingerState(tenprint.Excepted)
	FingerNotTaken = FingerState("not_taken") // the officer ended the step without it
)

// FingerFacts are what is known of one finger, or of several that are taken at
// once, without their prints.
type FingerFacts struct {
	Position  int             `json:"position"` // ISO/IEC 19794-4: 1 right thumb to 10 left little finger; 13 right four, 14 left four, 15 thumbs
	State     FingerState     `json:"state"`
	Tries     int             `json:"tries"`             // used, of at most 3
	Quality   int             `json:"quality,omitempty"` // 0-100, of the best try; of several fingers the worst of them
	Code      string          `json:"code,omitempty"`    // why the last try did not do
	Hint      string          `json:"hint,omitempty"`    // what helps
	Advice    string          `json:"advice,omitempty"`  // of the sensor, while it runs
	Exception tenprint.Reason `json:"exception,omitempty"`
}

// ErrFingerNone: a step of fingers cannot end without one.
var ErrFingerNone = &fault.Error{Code: "finger.none", Hint: "take one finger at least, or skip the step with a reason"}

// slapsLimit is how long is waited to be told whether the sensor takes hands.
const slapsLimit = 3 * time.Second

// slaps tells whether hands can be asked for at once.
func (p *Post) slaps() bool {
	if p.Sensor == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(p.ctx, slapsLimit)
	defer cancel()
	return p.Sensor.Slaps(ctx)
}

// newFingers are the facts of fingers of which nothing is known but what the
// person has declared.
func newFingers(slaps bool, declared map[string]string) []FingerFacts {
	var out []FingerFacts
	for _, position := range tenprint.Plan(slaps) {
		f := FingerFacts{Position: position, State: FingerOpen}
		if why := tenprint.Reason(declared[strconv.Itoa(position)]); why.Known() && position <= 10 {
			f.State, f.Exception = FingerExcepted, why
		}
		out = append(out, f)
	}
	return out
}

// beginFingers starts the session in which the fingers of a new encounter, or
// of one taken up again, are taken.
func (a *active) beginFingers() error {
	if a.view.Step(StepFingers) == nil {
		return nil
	}
	gone := map[int]tenprint.Reason{}
	var plan []int
	for _, f := range a.view.Fingers {
		plan = append(plan, f.Position)
		if f.State == FingerExcepted && f.Position <= 10 {
			gone[f.Position] = f.Exception
		}
	}
	var err error
	if a.fingers, err = tenprint.New(plan, gone); err != nil {
		return err
	}
	for i := range a.view.Fingers {
		f := &a.view.Fingers[i]
		if f.State == FingerOpen || f.State == FingerExcepted {
			*f = a.fingerFacts(f.Position)
		}
	}
	return nil
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

// fingerFacts are what the session says of a position.
func (a *active) fingerFacts(position int) FingerFacts {
	is := a.fingers.Standing(position)
	f := FingerFacts{Position: position, State: FingerState(is.State), Tries: is.Tries, Quality: is.Quality, Exception: is.Gone}
	if is.Last != nil {
		f.Code, f.Hint = string(fault.CodeOf(is.Last)), hintOf(is.Last)
	}
	return f
}

// showFingers tells what has changed. p.mu is held.
func (p *Post) showFingers(a *active) {
	for i := range a.view.Fingers {
		f := &a.view.Fingers[i]
		if now := a.fingerFacts(f.Position); now != *f {
			*f = now
			p.emit(a, EventFinger, *f)
		}
	}
}

// fingerStep returns what a command on a finger works on. p.mu is held.
func (p *Post) fingerStep(id string) (*active, *Step, error) {
	a, err := p.find(id)
	if err != nil {
		return nil, nil, err
	}
	s := a.view.Step(StepFingers)
	if s == nil || p.Sensor == nil || a.fingers == nil {
		return nil, nil, ErrNoSuchStep
	}
	if a.view.State != Collecting || s.State != Pending && s.State != Failed {
		return nil, nil, fault.New(ErrState.Code, "the encounter is %s and step %s is %s", a.view.State, s.Name, s.State)
	}
	return a, s, nil
}

// CaptureFinger asks for one finger, or for several at once, and returns at
// once; events tell how it goes. Each has three tries, of which the best is
// kept finger by finger.
func (p *Post) CaptureFinger(id string, position int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, s, err := p.fingerStep(id)
	if err != nil {
		return err
	}
	ask, err := a.fingers.Begin(position)
	if err != nil {
		return err
	}
	p.showFingers(a) // what was not to be given is, after all
	f := a.view.finger(position)
	f.State, f.Advice = FingerRunning, ""
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
		touch, err := p.Sensor.CaptureFinger(ctx, ask, func(advice string) { p.adviseFinger(a, position, advice) })
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
		p.noteFinger(a, position, touch, err)
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
func (p *Post) noteFinger(a *active, position int, touch *tenprint.Touch, err error) {
	s := a.view.Step(StepFingers)
	a.touched = p.Now()
	s.State = Pending
	if tenprint.OfTouch(err) {
		err = a.fingers.Miss(position, err)
	} else if err == nil {
		_, err = a.fingers.Take(position, touch)
	}
	p.showFingers(a)
	if err == nil {
		p.settleFingers(a, false)
		return
	}
	// The sensor's fault is no try of the finger.
	f := a.view.finger(position)
	f.Code, f.Hint = string(fault.CodeOf(err)), hintOf(err)
	s.State, s.Code, s.Hint = Failed, f.Code, f.Hint
	p.Log.Info("step failed", "encounter", a.id, "step", string(StepFingers), "code", s.Code)
	p.emit(a, EventFinger, *f)
	p.emit(a, EventStep, *s)
}

// ExceptFinger notes that a finger, or all that are taken at once, will not be
// given, and why.
func (p *Post) ExceptFinger(id string, position int, why tenprint.Reason, officer string) error {
	if !why.Known() {
		return ErrReason
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a, _, err := p.fingerStep(id)
	if err != nil {
		return err
	}
	if a.view.finger(position) == nil {
		return tenprint.ErrPosition
	}
	before := slices.Clone(a.view.Fingers)
	for _, one := range tenprint.Fingers(position) {
		*a.view.finger(one) = FingerFacts{Position: one, State: FingerExcepted, Exception: why}
	}
	err = p.save(a, audit.Line{Actor: officer, Action: audit.StepSkipped, Facts: map[string]string{"step": string(StepFingers), "finger": strconv.Itoa(position)}})
	a.view.Fingers = before
	if err == nil {
		err = a.fingers.Except(position, why)
	}
	if err != nil {
		return err
	}
	p.showFingers(a)
	p.settleFingers(a, false)
	return nil
}

// EndFingers ends the step with the fingers that were taken.
func (p *Post) EndFingers(id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, _, err := p.fingerStep(id)
	if err != nil {
		return err
	}
	if len(a.fingers.Prints()) == 0 {
		return ErrFingerNone
	}
	p.settleFingers(a, true)
	return nil
}

// settleFingers ends the step once nothing is open, or with what there is by the
// officer's word. p.mu is held.
func (p *Post) settleFingers(a *active, end bool) {
	s := a.view.Step(StepFingers)
	open := 0
	for i := range a.view.Fingers {
		f := &a.view.Fingers[i]
		if f.State != FingerOpen {
			continue
		}
		if !end {
			open++
			continue
		}
		if f.State = FingerNotTaken; a.fingers.Standing(f.Position).Held {
			f.State = FingerTaken
		}
		p.emit(a, EventFinger, *f)
	}
	if open > 0 {
		p.emit(a, EventStep, *s)
		return
	}
	s.State = Done
	if len(a.fingers.Prints()) == 0 { // ten exceptions are no search
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
	taken := a.fingers.Prints()
	for _, position := range tenprint.Plan(false) {
		if print, has := taken[position]; has && a.view.finger(position).State == FingerTaken {
			out = append(out, screening.FingerProbe{Position: position, Template: print.Record, Quality: print.Template.Quality})
		}
	}
	return out
}
