package central

import (
	"context"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Posts is the part of the store that knows which posts are to lock.
type Posts interface {
	LeaseOf(ctx context.Context, device string) (store.Lease, error)
	Released(ctx context.Context, device string, call []byte, renewal bool) error
	Hello(ctx context.Context, device string, h *linkv1.HelloRequest) (store.Due, error)
	Renew(ctx context.Context, device string, life time.Duration) (store.Device, error)
}

// lease gives a post the other half of what opens its vault, or more time. It
// records the call first: nothing is released unrecorded.
func (s *Service) lease(ctx context.Context, call *linkv1.Call, r *linkv1.LeaseRequest) (*linkv1.LeaseResponse, error) {
	q, err := lease.DecodeRequest(r.Request)
	if err != nil {
		return nil, fault.Wrap("call.invalid", err)
	}
	if q.Post != call.Post {
		return nil, fault.New("call.invalid", "a lease of another post")
	}
	if err := s.o.Posts.Released(ctx, call.Post, call.Id, q.SealTo == nil); err != nil {
		return nil, err
	}
	l, err := s.o.Posts.LeaseOf(ctx, call.Post)
	if err != nil {
		return nil, err
	}
	reg, err := lease.DecodeRegistration(l.Registration)
	if err != nil {
		return nil, err
	}
	releaser := lease.Releaser{SignWith: s.o.Identity.SignWith, OpenWith: s.o.Identity.OpenWith, Life: time.Duration(l.Seconds) * time.Second}
	out, err := releaser.Release(reg, q)
	if err != nil {
		return nil, err
	}
	return &linkv1.LeaseResponse{Lease: out}, nil
}
