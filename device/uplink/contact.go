package uplink

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Timing of contact.
const (
	// DefaultPresence is how often a post says that it is there.
	DefaultPresence = 30 * time.Second

	pokeLeast = time.Second            // between two hellos that pokes cause: anybody at the broker may poke
	lastWord  = 300 * time.Millisecond // for the receipt of a wipe: it does not wait for a link that stalls
)

// Presence is what a post tells of itself.
type Presence struct {
	Version   string
	Workplace string // desk, gate or field
	Lists     []*linkv1.HeldList
	// Last signed head of the audit log: its number, the lines under it, and
	// the SHA-256 of the note; nil where there is none.
	AuditNumber, AuditLines int64
	AuditSHA256             []byte
	Waiting                 int // outcomes in the outbox
	Certificate             uint64
}

// Orders takes orders that central hands on: *command.Ledger is one. Both come
// back as its Take says.
type Orders interface {
	Take(ctx context.Context, s *linkv1.SignedOrder) (*linkv1.CommandReceipt, error)
	Last() uint64
	Locked() uint64 // number of the lock in force, 0 for none
}

// Contact keeps a post in touch with central: it tells of itself, takes orders
// and sends their receipts. One runs at a post.
type Contact struct {
	Link   *Link
	Starts uint64          // of the post, which only grow
	Run    []byte          // 16 random bytes of this run
	Tell   func() Presence // nil tells nothing
	Orders Orders          // nil takes none
	// Ends reports whether what Take says has to end the post (a lock, a wipe).
	Ends func(err error) bool
	// Renewed takes a certificate that central has renewed; may be nil.
	Renewed func(certificate string, serial uint64)
	Every   time.Duration // 0 is DefaultPresence
	Log     *slog.Logger

	lastWord time.Duration // 0 is lastWord
	count    uint64
	receipts []*linkv1.CommandReceipt // that central has not acknowledged
}

// Keep says hello whenever the link has come up, at every poke and every
// Every, until ctx ends. It returns the first error that Shuts or Ends, nil
// when ctx ends first. Other errors are central's or the link's trouble, not
// the post's.
func (c *Contact) Keep(ctx context.Context) error {
	every := c.Every
	if every == 0 {
		every = DefaultPresence
	}
	poked := make(chan struct{}, 1)
	sub, err := c.Link.nc.Subscribe(linkv1.PokeSubject(c.Link.o.Post), func(*nats.Msg) {
		select {
		case poked <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return fault.Wrap(ErrClosed.Code, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the link may be closed
	var last time.Time                       // of a hello that a poke caused
	for attempt := 0; ; attempt++ {
		if c.Link.waitUp(ctx) != nil {
			return nil
		}
		wait := backoff(attempt)
		err := c.hello(ctx)
		// A post may be registered after it has started.
		if (Shuts(err) && !errors.Is(err, ErrRetired)) || (err != nil && c.Ends != nil && c.Ends(err)) {
			return err
		}
		if err == nil {
			attempt, wait = 0, every
		}
		c.Link.mu.Lock()
		changed := c.Link.changed
		c.Link.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-changed:
		case <-poked:
			if pause := pokeLeast - time.Since(last); pause > 0 {
				select {
				case <-time.After(pause):
				case <-ctx.Done():
					return nil
				}
			}
			last = time.Now()
		case <-ctx.Done():
			return nil
		}
	}
}

// Once waits for the link and says hello, as Keep does, one time: for a post
// that may not open before it has heard from central.
func (c *Contact) Once(ctx context.Context) error {
	if err := c.Link.waitUp(ctx); err != nil {
		return ErrNotAsked
	}
	return c.hello(ctx)
}

// hello says hello, obeys what comes back, and says so, until nothing is left.
func (c *Contact) hello(ctx context.Context) error {
	for {
		sent := c.receipts[:min(len(c.receipts), linkv1.MaxReceipts)]
		a, err := c.Link.hello(ctx, c.request(sent))
		if err != nil {
			return err
		}
		c.receipts = c.receipts[len(sent):]
		if a.Certificate != "" && c.Renewed != nil {
			c.Renewed(a.Certificate, a.Serial)
		}
		if a.Reconnect {
			return fault.Wrap(ErrNotAsked.Code, c.Link.nc.ForceReconnect()) // nil: hello again when it is up
		}
		if c.Orders == nil || len(a.Orders) == 0 {
			return nil
		}
		if err := c.obey(ctx, a.Orders); err != nil {
			return err
		}
		if len(c.receipts) == 0 { // nothing to say: what came cannot be taken now
			return nil
		}
	}
}

// obey takes orders, and returns the first outcome that ends the post, after
// the receipts had their chance.
func (c *Contact) obey(ctx context.Context, orders []*linkv1.SignedOrder) error {
	for _, s := range orders[:min(len(orders), linkv1.MaxOrders)] {
		r, err := c.Orders.Take(ctx, s)
		if r != nil {
			c.receipts = append(c.receipts, r)
		}
		if err == nil {
			continue
		}
		if c.Ends == nil || !c.Ends(err) {
			c.Log.Warn("order not obeyed", "code", string(fault.CodeOf(err)))
			continue
		}
		last, cancel := context.WithTimeout(ctx, cmp.Or(c.lastWord, lastWord))
		defer cancel()
		if _, failed := c.Link.hello(last, c.request(c.receipts)); failed != nil {
			c.Log.Warn("receipt not sent", "code", string(fault.CodeOf(failed)))
		}
		return err
	}
	return nil
}

func (c *Contact) request(receipts []*linkv1.CommandReceipt) *linkv1.HelloRequest {
	c.count++
	h := &linkv1.HelloRequest{Starts: c.Starts, Run: c.Run, Count: c.count, Receipts: receipts}
	if c.Orders != nil {
		h.Command, h.Locked = c.Orders.Last(), c.Orders.Locked()
	}
	if c.Tell != nil {
		p := c.Tell()
		h.Version, h.Lists, h.Waiting, h.Certificate = p.Version, p.Lists, uint32(max(0, p.Waiting)), p.Certificate
		h.Workplace = p.Workplace
		h.AuditNumber, h.AuditLines, h.AuditSha256 = p.AuditNumber, p.AuditLines, p.AuditSHA256
	}
	return h
}
