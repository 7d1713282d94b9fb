package uplink

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// waitingBundles are kept while one is being applied; older ones go, since a
// later one names all that is in force and the rest is fetched by the ordinary
// way.
const waitingBundles = 16

// Follow hands on bundles that come over the link, one at a time, until ctx
// ends. They are nobody's word: take judges them as it would one from a stick.
// The bytes are take's.
func (l *Link) Follow(ctx context.Context, take func(ctx context.Context, bundle []byte) error) error {
	waiting := make(chan []byte, waitingBundles)
	sub, err := l.nc.Subscribe(linkv1.BundleSubject, func(m *nats.Msg) {
		if len(m.Data) > linkv1.MaxMessage {
			return
		}
		for {
			select {
			case waiting <- m.Data:
				return
			default:
			}
			select {
			case <-waiting: // the oldest
			default:
			}
		}
	})
	if err != nil {
		return fault.Wrap(ErrClosed.Code, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the link may be closed
	for {
		select {
		case b := <-waiting:
			if err := take(ctx, b); err != nil {
				l.o.Log.Warn("bundle refused", "code", string(fault.CodeOf(err)))
			}
		case <-ctx.Done():
			return nil
		case <-l.ctx.Done():
			return ErrClosed
		}
	}
}
