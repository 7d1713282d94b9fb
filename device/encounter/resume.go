package encounter

import (
	"context"
	"encoding/json"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
)

// resume takes up what was open when the post last stopped.
func (p *Post) resume() error {
	var again []*active
	err := p.Store.Encounters(func(id string, raw []byte, err error) error {
		if err != nil {
			p.Log.Error("an encounter cannot be opened", "encounter", id, "code", string(fault.CodeOf(err)))
			return nil
		}
		var e Encounter
		if err := json.Unmarshal(raw, &e); err != nil || e.Version != formVersion {
			p.Log.Error("an encounter has another form", "encounter", id)
			return nil
		}
		if e.State != Closed {
			again = append(again, &active{id: e.ID, view: e, running: make(map[StepName]context.CancelFunc), touched: p.Now()})
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range again {
		a.view.restart()
		if err := a.beginFingers(); err != nil {
			return err
		}
		if err := p.save(a, audit.Line{Action: audit.EncounterResumed}); err != nil {
			return err
		}
		p.open[a.id] = a
		p.emit(a, EventResumed, a.view)
		// Where every step was skipped there is nothing to take again.
		if err := p.advance(a); err != nil {
			return err
		}
	}
	return nil
}

// errRestarted is told with each step whose result a restart has lost: what
// steps bring is biometric and lives in memory only.
var errRestarted = &fault.Error{Code: "post.restarted", Hint: "the post has started again: take this step again"}

// restart puts an encounter back to where it can go on without what was only
// in memory.
func (e *Encounter) restart() {
	if e.State == Review && len(e.Candidates) > 0 {
		// The candidates are known and adjudication can go on.
		return
	}
	e.State = Collecting
	for i := range e.Steps {
		if s := &e.Steps[i]; s.State != Skipped {
			s.State, s.Code, s.Hint = Pending, string(errRestarted.Code), errRestarted.Hint
		}
	}
	e.Inspection, e.Face, e.Comparison, e.Advice = nil, nil, nil, nil
	e.Presentation = e.Presentation.restarted()
	for i := range e.Fingers {
		if f := &e.Fingers[i]; f.State != FingerExcepted {
			*f = FingerFacts{Position: f.Position, State: FingerOpen}
		}
	}
	e.Answer, e.Coverage, e.Missing, e.Candidates = 0, nil, nil, nil
}
