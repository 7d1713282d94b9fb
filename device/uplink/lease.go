package uplink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Codes by which central shuts a post.
var (
	ErrMissing    = &fault.Error{Code: "link.missing"} // reported missing
	ErrRetired    = &fault.Error{Code: "link.device"}  // not registered, or retired
	ErrRolledBack = &fault.Error{Code: "post.counter"} // its disk is an old image, or a copy speaks in its name
	ErrNoLease    = &fault.Error{Code: "lease.unknown"}
)

// Shuts reports whether err is central's word that this post has to lock. Only
// what central has signed becomes such an error; a broker cannot make one.
func Shuts(err error) bool {
	return errors.Is(err, ErrMissing) || errors.Is(err, ErrRetired) || errors.Is(err, ErrRolledBack) || errors.Is(err, ErrNoLease)
}

// leaseLimit bounds one call for a lease.
const leaseLimit = 5 * time.Second

// AskLease asks for a lease over a connection of its own, by the post's boot
// key: it is how a post reaches central before its vault is open. Key and
// Changed of o are not used. It does not try again.
func AskLease(ctx context.Context, o Options, boot ed25519.PrivateKey, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseLimit)
	defer cancel()
	key, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, boot.Seed())
	if err != nil {
		return nil, fault.Wrap("link.key", err)
	}
	l, err := newLink(o, key)
	if err != nil {
		key.Wipe()
		return nil, err
	}
	defer l.key.Wipe()
	public, err := key.PublicKey()
	if err != nil {
		return nil, fault.Wrap("link.key", err)
	}
	options := []nats.Option{
		nats.Name(o.Post), nats.Nkey(public, l.key.Sign), nats.CustomInboxPrefix(linkv1.InboxPrefix(o.Post)),
		nats.NoReconnect(), nats.IgnoreDiscoveredServers(), nats.Timeout(dialLimit), nats.FlusherTimeout(writeLimit),
	}
	options = append(options, guardOf(o)...)
	if l.nc, err = nats.Connect(o.URL, options...); err != nil {
		return nil, fault.New(ErrNotAsked.Code, "reach the releaser: %w", err).AsRetryable().
			WithHint("check the network and that central runs; a post whose boot key nobody registered is not let in either (watchpost-central lease add)")
	}
	defer l.Close()
	l.up = true
	a, err := l.call(ctx, linkv1.LeaseSubject(o.Post), &linkv1.Call{
		PatienceMs: uint32(leaseLimit.Milliseconds()), What: &linkv1.Call_Lease{Lease: &linkv1.LeaseRequest{Request: request}},
	})
	if err != nil {
		return nil, err
	}
	if a.GetLease() == nil {
		return nil, fault.New(ErrReply.Code, "an answer to another call")
	}
	return a.GetLease().Lease, nil
}

// Hello tells central how often this post has started; run is 16 random bytes
// of this run. An error that Shuts is the word to lock.
func (l *Link) Hello(ctx context.Context, starts uint64, run []byte) error {
	_, err := l.hello(ctx, &linkv1.HelloRequest{Starts: starts, Run: run})
	return err
}

func (l *Link) hello(ctx context.Context, h *linkv1.HelloRequest) (*linkv1.HelloResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseLimit)
	defer cancel()
	a, err := l.call(ctx, linkv1.HelloSubject(l.o.Post), &linkv1.Call{
		PatienceMs: uint32(leaseLimit.Milliseconds()), What: &linkv1.Call_Hello{Hello: h},
	})
	if err != nil {
		return nil, err
	}
	if a.GetHello() == nil {
		return nil, fault.New(ErrReply.Code, "an answer to another call")
	}
	return a.GetHello(), nil
}
