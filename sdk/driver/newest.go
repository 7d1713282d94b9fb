package driver

import (
	"context"
	"sync"
)

// Newest hands one value from a producer to any number of consumers, each of
// which gets the newest there is and never an old one: the rule for preview
// frames. The zero value is ready; all methods are safe for concurrent use.
type Newest[T any] struct {
	mu      sync.Mutex
	value   T             // guarded by mu
	version uint64        // guarded by mu; 0 = nothing yet
	err     error         // guarded by mu; set once
	changed chan struct{} // guarded by mu; closed and replaced at each change
}

// Put replaces the value. It never waits.
func (n *Newest[T]) Put(value T) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.value = value
	n.version++
	n.wake()
}

// End makes every Next fail with err, which must not be nil.
func (n *Newest[T]) End(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.err = err
	}
	n.wake()
}

func (n *Newest[T]) wake() {
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}

// Next waits until there is a value newer than version and returns it with its
// version. Begin with 0.
func (n *Newest[T]) Next(ctx context.Context, version uint64) (T, uint64, error) {
	for {
		n.mu.Lock()
		if n.err != nil {
			err := n.err
			n.mu.Unlock()
			var zero T
			return zero, version, err
		}
		if n.version > version {
			value, newest := n.value, n.version
			n.mu.Unlock()
			return value, newest, nil
		}
		if n.changed == nil {
			n.changed = make(chan struct{})
		}
		changed := n.changed
		n.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			var zero T
			return zero, version, ctx.Err()
		}
	}
}
