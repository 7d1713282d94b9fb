package uplink

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

var _ screening.Source = (*Link)(nil)

// Name implements screening.Source.
func (l *Link) Name() string { return Name }

// Ask implements screening.Source. It returns ErrNotAsked at once while the
// link is down and ErrDeadline after the budget.
func (l *Link) Ask(ctx context.Context, q screening.Question) (screening.Reply, error) {
	return l.ask(ctx, q, l.o.Budget)
}

func (l *Link) ask(ctx context.Context, q screening.Question, patience time.Duration) (screening.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, err := l.call(ctx, linkv1.AskSubject(l.o.Post), &linkv1.Call{
		PatienceMs: uint32(patience.Milliseconds()), What: &linkv1.Call_Ask{Ask: question(q)},
	})
	if err != nil {
		return screening.Reply{}, err
	}
	if a.GetAsk() == nil {
		return screening.Reply{}, fault.New(ErrReply.Code, "an answer to another call")
	}
	return reply(a.GetAsk())
}

// Screener asks all sources of a post.
type Screener interface {
	Screen(ctx context.Context, q screening.Question, late func(screening.Reply)) screening.Result
}

// Patient asks central again where it had no answer in time: the officer has
// the answer of the others at once, and what central finds is a late hit. It
// is safe for concurrent use.
type Patient struct {
	Screener Screener
	Link     *Link
	LateBy   time.Duration // after the answer
	// Without takes out of a late reply what must not be shown; may be nil.
	Without func(screening.Reply) screening.Reply

	asking sync.WaitGroup
}

// lateTry bounds one late question, so that one that was lost is sent again.
const lateTry = 5 * time.Second

// Screen implements encounter.Screener.
func (p *Patient) Screen(ctx context.Context, q screening.Question, late func(screening.Reply)) screening.Result {
	res := p.Screener.Screen(ctx, q, late)
	if late == nil || errors.Is(ctx.Err(), context.Canceled) || answered(res) {
		return res
	}
	p.asking.Go(func() {
		ctx, cancel := context.WithTimeout(p.Link.ctx, p.LateBy)
		defer cancel()
		r, err := p.Link.askLate(ctx, q)
		if err != nil {
			return
		}
		if p.Without != nil {
			r = p.Without(r)
		}
		late(r)
	})
	return res
}

// Wait returns when no late question is under way. Closing the link ends them.
func (p *Patient) Wait() { p.asking.Wait() }

// answered reports whether central's answer is part of res.
func answered(res screening.Result) bool {
	for _, c := range res.Coverage {
		if c.Source == Name {
			return true
		}
	}
	return false
}

// askLate asks until central has answered or refused for good, or ctx ends.
func (l *Link) askLate(ctx context.Context, q screening.Question) (screening.Reply, error) {
	for attempt := 0; ; attempt++ {
		if err := l.waitUp(ctx); err != nil {
			return screening.Reply{}, err
		}
		r, err := l.ask(ctx, q, lateTry)
		if err == nil {
			r.Source = Name
			return r, nil
		}
		if !fault.IsRetryable(err) {
			return r, err
		}
		select {
		case <-time.After(backoff(attempt)):
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
}
