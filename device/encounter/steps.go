package encounter

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/fault"
)

// ReadDocument starts reading the document and returns at once; events tell
// how it goes. A step that has failed may be started again.
func (p *Post) ReadDocument(id string, key DocumentKey) error {
	return p.start(id, StepDocument, p.Policy.Deadlines.ChipRead.Of(), func(ctx context.Context, a *active) (func(), error) {
		res, err := p.Documents.ReadDocument(ctx, key, func(pr Progress) {
			pr.Step = StepDocument
			p.emit(a, EventProgress, pr)
		})
		if err != nil {
			var ok bool
			if res, ok = p.withoutChip(a, key, err); !ok {
				return nil, err
			}
		}
		return func() {
			a.document = &res
			a.view.Inspection = &res.Inspection
			a.view.Age = p.ageFrom(res.BirthDate, a.view.Declared.Age)
			p.emit(a, EventInspection, res.Inspection)
		}, nil
	})
}

// withoutChip judges a document on whose chip the reader found nothing. The
// first time that is an error, for the document may not lie on the reader yet;
// from the second time on it is what is known of the document.
func (p *Post) withoutChip(a *active, key DocumentKey, cause error) (DocumentResult, bool) {
	seeker, ok := p.Documents.(ChipSeeker)
	if !ok {
		return DocumentResult{}, false
	}
	p.mu.Lock()
	tries := a.view.Step(StepDocument).Tries
	p.mu.Unlock()
	if tries < 2 {
		return DocumentResult{}, false
	}
	return seeker.WithoutChip(key, cause)
}

// CaptureFace starts taking frames of the person and returns at once.
func (p *Post) CaptureFace(id string) error {
	return p.start(id, StepFace, p.Policy.Deadlines.Capture.Of(), func(ctx context.Context, a *active) (func(), error) {
		shot, err := p.Camera.CaptureFace(ctx, p.Policy.Biometric.FaceFrames)
		if err != nil {
			return nil, err
		}
		if len(shot.Templates) == 0 {
			return nil, fault.New("face.none", "no frame shows a face").WithHint("ask the person to look at the camera, then try again")
		}
		if shot.Faces > 1 {
			return nil, fault.New("face.several", "%d faces in one frame", shot.Faces).WithHint("only one person may stand before the camera")
		}
		if shot.Quality < p.Policy.Biometric.MinFaceQuality {
			return nil, fault.New("face.quality", "quality %d, at least %d is needed", shot.Quality, p.Policy.Biometric.MinFaceQuality).
				WithHint(coachHint(shot.Advice))
		}
		if err := p.onePerson(shot.Templates); err != nil {
			return nil, err
		}
		return func() {
			a.probe = &shot
			a.view.Face = &FaceFacts{Frames: len(shot.Templates), Quality: shot.Quality, Faces: shot.Faces, Model: shot.Templates[0].Model}
		}, nil
	})
}

// onePerson refuses a burst whose frames do not all show the same person: their
// mean would be nobody, or worse, somebody listed. Frames that are alike by the
// threshold of 1:1 are taken for one person's; frames of one burst lie far
// above it.
func (p *Post) onePerson(frames []template.Face) error {
	threshold := p.Faces.ScoreAt(p.Policy.Biometric.VerificationFMR)
	for i := range frames {
		for k := range i {
			score, err := template.Cosine(&frames[i], &frames[k])
			if err != nil {
				return err
			}
			if score < threshold {
				return fault.New("face.changed", "two frames of the burst are not of one person").
					WithHint("only the person of this encounter may stand before the camera; then try again")
			}
		}
	}
	return nil
}

