package post

import (
	"context"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// Link joins a post to central: one more source of lists, and the sink of its
// outcomes. A post without one stands alone. It must be safe for concurrent
// use; whoever makes it closes it after Post.Close.
type Link interface {
	screening.Source
	// State is "up" or "down".
	State() string
	// Deliver hands over one message of the outbox and returns once central's
	// signed receipt for it has been checked, with the receipt's id. A message
	// may be handed over again after an error: central takes it once, by the
	// encounter's id in it.
	Deliver(ctx context.Context, seq int64, message []byte) (receipt string, err error)
}

// linkNone is the state of a post that stands alone.
const linkNone = "none"

// linkState is the state of the link for the page.
func (p *Post) linkState() string {
	if p.link == nil {
		return linkNone
	}
	return p.link.State()
}

// Pace of the outbox: a cut link is tried often at first, then rarely.
const (
	deliverLimit = 10 * time.Second
	retryFirst   = time.Second
	retryLast    = 30 * time.Second
	deliverBatch = 32
)

// deliver empties the outbox, oldest first, whenever an outcome was recorded
// and again after an error, until ctx ends. A message leaves the outbox in the
// transaction that writes down its receipt.
func (p *Post) deliver(ctx context.Context) {
	wait := retryFirst
	for {
		err := p.deliverAll(ctx)
		if ctx.Err() != nil {
			return
		}
		again := time.NewTimer(retryLast)
		if err != nil {
			p.log.Info("outcomes wait for central", "code", string(fault.CodeOf(err)))
			again.Reset(wait)
			wait = min(2*wait, retryLast)
		} else {
			wait = retryFirst
		}
		select {
		case <-ctx.Done():
		case <-again.C:
		case <-p.decided:
		}
		again.Stop()
	}
}

// deliverAll hands over what waits, up to the first that cannot be.
func (p *Post) deliverAll(ctx context.Context) error {
	for {
		waiting, err := p.store.Outbox(deliverBatch)
		if err != nil || len(waiting) == 0 {
			return err
		}
		for _, m := range waiting {
			limited, cancel := context.WithTimeout(ctx, deliverLimit)
			receipt, err := p.link.Deliver(limited, m.Seq, m.Message)
			cancel()
			if err != nil {
				return err
			}
			line := audit.Line{Time: p.now(), Actor: "post", Action: audit.OutcomeDelivered, Object: receipt}
			if err := p.store.Delivered(m.Seq, line); err != nil {
				return err
			}
		}
	}
}

// wake tells the outbox that an outcome was recorded.
func (p *Post) wake() {
	select {
	case p.decided <- struct{}{}:
	default: // it will look anyway
	}
}
