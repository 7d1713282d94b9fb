package shard

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	liststore "github.com/watchpost/watchpost/device/watchlist/store"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// HereSubjects is where workers say what they hold; a worker publishes on Here
// of its name alone, which the broker sees to.
const HereSubjects = "search.here.*"

// Here is the subject of a worker that central knows by its public nkey.
func Here(publicKey string) string { return "search.here." + publicKey }

const (
	tellEvery = 10 * time.Second
	maxHere   = 64 << 10 // bytes of one word of presence
	noteLimit = 5 * time.Second
)

// Holds is what a worker says of itself.
type Holds struct {
	Shard int         `json:"shard"`
	Of    int         `json:"of"`
	Lists []HoldsList `json:"lists"`
}

// HoldsList is a part of a list.
type HoldsList struct {
	List       string `json:"list"`
	Generation uint64 `json:"generation"`
	Records    int    `json:"records"`
}

// Tell says at once, and every ten seconds, what a worker holds, by the nkey of
// its connection. stop ends it.
func Tell(nc *nats.Conn, at Place, lists []*liststore.Manifest, key *vault.Key, log *slog.Logger) (stop func() error) {
	h := Holds{Shard: at.Shard, Of: at.Of, Lists: []HoldsList{}}
	for _, m := range lists {
		h.Lists = append(h.Lists, HoldsList{m.List, m.Generation, m.Records})
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		for {
			if err := tell(nc, at, h, key); err != nil {
				log.Warn("central is not told what is held here", "code", string(fault.CodeOf(err)))
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() error { cancel(); <-done; return nil }
}

func tell(nc *nats.Conn, at Place, h Holds, key *vault.Key) error {
	raw, err := json.Marshal(h)
	if err != nil {
		return fault.Wrap("call.invalid", err)
	}
	// The place is not known before it is read: it stands inside.
	sealed, err := seal(key, Place{}, presence, "", raw)
	if err != nil {
		return err
	}
	return fault.Wrap("central.broker", nc.Publish(Here(nc.Opts.Nkey), sealed))
}

// Workers is the register.
type Workers interface {
	WorkerHolds(ctx context.Context, publicKey string, shard int, holds []byte) error
}

var _ Workers = (*store.Store)(nil)

// Listen notes what workers say that they hold, until stop is called. Who says
// another shard than it was registered for, or another number of them than
// central asks, is named in the log: its answers do not open here.
func Listen(nc *nats.Conn, key *vault.Key, of int, all Workers, log *slog.Logger) (stop func() error, err error) {
	sub, err := nc.Subscribe(HereSubjects, func(m *nats.Msg) {
		if len(m.Data) > maxHere {
			return
		}
		plain, err := unseal(key, Place{}, presence, "", m.Data)
		var h Holds
		if err == nil {
			err = json.Unmarshal(plain, &h)
		}
		if err != nil {
			log.Warn("a worker's word refused", "code", "call.invalid")
			return
		}
		if h.Of != of {
			log.Error("a worker holds a part of another split", "shard", h.Shard, "of", h.Of, "asked", of)
		}
		ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
		defer cancel()
		if err := all.WorkerHolds(ctx, m.Subject[len(HereSubjects)-1:], h.Shard, plain); err != nil {
			log.Warn("what a worker holds is not noted", "shard", h.Shard, "code", string(fault.CodeOf(err)))
		}
	})
	if err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	return sub.Unsubscribe, nil
}
