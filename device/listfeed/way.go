package listfeed

import (
	"context"
	"errors"
	"io"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// errWay ends what a refresh is fetching, since an urgent change waits.
var errWay = &fault.Error{Code: "listfeed.way"}

// yielding is a carrier whose every byte stops coming when way ends.
type yielding struct {
	Carrier
	way context.Context
}

// Open implements Carrier.
func (y yielding) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if y.way.Err() != nil {
		return nil, errWay
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(y.way, cancel)
	r, err := y.Carrier.Open(ctx, name, offset)
	if err != nil {
		stop()
		cancel()
		if y.way.Err() != nil {
			return nil, errWay
		}
		return nil, err
	}
	// A reader that heeds no context is closed under its Read.
	end := context.AfterFunc(ctx, func() { _ = r.Close() })
	return &yieldingReader{r, y.way, func() { stop(); end(); cancel() }}, nil
}

type yieldingReader struct {
	io.ReadCloser
	way context.Context
	end func()
}

func (y *yieldingReader) Read(p []byte) (int, error) {
	n, err := y.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && y.way.Err() != nil {
		err = errWay
	}
	return n, err
}

func (y *yieldingReader) Close() error { y.end(); return y.ReadCloser.Close() }

// take waits for its turn. An urgent one has the refresh that is fetching stop;
// what came of it is kept, and it goes on afterwards.
func (u *Updater) take(ctx context.Context, urgent bool) (way context.Context, leave func(), err error) {
	wait := func(c chan struct{}) error {
		select {
		case c <- struct{}{}:
			return nil
		case <-ctx.Done():
			return fault.Wrap("listfeed.cancelled", ctx.Err())
		}
	}
	if urgent {
		u.makeWay() // whoever is next in line may wait for it
	}
	if err := wait(u.line); err != nil {
		return nil, nil, err
	}
	defer func() { <-u.line }()
	if urgent {
		u.makeWay()
	}
	if err := wait(u.turn); err != nil {
		return nil, nil, err
	}
	way, stop := context.WithCancel(context.Background())
	u.wayMu.Lock()
	defer u.wayMu.Unlock()
	u.stop = nil
	if !urgent {
		u.stop = stop
	}
	return way, func() {
		u.wayMu.Lock()
		u.stop = nil
		u.wayMu.Unlock()
		stop()
		<-u.turn
	}, nil
}

func (u *Updater) makeWay() {
	u.wayMu.Lock()
	defer u.wayMu.Unlock()
	if u.stop != nil {
		u.stop()
	}
}

// urgent reports whether a bundle is worth stopping a refresh for: its timestamp
// is the publisher's and newer than the one held. A replay is not.
func (u *Updater) urgent(b *Bundle) bool {
	u.mu.RLock()
	t := u.held.clone()
	u.mu.RUnlock()
	before := int64(0)
	if t.timestamp != nil {
		before = t.timestamp.Signed.Version
	}
	return len(b.Timestamp) <= target.MaxTimestamp && t.updateTimestamp(b.Timestamp, u.o.Now()) == nil && t.timestamp.Signed.Version > before
}

// gaveWay takes what stopped for an urgent change out of a result, and reports
// whether there was any.
func gaveWay(r *Result, err error) bool {
	gave := errors.Is(err, errWay)
	kept := r.Refused[:0]
	for _, f := range r.Refused {
		if errors.Is(f.Err, errWay) {
			gave = true
			continue
		}
		kept = append(kept, f)
	}
	r.Refused = kept
	return gave
}
