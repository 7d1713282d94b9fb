package capture

import (
	"context"
	"sync"

	"github.com/watchpost/watchpost/device/fault"
)

// Pool hands out capture processes that nobody has used: one an encounter, so
// that what a hostile image of one person does to it cannot reach the next
// person's. One spare is kept started and warmed; the next is started when a
// process handed out has ended, as starting one beside an encounter at work
// would slow that down. It is safe for concurrent use.
type Pool struct {
	start func(context.Context) (*Client, error)

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	spare  chan made // guarded by mu: the one being started or ready; nil = none
	closed bool      // guarded by mu
}

// made is how starting a spare ended.
type made struct {
	client *Client
	err    error
}

// NewPool begins to start the first spare and returns at once. warm, which may
// be nil, is called with each new process, to load models for instance; a
// process whose warming fails is not handed out.
func NewPool(o Options, warm func(context.Context, *Client) error) *Pool {
	return newPool(func(ctx context.Context) (*Client, error) {
		client, err := Start(ctx, o)
		if err != nil || warm == nil {
			return client, err
		}
		if err := warm(ctx, client); err != nil {
			client.Close()
			return nil, err
		}
		return client, nil
	})
}

func newPool(start func(context.Context) (*Client, error)) *Pool {
	p := &Pool{start: start}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spare = p.begin()
	return p
}

// begin starts a process in the background.
func (p *Pool) begin() chan made {
	spare := make(chan made, 1)
	p.wg.Go(func() {
		client, err := p.start(p.ctx)
		spare <- made{client, err}
	})
	return spare
}

// Take returns a process of the caller's own, who ends it with End after one
// encounter. It waits for the spare where that is still starting, and starts
// one where there is none. Errors are those of Start; the next Take tries anew.
func (p *Pool) Take(ctx context.Context) (*Client, error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, fault.New(ErrStart.Code, "the pool is closed")
		}
		spare := p.spare
		p.spare = nil
		if spare == nil {
			spare = p.begin()
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			p.giveBack(spare)
			return nil, fail(ctx.Err())
		case got := <-spare:
			if got.err != nil {
				return nil, got.err
			}
			select {
			case <-got.client.Lost(): // it died while it waited
				got.client.Close()
				continue
			default:
			}
			p.wg.Go(func() { p.replace(got.client) })
			return got.client, nil
		}
	}
}

// replace starts the next spare once client has ended.
func (p *Pool) replace(client *Client) {
	select {
	case <-client.Lost():
	case <-p.ctx.Done():
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && p.spare == nil {
		p.spare = p.begin()
	}
}

// End ends a process handed out, without waiting for one that hangs.
func (p *Pool) End(client *Client) { p.wg.Go(func() { client.Close() }) }

// giveBack keeps a process that nobody waited for long enough.
func (p *Pool) giveBack(spare chan made) {
	p.mu.Lock()
	keep := !p.closed && p.spare == nil
	if keep {
		p.spare = spare
	}
	p.mu.Unlock()
	if !keep {
		p.wg.Go(func() { (<-spare).close() })
	}
}

func (m made) close() {
	if m.client != nil {
		m.client.Close()
	}
}

// Close ends the spare and waits for it. Processes handed out stay.
func (p *Pool) Close() error {
	p.mu.Lock()
	spare := p.spare
	p.spare = nil
	already := p.closed
	p.closed = true
	p.mu.Unlock()
	if already {
		return nil
	}
	p.cancel()
	if spare != nil {
		(<-spare).close()
	}
	p.wg.Wait()
	return nil
}
