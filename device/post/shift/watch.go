package shift

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/uplink/command"
	"github.com/watchpost/watchpost/device/vault/lease"
)

// watch renews the lease and keeps contact with central while p is open.
func (s *Shift) watch(p *opened) {
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	keep, renewing := p.post, p.lease
	work.Go(func() {
		if err := keep.KeepContact(ctx); err != nil {
			p.lost <- err
		}
	})
	if renewing != nil {
		work.Go(func() {
			if err := renew(ctx, renewing, s.o.Log); err != nil {
				p.lost <- err
			}
		})
	}
	p.stop = func() { stop(); work.Wait() }
}

// renew asks for more time once a third of the lease has gone, until ctx ends
// or the releaser refuses.
func renew(ctx context.Context, l *lease.Unlocker, log *slog.Logger) error {
	for {
		left, life := l.Left()
		wait := left - life*2/3
		if wait <= 0 {
			err := l.Renew(ctx)
			if uplink.Shuts(err) || errors.Is(err, command.ErrLocked) {
				return err
			}
			if err != nil {
				log.Warn("lease not renewed", "code", string(fault.CodeOf(err)), "left_s", int64(left.Seconds()))
				wait = min(max(left/10, leaseSooner), leaseAgain)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(wait, 0)):
		}
	}
}