// Skip ends a step without its result. The reason is kept and, as far as
// checks are missing for it, the answer will say so.
func (p *Post) Skip(id string, name StepName, officer, reason string) error {
	if reason == "" {
		return ErrReason
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a, err := p.find(id)
	if err != nil {
		return err
	}
	s := a.view.Step(name)
	if s == nil {
		return ErrNoSuchStep
	}
	if a.view.State != Collecting || (s.State != Pending && s.State != Failed) {
		return fault.New(ErrState.Code, "step %s is %s", name, s.State)
	}
	before := a.view.clone()
	s.State, s.Code, s.Hint = Skipped, reason, ""
	var also *Step
	if name == StepFace {
		also = a.withoutFace()
	}
	// What an officer has said is kept at once: a restart must not ask again.
	if err := p.save(a, audit.Line{Actor: officer, Action: audit.StepSkipped, Facts: map[string]string{"step": string(name)}}); err != nil {
		a.view = before
		return err
	}
	p.emit(a, EventStep, *s)
	if also != nil {
		p.emit(a, EventStep, *also)
	}
	if err := p.advance(a); err != nil {
		a.view = before // the officer skips again once there is room
		for _, s := range before.Steps {
			p.emit(a, EventStep, s)
		}
		return err
	}
	return nil
}

// start runs one step in the background. work does it without the lock and
// returns what to note under the lock.
func (p *Post) start(id string, name StepName, limit time.Duration, work func(context.Context, *active) (func(), error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, err := p.find(id)
	if err != nil {
		return err
	}
	s := a.view.Step(name)
	if s == nil {
		return ErrNoSuchStep
	}
	if a.view.State != Collecting || s.State == Running || s.State == Done {
		return fault.New(ErrState.Code, "the encounter is %s and step %s is %s", a.view.State, name, s.State)
	}
	s.State, s.Code, s.Hint = Running, "", ""
	s.Tries++
	p.emit(a, EventStep, *s)
	ctx, cancel := context.WithTimeoutCause(p.ctx, limit,
		fault.New("step.deadline", "step %s took longer than %s", name, limit).WithHint("try again; if it happens again, look at the device").AsRetryable())
	a.running[name] = cancel
	p.work.Add(1)
	go func() {
		defer p.work.Done()
		defer cancel()
		begun := p.Now()
		note, err := work(ctx, a)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		p.finish(a, name, begun, note, err)
	}()
	return nil
}

// finish notes how a step ended and moves the encounter on.
func (p *Post) finish(a *active, name StepName, begun time.Time, note func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(a.running, name)
	if p.open[a.id] != a {
		return // closed meanwhile: the result is dropped
	}
	s := a.view.Step(name)
	s.Millis = p.Now().Sub(begun).Milliseconds()
	a.touched = p.Now()
	if err != nil {
		s.State, s.Code, s.Hint = Failed, string(fault.CodeOf(err)), hintOf(err)
		p.Log.Info("step failed", "encounter", a.id, "step", string(name), "code", s.Code)
		p.emit(a, EventStep, *s)
		return
	}
	s.State = Done
	a.captured = p.Now()
	note()
	p.emit(a, EventStep, *s)
	if err := p.advance(a); err != nil {
		// Nothing but another try moves the encounter on.
		p.Log.Error("encounter not saved", "encounter", a.id, "code", string(fault.CodeOf(err)))
		s.State, s.Code, s.Hint = Failed, string(fault.CodeOf(err)), hintOf(err)
		p.emit(a, EventStep, *s)
	}
}

// advance asks the question once every step has ended. p.mu is held.
func (p *Post) advance(a *active) error {
	if a.view.State != Collecting || !a.view.settled() {
		return nil
	}
	a.view.State = Screening
	var lines []audit.Line
	if a.view.Inspection != nil {
		lines = append(lines, audit.Line{Action: audit.Inspected, Facts: checkFacts(a.view.Inspection)})
	}
	if err := p.save(a, lines...); err != nil {
		a.view.State = Collecting
		return err
	}
	p.emit(a, EventScreening, Nothing{})
	p.work.Add(1)
	go func() {
		defer p.work.Done()
		p.screen(a)
	}()
	return nil
}

// checkFacts counts results for the audit line.
func checkFacts(i *inspect.Inspection) map[string]string {
	counts := make(map[inspect.Result]int)
	var failed []string
	for _, c := range i.Checks {
		counts[c.Result]++
		if c.Result == inspect.Fail {
			failed = append(failed, string(c.Code))
		}
	}
	facts := make(map[string]string)
	for r, n := range counts {
		facts[r.String()] = strconv.Itoa(n)
	}
	if len(failed) > 0 {
		slices.Sort(failed)
		facts["failed"] = strings.Join(failed, " ")
	}
	return facts
}

// ageFrom decides the age class from a vouched date of birth, else from what
// was declared. A date with unknown parts counts as its latest possible day,
// so that a minor is never taken for an adult.
func (p *Post) ageFrom(birth string, declared AgeClass) AgeClass {
	latest, ok := latestDay(birth)
	if !ok {
		return declared
	}
	if latest.AddDate(p.Policy.Minors.AdultAge, 0, 0).After(p.Now()) {
		return Minor
	}
	return Adult
}

// latestDay reads YYYY-MM-DD with "XX" for what is unknown.
func latestDay(s string) (time.Time, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	year, err := strconv.Atoi(s[:4])
	if err != nil {
		return time.Time{}, false
	}
	month := 12
	if s[5:7] != "XX" {
		if month, err = strconv.Atoi(s[5:7]); err != nil || month < 1 || month > 12 {
			return time.Time{}, false
		}
	}
	last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC)
	if s[8:] == "XX" {
		return last, true
	}
	day, err := strconv.Atoi(s[8:])
	if err != nil || day < 1 || day > last.Day() {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC), true
}
