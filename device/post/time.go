package post

import (
	"context"
	"time"

	"github.com/watchpost/watchpost/device/clock"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/feeds"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/web"
)

// floorEvery is how often it is kept: what a clock can be put back unseen on a
// box that was idle and lost power.
const floorEvery = 5 * time.Minute

// raiseClock makes the clock tell no time before the last one that is kept:
// that of the last line of the audit log, or of the last idle minutes.
func (p *Post) raiseClock() error {
	if err := feeds.RaiseClock(p.clock, p.store); err != nil {
		return err
	}
	if p.clock.Back() != nil {
		p.log.Error("the machine's clock is behind", "code", string(clock.ErrBack.Code), "machine", p.machine().UTC(), "seen", p.now().UTC())
	}
	return nil
}

// keepTime keeps the time now and then, and tells officers when the machine's
// clock goes back or is right again, until ctx ends.
func (p *Post) keepTime(ctx context.Context) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	told, kept := error(nil), p.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if now := p.clock.Back(); now != told {
			told = now
			p.tellClock(now)
		}
		if now := p.now(); now.Sub(kept) >= floorEvery {
			kept = now
			raw, err := now.UTC().MarshalBinary()
			if err == nil {
				err = p.store.Note(feeds.FloorCursor, raw)
			}
			if err != nil {
				p.log.Error("time not kept", "code", string(fault.CodeOf(err)))
			}
		}
	}
}

func (p *Post) tellClock(back error) {
	d := encounter.DeviceData{ID: "clock", Kind: "other", State: "ready"}
	if back != nil {
		d.State, d.Code = "lost", string(clock.ErrBack.Code)
		p.log.Error("the machine's clock has gone back", "code", d.Code)
	}
	if err := p.events.Add(p.now(), "", encounter.EventDevice, d); err != nil {
		p.log.Error("event not sent", "kind", string(encounter.EventDevice), "code", string(fault.CodeOf(err)))
	}
}

// clockInfo is the clock among the devices, where it has gone back.
func (p *Post) clockInfo() []web.DeviceInfo {
	if p.clock.Back() == nil {
		return nil
	}
	return []web.DeviceInfo{{ID: "clock", Kind: "other", Name: "Clock (has gone back)", State: "lost"}}
}

// timely calls no answer clear while the clock is wrong: how old a list is, and
// whether it has expired, is not certain then.
type timely struct {
	encounter.Screener
	clock *clock.Clock
}

// Screen implements encounter.Screener.
func (s timely) Screen(ctx context.Context, q screening.Question, late func(screening.Reply)) screening.Result {
	res := s.Screener.Screen(ctx, q, late)
	if err := s.clock.Back(); err != nil {
		res.Missing = append(res.Missing, "clock: "+string(clock.ErrBack.Code))
		if res.Answer == screening.Clear {
			res.Answer = screening.NotVerified
		}
	}
	return res
}
