package encounter

import (
	"encoding/json"
	"strconv"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
)

// AdjudicateRequest is an officer's finding on one candidate.
type AdjudicateRequest struct {
	Officer string
	Second  string // another officer who has just signed for it, "" if none
	List    string
	Record  string
	Finding Finding
	Reason  string
}

// Adjudicate records a finding on a candidate. A finding may be changed until
// the outcome is recorded; each change is audited.
func (p *Post) Adjudicate(id string, req AdjudicateRequest) (Encounter, error) {
	if req.Finding == FindingUnknown || req.Finding > Undecided {
		return Encounter{}, fault.New("encounter.word", "a finding is one of same_person, different_person, undecided")
	}
	if req.Reason == "" {
		return Encounter{}, ErrReason
	}
	if req.Finding == SamePerson && p.Policy.NeedsSecond(policy.ActConfirmCandidate) && (req.Second == "" || req.Second == req.Officer) {
		return Encounter{}, ErrSecond
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a, err := p.find(id)
	if err != nil {
		return Encounter{}, err
	}
	if a.view.State != Review {
		return Encounter{}, fault.New(ErrState.Code, "the encounter is %s, findings are made in review", a.view.State)
	}
	before := a.view.clone()
	found := false
	for i := range a.view.Candidates {
		c := &a.view.Candidates[i]
		if c.List == req.List && c.Record == req.Record {
			c.Finding, c.Officer, c.Second, c.Reason = req.Finding, req.Officer, req.Second, req.Reason
			found = true
		}
	}
	if !found {
		return Encounter{}, fault.New("encounter.no_such_candidate", "there is no such candidate")
	}
	advice := p.advise(&a.view)
	a.view.Advice = &advice
	line := audit.Line{Actor: req.Officer, Action: audit.CandidateAdjudicate, Object: req.List + "/" + req.Record, Facts: map[string]string{"finding": req.Finding.String()}}
	if req.Second != "" {
		line.Facts["second"] = req.Second
	}
	if err := p.save(a, line); err != nil {
		a.view = before
		return Encounter{}, err
	}
	p.emit(a, EventAdjudicated, a.view.Candidates)
	return a.view.clone(), nil
}

// DecideRequest records the outcome.
type DecideRequest struct {
	Officer string
	Second  string // another officer who has just signed for it, "" if none
	Outcome Outcome
	Reason  string
}

// Decide records the one outcome of an encounter and forgets all that need not
// be kept. Admitting against the advice is an override: it needs a reason and,
// where policy says so, a second officer. No outcome but abandoned and
// evacuated comes before every candidate has a finding.
func (p *Post) Decide(id string, req DecideRequest) (Encounter, error) {
	if req.Outcome == OutcomeUnknown || req.Outcome > Evacuated {
		return Encounter{}, fault.New("encounter.word", "an outcome is one of admitted, referred, refused, abandoned, evacuated")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a, err := p.find(id)
	if err != nil {
		return Encounter{}, err
	}
	d := Decision{Outcome: req.Outcome, Officer: req.Officer, Second: req.Second, Reason: req.Reason, Time: p.Now().UTC()}
	if err := p.mayDecide(a, &d); err != nil {
		return Encounter{}, err
	}
	kept := a.view.clone()
	kept.State, kept.Decision = Closed, &d
	left, err := p.remains(a, &kept)
	if err != nil {
		return Encounter{}, err
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return Encounter{}, fault.Wrap("encounter.encode", err)
	}
	message, err := json.Marshal(outcomeMessage(&kept))
	if err != nil {
		return Encounter{}, fault.Wrap("encounter.encode", err)
	}
	line := audit.Line{Actor: req.Officer, Action: audit.OutcomeRecorded, Facts: map[string]string{
		"outcome": d.Outcome.String(), "override": strconv.FormatBool(d.Override), "answer": a.view.Answer.String(),
	}}
	if d.Second != "" {
		line.Facts["second"] = d.Second
	}
	err = p.Store.Commit(store.Change{Encounter: id, State: raw, Close: left, Outbox: message, Audit: p.stamp(a, []audit.Line{line})})
	if err != nil {
		return Encounter{}, err // still open: nothing was recorded
	}
	for _, stop := range a.running {
		stop()
	}
	a.forget()
	a.view = kept
	delete(p.open, id)
	p.Events.Forget(id)
	p.emit(a, EventOutcome, d)
	p.Ended(d.Outcome)
	return kept, nil
}

// mayDecide checks an outcome against state and policy and marks an override.
// p.mu is held.
func (p *Post) mayDecide(a *active, d *Decision) error {
	switch d.Outcome {
	case Abandoned, Evacuated:
		if d.Reason == "" {
			return ErrReason
		}
		return nil
	}
	if a.view.State != Review || a.view.Advice == nil {
		return fault.New(ErrState.Code, "the encounter is %s, an outcome is recorded in review", a.view.State).
			WithHint("finish or skip the open steps first, or abandon the encounter")
	}
	for _, c := range a.view.Candidates {
		if c.Finding == FindingUnknown {
			return ErrUndecided
		}
	}
	if d.Outcome == Admitted && !a.view.Advice.Clear {
		d.Override = true
		if d.Reason == "" {
			return ErrReason
		}
		if p.Policy.NeedsSecond(policy.ActOverride) && (d.Second == "" || d.Second == d.Officer) {
			return ErrSecond
		}
	}
	if d.Outcome == Refused && d.Reason == "" {
		return ErrReason
	}
	return nil
}

// forget drops and overwrites what lived in memory only.
func (a *active) forget() {
	if a.probe != nil {
		for i := range a.probe.Templates {
			clear(a.probe.Templates[i].Vector[:])
		}
		clear(a.probe.Picture)
		a.probe = nil
	}
	if a.document != nil {
		clear(a.document.Portrait)
		a.document = nil
	}
	clear(a.portrait)
	a.portrait = nil
}

// Message is what central is told of an encounter: no biometrics, no name.
type Message struct {
	Version   int               `json:"version"`
	ID        string            `json:"id"`
	Post      string            `json:"post"`
	Purpose   string            `json:"purpose"`
	Decision  Decision          `json:"decision"`
	Answer    string            `json:"answer"`
	Checks    map[string]string `json:"checks,omitempty"` // code → result
	Candidate []MessageFinding  `json:"candidates,omitempty"`
}

// MessageFinding is a finding on one record.
type MessageFinding struct {
	List    string `json:"list"`
	Record  string `json:"record"`
	Finding string `json:"finding"`
}

func outcomeMessage(e *Encounter) Message {
	m := Message{Version: formVersion, ID: e.ID, Post: e.Post, Purpose: e.Purpose, Decision: *e.Decision, Answer: e.Answer.String()}
	if e.Inspection != nil || e.Presentation != nil {
		m.Checks = make(map[string]string)
	}
	if e.Presentation != nil {
		m.Checks[string(e.Presentation.Check.Code)] = e.Presentation.Check.Result.String()
	}
	if e.Inspection != nil {
		for _, c := range e.Inspection.Checks {
			m.Checks[string(c.Code)] = c.Result.String()
		}
	}
	for _, c := range e.Candidates {
		m.Candidate = append(m.Candidate, MessageFinding{c.List, c.Record, c.Finding.String()})
	}
	return m
}
