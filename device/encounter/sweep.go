package encounter

import (
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/retention"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
)

// retentionCursor is where post.db keeps the retention clock.
const retentionCursor = "retention.clock"

// retentionSaved is how often the retention clock is written, in seconds: a
// crash loses nothing, since the machine's running time is counted over it,
// and a power cut at most the time since then if the wall clock is lost too.
const retentionSaved = 600

// dueAtOnce is how much of what is due is asked for at a time.
const dueAtOnce = 256

// Sweep removes what has been kept long enough, destroys its keys, and
// abandons open encounters that nobody has touched for the policy's idle time.
// The daemon calls it every minute.
func (p *Post) Sweep() error {
	if err := p.expire(); err != nil {
		return err
	}
	if err := p.Store.Shred(); err != nil {
		return err
	}
	now := p.Now()
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

// expire removes what has been kept long enough.
func (p *Post) expire() error {
	now := p.retentionNow()
	for {
		due, err := p.Store.Due(now, dueAtOnce)
		if err != nil || len(due) == 0 {
			break
		}
		for _, k := range due {
			action := audit.EncounterRemoved
			if k.Kind == store.KindEvidence {
				action = audit.EvidenceShredded
			}
			if err := p.Store.Expire(k, audit.Line{Time: p.Now(), Actor: "post", Action: action, Encounter: k.ID}); err != nil {
				return err
			}
		}
	}
	return p.saveRetention(now, retentionSaved)
}

// retentionNow returns the retention time in seconds.
func (p *Post) retentionNow() int64 { return p.kept.Now(p.moment()) }

func (p *Post) moment() retention.Moment {
	if p.Clock != nil {
		return p.Clock()
	}
	return retention.Machine(p.Now())
}

// saveRetention writes the retention clock if it was last written more than
// after seconds ago.
func (p *Post) saveRetention(now int64, after int64) error {
	if now-p.keptSaved.Load() < after {
		return nil
	}
	raw, err := p.kept.State()
	if err == nil {
		err = p.Store.Note(retentionCursor, raw)
	}
	if err == nil {
		p.keptSaved.Store(now)
	}
	return err
}

// resumeRetention takes up the retention clock where it was.
func (p *Post) resumeRetention() error {
	raw, err := p.Store.Cursor(retentionCursor)
	if err != nil {
		return err
	}
	if p.kept, err = retention.Resume(raw, p.moment()); err != nil {
		return err
	}
	return p.saveRetention(p.retentionNow(), 0)
}

// until returns the retention time at which what is kept for d from now ends.
func (p *Post) until(d time.Duration) int64 {
	return p.retentionNow() + int64((d+time.Second-1)/time.Second)
}
