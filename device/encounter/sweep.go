package encounter

import (
	"encoding/json"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
)

// Sweep removes kept encounters whose time has run out and abandons open ones
// that nobody has touched for the policy's idle time. The daemon calls it
// every minute.
func (p *Post) Sweep() error {
	now := p.Now()
	var due []string
	err := p.Store.Encounters(func(id string, raw []byte, err error) error {
		var e Encounter
		if err != nil || json.Unmarshal(raw, &e) != nil {
			return nil // reported at start; an unreadable encounter is not removed unseen
		}
		if e.State == Closed && !now.Before(e.KeepUntil) {
			due = append(due, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range due {
		if err := p.Store.Remove(id, audit.Line{Time: now, Actor: "post", Action: audit.EncounterRemoved, Encounter: id}); err != nil {
			return err
		}
	}
	p.mu.Lock()
	var idle []string
	for id, a := range p.open {
		if len(a.running) == 0 && now.Sub(a.touched) >= p.Policy.Deadlines.Idle.Of() {
			idle = append(idle, id)
		}
	}
	p.mu.Unlock()
	for _, id := range idle {
		if _, err := p.Decide(id, DecideRequest{Officer: "post", Outcome: Abandoned, Reason: "idle"}); err != nil {
			p.Log.Error("idle encounter not closed", "encounter", id, "code", string(fault.CodeOf(err)))
		}
	}
	return nil
}
