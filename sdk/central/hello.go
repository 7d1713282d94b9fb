package central

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Bounds of a hello.
const (
	runBytes    = 16
	maxVersion  = 64
	digestBytes = 32
)

// hello records what a post tells, compares it with what it told before, and
// answers with its orders and, where it is due, a new certificate.
func (s *Service) hello(ctx context.Context, post string, r *linkv1.HelloRequest) (*linkv1.HelloResponse, error) {
	if err := checkHello(r); err != nil {
		return nil, err
	}
	due, err := s.o.Posts.Hello(ctx, post, r)
	if err != nil {
		return nil, err
	}
	out := &linkv1.HelloResponse{Orders: due.Orders}
	if s.o.Certify == nil || due.Device.Certificate == nil {
		return out, nil
	}
	d, err := s.o.Posts.Renew(ctx, post, s.o.CertificateLife)
	if err != nil {
		return nil, err
	}
	if uint64(*d.Certificate) != r.Certificate {
		out.Certificate, err = s.o.Certify(d)
		out.Serial = uint64(*d.Certificate)
		out.Reconnect = due.Device.Expired(time.Now())
	}
	return out, err
}

func checkHello(r *linkv1.HelloRequest) error {
	if r.Starts == 0 || r.Starts > 1<<62 || r.Count > 1<<62 || r.Command > 1<<62 || r.Locked > r.Command || len(r.Run) != runBytes {
		return fault.New("call.invalid", "a hello out of bounds")
	}
	if len(r.Lists) > linkv1.MaxHeld || len(r.Receipts) > linkv1.MaxReceipts || len(r.Version) > maxVersion || len(r.Workplace) > maxVersion || r.Waiting > 1<<31-1 ||
		(len(r.AuditSha256) != 0 && len(r.AuditSha256) != digestBytes) {
		return fault.New("call.invalid", "a hello tells too much")
	}
	for _, l := range r.Lists {
		if l.GetList() == "" || len(l.List) > maxText {
			return fault.New("call.invalid", "a list without a name")
		}
	}
	for _, c := range r.Receipts {
		if len(c.GetOrderSha256()) != digestBytes || len(c.Code) > maxVersion {
			return fault.New("call.invalid", "a receipt of no order")
		}
	}
	return nil
}

// listenAgain is the pause before the database is listened to again.
const listenAgain = time.Second

// poke tells posts that an order waits, as soon as it is committed by whichever
// central, and once more when the database has been away. It runs until the
// returned function is called.
func (s *Service) poke(orders Orders) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := orders.WaitOrders(ctx, func(id []byte) { s.pokeAll(ctx, orders, id) })
			if ctx.Err() != nil {
				return
			}
			s.o.Log.Warn("orders are not listened for", "code", string(fault.CodeOf(err)))
			select {
			case <-time.After(listenAgain):
			case <-ctx.Done():
			}
		}
	}()
	return func() error { cancel(); <-done; return nil }
}

func (s *Service) pokeAll(ctx context.Context, orders Orders, id []byte) {
	posts, err := orders.Targets(ctx, id)
	if err != nil {
		s.o.Log.Warn("posts not poked", "code", string(fault.CodeOf(err)))
		return
	}
	for _, post := range posts {
		if err := s.o.Broker.PublishMsg(&nats.Msg{Subject: linkv1.PokeSubject(post)}); err != nil {
			s.o.Log.Warn("post not poked", "post", post, "cause", err)
		}
	}
}

// Orders is the part of the store that announces orders.
type Orders interface {
	WaitOrders(ctx context.Context, f func(id []byte)) error
	Targets(ctx context.Context, id []byte) ([]string, error)
}

var _ Orders = (*store.Store)(nil)
