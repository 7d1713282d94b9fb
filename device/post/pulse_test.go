package post

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
)

// process plays a capture process: it answers, hangs, or has ended.
type process struct {
	hangs, ended atomic.Bool
}

func (p *process) ask(ctx context.Context) error {
	switch {
	case p.ended.Load():
		return capture.ErrLost
	case p.hangs.Load():
		<-ctx.Done()
		return capture.ErrDeadline
	}
	return nil
}

// waits is a call to the process that ends with its context alone.
func waits(ctx context.Context) error {
	<-ctx.Done()
	return fault.Wrap("step.deadline", ctx.Err())
}

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		played := new(process)
		p := newPulse(played.ask)
		go p.run(ctx)

		// A call that ends by itself is left alone, whatever it says.
		if err := p.during(ctx, func(context.Context) error { return capture.ErrCameraNone }); !errors.Is(err, capture.ErrCameraNone) {
			t.Errorf("an answer became %v", err)
		}
		// One that waits is let go soon after the process hangs.
		begun := time.Now()
		played.hangs.Store(true)
		if err := p.during(ctx, waits); !errors.Is(err, capture.ErrHangs) || fault.HintOf(err) == "" || !fault.IsRetryable(err) {
			t.Errorf("a call to a process that hangs ends with %v", err)
		}
		if took := time.Since(begun); took > pulseEvery+pulseLimit {
			t.Errorf("a hang is known after %s", took)
		}
		// The next is not even begun to wait for.
		begun = time.Now()
		if err := p.during(ctx, waits); !errors.Is(err, capture.ErrHangs) || time.Since(begun) != 0 {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		// It answers again.
		played.hangs.Store(false)
		time.Sleep(pulseEvery + pulseLimit + time.Second)
		if err := p.during(ctx, func(ctx context.Context) error { return ctx.Err() }); err != nil {
			t.Errorf("after it answers again: %v", err)
		}
		// A process that has ended is no hang: its calls say capture.lost.
		played.ended.Store(true)
		short, stop := context.WithTimeout(ctx, 10*time.Second)
		defer stop()
		if err := p.during(short, waits); fault.CodeOf(err) != "step.deadline" {
			t.Errorf("a process that has ended is told as %v", err)
		}
	})
}
