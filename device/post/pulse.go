package post

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
)

// Pace of asking the capture process whether it is there. The limit leaves a
// process that computes on a loaded machine in peace; a hang is known after
// four seconds, well within the deadlines of steps.
const (
	pulseEvery = time.Second
	pulseLimit = 3 * time.Second
)

// errHangs ends what waits for a process that is there and does not answer.
// Whoever supervises it starts it again: the daemon has no rights over it.
var errHangs = fault.New(capture.ErrHangs.Code, "the capture process does not answer").
	WithHint("the devices are being started again: wait a moment, then try again").AsRetryable()

// pulse knows whether the capture process answers. It is safe for concurrent
// use.
type pulse struct {
	ask   func(context.Context) error
	every time.Duration
	limit time.Duration

	mu   sync.Mutex
	lost chan struct{} // guarded by mu: closed while it hangs
}

func newPulse(ask func(context.Context) error) *pulse {
	return &pulse{ask: ask, every: pulseEvery, limit: pulseLimit, lost: make(chan struct{})}
}

// run asks until ctx ends. A process that has ended is no hang: calls to it
// fail by themselves at once.
func (p *pulse) run(ctx context.Context) {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked, cancel := context.WithTimeout(ctx, p.limit)
		err := p.ask(asked)
		cancel()
		p.note(errors.Is(err, capture.ErrDeadline))
	}
}

func (p *pulse) note(hangs bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.lost:
		if !hangs {
			p.lost = make(chan struct{})
		}
	default:
		if hangs {
			close(p.lost)
		}
	}
}

// during runs f, whose context ends when the process hangs; the error is then
// errHangs, whatever f made of it.
func (p *pulse) during(ctx context.Context, f func(context.Context) error) error {
	p.mu.Lock()
	lost := p.lost
	p.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-lost:
			cancel(errHangs)
		case <-ctx.Done():
		}
	}()
	err := f(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errHangs) {
		return errHangs
	}
	return err
}
