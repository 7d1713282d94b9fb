package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/hwtest/wire"
	"github.com/watchpost/watchpost/sdk/client"
)

// notAsked is what an answer lacks while the link is down.
const notAsked = "central: link.not_asked"

// remote is the holder of a document that only central's list has, before and
// after the link is cut.
type remote struct{ found, cut encounterCase }

func (r remote) number() string { return r.found.passport.Person().DocumentNumber }
func (r remote) count() int     { return 2 }

// centralCases are the encounters that need central.
func centralCases(pictures Portraits) (remote, error) {
	chip, err := pictures.OnChip(Astronaut)
	if err != nil {
		return remote{}, err
	}
	stolen := passport.Profile{Seed: 6, Issuer: HomeIssuer(), PortraitData: chip}
	sound := map[string]string{"sod.signature": "pass", "ds.chain": "pass", "dg1.hash": "pass", "dg2.hash": "pass", "portrait.match": "pass"}
	return remote{
		found: encounterCase{
			letter: "g", title: "document on a list that only central holds", passport: &stolen, sitter: Astronaut, age: "adult",
			says:   "This list is not on the box; central has found the document on it.",
			expect: expect{checks: sound, answer: "candidates", record: alertRecord, finding: "undecided", outcome: "referred", reason: alertList + "/" + alertRecord},
		},
		cut: encounterCase{
			letter: "h", title: "the same document with the link cut", passport: &stolen, sitter: Astronaut, age: "adult",
			says:   "Not verified: central not asked. The outcome waits in the outbox.",
			expect: expect{checks: sound, answer: "not-verified", withhel: notAsked, outcome: "referred", reason: "not-verified"},
		},
	}, nil
}

// cutAndRestore walks the holder of the document past the post with the link
// up and cut, restores it, and wants the late hit and the receipts.
func (s *script) cutAndRestore(ctx context.Context, c *Central, r remote) error {
	if err := s.take(ctx, r.found); err != nil {
		return err
	}
	if err := waitFor(ctx, s.client, "central has signed for every outcome", func(y *client.System) bool { return y.Outbox == 0 }); err != nil {
		return err
	}
	c.Wire.Set(wire.Cut)
	defer c.Wire.Set(wire.Open)
	if err := waitFor(ctx, s.client, "the link is down", func(y *client.System) bool { return y.Link == "down" }); err != nil {
		return err
	}
	s.show.link("cut", "")
	if err := s.walk(ctx, r.cut); err != nil {
		return err
	}
	sys, err := s.client.System(ctx)
	if err != nil {
		return err
	}
	if sys.Outbox != 1 {
		return fmt.Errorf("%d outcomes wait in the outbox, must be 1", sys.Outbox)
	}
	s.show.link("cut", "1 outcome waits in the outbox")
	begun := time.Now()
	c.Wire.Set(wire.Open)
	if err := s.lateHit(ctx); err != nil {
		return err
	}
	s.show.link("restored", fmt.Sprintf("late hit on %s/%s after %d ms: officer and supervisor are alarmed", alertList, alertRecord, time.Since(begun).Milliseconds()))
	if err := waitFor(ctx, s.client, "central has signed for the outcome", func(y *client.System) bool { return y.Outbox == 0 && y.Link == "up" }); err != nil {
		return err
	}
	s.show.link("restored", fmt.Sprintf("the outbox is empty after %d ms: central has signed for the outcome", time.Since(begun).Milliseconds()))
	return nil
}

// lateHit follows the events until the last encounter has its late hit.
func (s *script) lateHit(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, linkLimit, fmt.Errorf("no late hit within %s", linkLimit))
	defer cancel()
	err := s.client.Follow(ctx, s.seen, func(ev client.Event) (bool, error) {
		if ev.Kind != "candidate.late" || ev.Encounter != s.last {
			return true, nil
		}
		var hit struct {
			Candidate struct{ List, Record string } `json:"candidate"`
		}
		if err := json.Unmarshal(ev.Data, &hit); err != nil {
			return false, fmt.Errorf("decode a late hit: %w", err)
		}
		if hit.Candidate.List != alertList || hit.Candidate.Record != alertRecord {
			return false, fmt.Errorf("the late hit is on %s/%s", hit.Candidate.List, hit.Candidate.Record)
		}
		return false, nil
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// link prints what the link does and what follows of it.
func (s *screen) link(state, what string) {
	if s.quiet {
		return
	}
	if what == "" {
		s.line("\n  · the link to central is %s", state)
		return
	}
	s.line("    link      %s: %s", state, what)
}
