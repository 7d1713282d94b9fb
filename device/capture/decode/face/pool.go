package face

import (
	"context"
	"errors"
	"sync"

	"github.com/watchpost/watchpost/device/fault"
)

// Pool lends engines, one to a caller at a time, and opens them when first
// needed, at most limit of them. It is safe for concurrent use.
type Pool struct {
	open  func() (Engine, error)
	slots chan Engine // nil = a slot whose engine is not open yet

	mu     sync.Mutex // protects closed
	closed bool
}

// NewPool returns a pool that opens engines with open. limit is the number of
// cores to use: one engine keeps one core busy.
func NewPool(limit int, open func() (Engine, error)) *Pool {
	p := &Pool{open: open, slots: make(chan Engine, max(limit, 1))}
	for range cap(p.slots) {
		p.slots <- nil
	}
	return p
}

// Use calls f with an engine that is f's alone meanwhile. It waits for a free
// one until ctx ends.
func (p *Pool) Use(ctx context.Context, f func(Engine) error) error {
	var e Engine
	select {
	case e = <-p.slots:
	case <-ctx.Done():
		return fault.Wrap("face.busy", ctx.Err())
	}
	defer func() { p.slots <- e }()
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return fault.New("face.closed", "the engines are closed")
	}
	if e == nil {
		opened, err := p.open()
		if err != nil {
			return err
		}
		e = opened
	}
	return f(e)
}

// Close waits for the engines lent out and closes all.
func (p *Pool) Close() error {
	p.mu.Lock()
	was := p.closed
	p.closed = true
	p.mu.Unlock()
	if was {
		return nil
	}
	var errs []error
	taken := make([]Engine, 0, cap(p.slots))
	for range cap(p.slots) {
		taken = append(taken, <-p.slots)
	}
	for _, e := range taken {
		if e != nil {
			errs = append(errs, e.Close())
		}
		p.slots <- nil
	}
	return errors.Join(errs...)
}
