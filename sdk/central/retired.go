package central

import (
	"context"
	"log/slog"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// dropEvery is how often the register is asked which workers were retired: none
// that was keeps a connection for longer.
const dropEvery = time.Second

// dropper ends the connections of some keys.
type dropper interface {
	Drop(keys []string) (dropped int, err error)
}

// retirements is the part of the store that knows whose rights were taken.
type retirements interface {
	RetiredWorkers(ctx context.Context) ([]string, error)
}

// dropRetired ends the connections of workers that are retired while they are
// connected, by whatever process; a new one the register refuses. A worker must
// go, since its answers are sealed by a key that all workers share; a post
// stays and is told with link.device at each of its calls. It goes on until the
// returned function is called.
func dropRetired(s retirements, b dropper, log *slog.Logger) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(dropEvery)
		defer tick.Stop()
		failed := false
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			keys, err := s.RetiredWorkers(ctx)
			dropped := 0
			if err == nil {
				dropped, err = b.Drop(keys)
			}
			if dropped > 0 {
				log.Info("connections of retired workers ended", "connections", dropped)
			}
			if err != nil && !failed && ctx.Err() == nil { // once, and not each second
				log.Warn("retired workers not looked for", "code", string(fault.CodeOf(err)))
			}
			failed = err != nil
		}
	}()
	return func() error { cancel(); <-done; return nil }
}
