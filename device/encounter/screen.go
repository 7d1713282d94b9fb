package encounter

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/biometric/morph"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// Reasons why a modality is withheld from a search.
const (
	withheldMinor      = "minor"
	withheldAgeUnknown = "age_unknown"
	withheldSkipped    = "skipped"
)

// screen compares the face with the portrait while the sources are asked, then
// notes both. It runs without the lock.
func (p *Post) screen(a *active) {
	p.mu.Lock()
	if p.open[a.id] != a {
		p.mu.Unlock()
		return
	}
	probe, document, captured := a.probe, a.document, a.captured
	q, err := p.question(a)
	p.mu.Unlock()
	if err != nil {
		p.Log.Error("no question could be made", "encounter", q.Encounter, "code", string(fault.CodeOf(err)))
	}

	compared := make(chan comparison, 1)
	go func() { compared <- p.compare(document, probe) }()
	ctx, cancel := context.WithTimeout(p.ctx, p.Policy.Deadlines.Answer.Of())
	res := p.Screener.Screen(ctx, q, func(r screening.Reply) { p.late(a, r) })
	cancel()
	if err != nil {
		res.Missing = append(res.Missing, string(fault.CodeOf(err)))
		if res.Answer == screening.Clear {
			res.Answer = screening.NotVerified
		}
	}
	cmp := <-compared
	if p.ctx.Err() != nil {
		return // stopping: the encounter is taken up again at the next start
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[a.id] != a {
		return
	}
	p.noteComparison(a, cmp)
	a.view.Answer, a.view.Coverage, a.view.Missing = res.Answer, res.Coverage, res.Missing
	// Late replies may have come in before this lock was taken.
	early := a.view.Candidates
	a.view.Candidates = nil
	lines := []audit.Line{{Actor: a.view.Officer, Action: audit.Searched, Purpose: a.view.Purpose, Facts: map[string]string{
		"answer": res.Answer.String(), "candidates": strconv.Itoa(len(res.Candidates)), "lists": listsOf(res.Coverage),
	}}}
	for m, why := range q.Withheld {
		lines = append(lines, audit.Line{Action: audit.SearchSuppressed, Facts: map[string]string{string(m): why}})
	}
	for _, c := range res.Candidates {
		a.view.Candidates = append(a.view.Candidates, Candidate{Candidate: c})
		lines = append(lines, audit.Line{Action: audit.CandidateFound, Object: c.List + "/" + c.Record})
	}
	a.view.Candidates = append(a.view.Candidates, early...)
	if len(a.view.Candidates) > 0 {
		a.view.Answer = screening.Candidates
	}
	advice := p.advise(&a.view)
	a.view.Advice = &advice
	a.view.State = Review
	took := p.Now().Sub(captured)
	a.view.AnswerMS = took.Milliseconds()
	p.Answered(took)
	if err := p.save(a, lines...); err != nil {
		// The answer stands in memory; the officer can decide, and that
		// commit will carry it or fail loudly.
		p.Log.Error("answer not saved", "encounter", a.id, "code", string(fault.CodeOf(err)))
	}
	p.emit(a, EventAnswer, a.view)
}

// listsOf names the lists that were searched, for the audit line.
func listsOf(coverage []screening.Coverage) string {
	var names []string
	for _, c := range coverage {
		names = append(names, c.List)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

// question gathers what may be asked. p.mu is held.
func (p *Post) question(a *active) (screening.Question, error) {
	q := screening.Question{Encounter: a.id, Officer: a.view.Officer, Purpose: a.view.Purpose, Withheld: map[screening.Modality]string{}}
	if a.document != nil {
		if a.document.Document.Number != "" {
			q.Documents = []screening.DocumentProbe{a.document.Document}
		}
		if a.document.Name.Primary != "" {
			name := a.document.Name
			q.Name = &name
		}
	}
	why := ""
	switch {
	case a.view.Age == Minor && p.Policy.Minors.Minor != policy.Search1N:
		why = withheldMinor
	case a.view.Age == AgeUnknown && p.Policy.Minors.AgeUnknown != policy.Search1N:
		why = withheldAgeUnknown
	}
	if s := a.view.Step(StepFingers); s != nil {
		switch probes := a.fingerProbes(); {
		case len(probes) == 0 || s.State == Skipped:
			q.Withheld[screening.Finger] = withheldSkipped
		case why != "":
			q.Withheld[screening.Finger] = why
		default:
			q.Fingers = probes
		}
	}
	switch {
	case a.probe == nil:
		q.Withheld[screening.Face] = withheldSkipped
	case why != "":
		q.Withheld[screening.Face] = why
	default:
		means, err := template.Means(a.probe.Templates) // one a model
		if err != nil {
			q.Withheld[screening.Face] = string(fault.CodeOf(err))
			return q, err
		}
		q.Face = &screening.FaceProbe{Template: means[0], Others: means[1:], Frames: means[0].Images, Quality: a.probe.Quality}
	}
	return q, nil
}

// late notes candidates that came after the answer. It alarms; it never
// changes what has been decided.
func (p *Post) late(a *active, r screening.Reply) {
	if len(r.Candidates) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	closed := p.open[a.id] != a
	var lines []audit.Line
	for _, c := range r.Candidates {
		known := slices.ContainsFunc(a.view.Candidates, func(k Candidate) bool { return k.List == c.List && k.Record == c.Record })
		if known {
			continue
		}
		lines = append(lines, audit.Line{Action: audit.LateHit, Object: c.List + "/" + c.Record})
		if !closed {
			a.view.Candidates = append(a.view.Candidates, Candidate{Candidate: c, Late: true})
		}
		p.emit(a, EventLateHit, LateHitData{closed, a.view.Opened, c})
	}
	if len(lines) == 0 {
		return
	}
	var err error
	if closed {
		for i := range lines {
			lines[i].Actor, lines[i].Encounter, lines[i].Time = "post", a.id, p.Now()
		}
		err = p.Store.Commit(store.Change{Audit: lines})
	} else {
		if a.view.State == Review {
			a.view.Answer = screening.Candidates
			advice := p.advise(&a.view)
			a.view.Advice = &advice
		}
		err = p.save(a, lines...)
	}
	if err != nil {
		p.Log.Error("late hit not saved", "encounter", a.id, "code", string(fault.CodeOf(err)))
	}
}

// comparison is what comparing the live face with the portrait gave.
type comparison struct {
	decode, match inspect.Check
	morph         *inspect.Check // nil where the two did not match
	result        *Comparison
	portrait      []byte // JPEG
}

// Clauses of the two portrait checks.
const (
	clauseDecode = "ICAO Doc 9303-10 (8th ed., 2021) 4.7.2"
	clauseMatch  = "ISO/IEC 19795-1:2021 (FMR at the policy's threshold)"
	clauseMorph  = "ISO/IEC 20059 (differential, grey zone)"
)

// compare decodes the chip's portrait and compares it with the live face. It
// holds no lock.
func (p *Post) compare(document *DocumentResult, probe *FaceCapture) comparison {
	out := comparison{
		decode: inspect.Check{Code: inspect.PortraitDecode, Result: inspect.NotPerformed, Clause: clauseDecode},
		match:  inspect.Check{Code: inspect.PortraitMatch, Result: inspect.NotPerformed, Clause: clauseMatch},
	}
	if document == nil {
		return out
	}
	refuse := func(why string) comparison {
		out.decode.Reason, out.match.Reason = why, why
		return out
	}
	if len(document.Portrait) == 0 {
		return refuse("no_portrait")
	}
	if !document.Vouched && !p.Policy.Document.CompareUnvouchedPortrait {
		return refuse("portrait_not_vouched")
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.Policy.Deadlines.Capture.Of())
	defer cancel()
	portrait, err := p.Portraits.DecodePortrait(ctx, document.Portrait)
	out.portrait = portrait.JPEG
	if err != nil {
		code := string(fault.CodeOf(err))
		p.Log.Warn("portrait not decoded", "code", code, "cause", err)
		out.decode.Result, out.decode.Reason = inspect.NotAssessable, code
		out.match.Result, out.match.Reason = inspect.NotAssessable, code
		switch {
		case strings.HasPrefix(code, "image."): // the picture's own fault, not the box's
			out.decode.Result = inspect.Fail
		case code == "face.none": // a picture it is, but of no face that can be found
			out.decode.Result = inspect.Pass
		}
		return out
	}
	out.decode.Result = inspect.Pass
	if probe == nil {
		out.match.Reason = "no_live_face"
		return out
	}
	frames := 0
	means, err := template.Means(probe.Templates)
	if err == nil {
		live := template.Of(means, portrait.Face.Model, portrait.Face.Version)
		if live == nil {
			live = &means[0] // refused below: template.model
		}
		frames = live.Images
		var score float64
		if score, err = template.Likeness(live, &portrait.Face); err == nil {
			threshold := p.Faces.ScoreAt(p.Policy.Biometric.VerificationFMR)
			out.result = &Comparison{Score: score, FMR: p.Faces.FMRAt(score), Threshold: threshold, Match: score >= threshold, Vouched: document.Vouched}
		}
	}
	if err != nil {
		out.match.Result, out.match.Reason = inspect.NotAssessable, string(fault.CodeOf(err))
		return out
	}
	switch {
	case !out.result.Match:
		out.match.Result, out.match.Reason = inspect.Fail, "below_threshold"
	case !document.Vouched:
		out.match.Result, out.match.Reason = inspect.Pass, "portrait_not_vouched"
	default:
		out.match.Result = inspect.Pass
	}
	out.morph = suspicion(out.result, frames)
	return out
}

// suspicion judges whether a portrait that matches may be a mixture of two
// people: one that is hardly alike enough is left to the officer.
func suspicion(c *Comparison, frames int) *inspect.Check {
	if !c.Match {
		return nil
	}
	check := &inspect.Check{Code: inspect.PortraitMorph, Result: inspect.Pass, Clause: clauseMorph}
	if morph.ZoneOf(c.Threshold, frames).Suspicious(c.Score) {
		check.Result, check.Reason = inspect.NotAssessable, "grey_zone"
	}
	return check
}

// noteComparison puts the portrait checks in place of whatever the
// inspection said of them. p.mu is held.
func (p *Post) noteComparison(a *active, c comparison) {
	a.portrait = c.portrait
	if a.view.Inspection == nil {
		return
	}
	i := *a.view.Inspection
	i.Checks = slices.DeleteFunc(slices.Clone(i.Checks), func(k inspect.Check) bool {
		return k.Code == inspect.PortraitDecode || k.Code == inspect.PortraitMatch || k.Code == inspect.PortraitMorph && c.morph != nil
	})
	fresh := []inspect.Check{c.decode, c.match}
	if c.morph != nil {
		fresh = append(fresh, *c.morph)
	}
	i.Checks = append(i.Checks, fresh...)
	a.view.Inspection, a.view.Comparison = &i, c.result
	p.emit(a, EventComparison, ComparisonData{fresh, c.result})
}
