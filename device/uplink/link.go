package uplink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Name is central's name among the sources of a post.
const Name = "central"

// Errors of asking and delivering. Codes that central gives (source.busy,
// sink.conflict, link.device...) are passed on as they are.
var (
	// ErrNotAsked says that there is no link: nothing was sent.
	ErrNotAsked = &fault.Error{Code: "link.not_asked", Retryable: true}
	// ErrDeadline says that central did not answer in time.
	ErrDeadline = &fault.Error{Code: "source.deadline", Retryable: true}
	// ErrReply says that what came back is not central's answer to the call.
	ErrReply = &fault.Error{Code: "link.reply"}
	// ErrClosed says that the link was closed.
	ErrClosed = &fault.Error{Code: "link.closed"}
)

// Timing of the link.
const (
	// DefaultBudget is how long a question waits for central: what the second
	// of design section 10 leaves beside the local search and the comparison.
	DefaultBudget = 700 * time.Millisecond

	dialLimit    = 2 * time.Second
	pingInterval = time.Second // a stalled link is known after two or three
	maxPings     = 2
	backoffMin   = 100 * time.Millisecond
	backoffMax   = 5 * time.Second
	writeLimit   = 2 * time.Second
)

// Options of Open.
type Options struct {
	Post    string            // name of this post; must be valid on the broker
	URL     string            // of the broker, nats:// or tls://
	CA      string            // file with the broker's certificate authority (PEM), "" is the system's
	Key     nkeys.KeyPair     // of this post; Open takes it over
	SignKey ed25519.PublicKey // central's
	SealKey []byte            // central's, X25519
	Budget  time.Duration     // 0 is DefaultBudget
	Changed func(up bool)     // told of each change, one call at a time, may be nil
	Log     *slog.Logger
}

// Link is the connection to central. It is safe for concurrent use.
type Link struct {
	o    Options
	post *linkv1.Post
	key  *signer
	nc   *nats.Conn
	ctx  context.Context // ends with Close
	stop context.CancelCauseFunc

	mu      sync.Mutex
	up      bool
	changed chan struct{} // closed at each change
}

// Open starts the link and returns at once; it connects, and connects again,
// in the background. It fails only for options that can never work.
func Open(o Options) (*Link, error) {
	l, err := newLink(o, o.Key)
	if err != nil {
		return nil, err
	}
	public, err := o.Key.PublicKey()
	if err != nil {
		return nil, fault.Wrap("link.key", err)
	}
	options := []nats.Option{
		nats.Name(o.Post), nats.Nkey(public, l.key.Sign), nats.CustomInboxPrefix(linkv1.InboxPrefix(o.Post)),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.CustomReconnectDelay(backoff),
		// A post may be registered after it has started.
		nats.IgnoreAuthErrorAbort(),
		// Nothing is kept for later by the client: a question that is sent when
		// nobody waits for it any more only costs, and outcomes have the outbox.
		nats.ReconnectBufSize(-1),
		// The configuration says where central is; a broker may not add to it.
		nats.IgnoreDiscoveredServers(),
		nats.Timeout(dialLimit), nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(maxPings), nats.FlusherTimeout(writeLimit),
		nats.ConnectHandler(func(*nats.Conn) { l.set(true) }),
		nats.ReconnectHandler(func(*nats.Conn) { l.set(true) }),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { l.set(false) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { o.Log.Debug("link", "cause", err) }),
	}
	options = append(options, guardOf(o)...)
	if l.nc, err = nats.Connect(o.URL, options...); err != nil {
		l.stop(ErrClosed)
		return nil, fault.New("link.url", "%w", err).WithHint("central.url is nats://HOST:PORT or tls://HOST:PORT, central.ca a PEM file")
	}
	return l, nil
}

// newLink is a link by key that is not connected yet.
func newLink(o Options, key nkeys.KeyPair) (*Link, error) {
	if !linkv1.ValidPost(o.Post) {
		return nil, fault.New("link.post", "the name of a post with a link has 1 to 64 letters, digits, _ and -")
	}
	seal, err := linkv1.KEM().NewPublicKey(o.SealKey)
	if err != nil || len(o.SignKey) != ed25519.PublicKeySize {
		return nil, fault.New("link.central_key", "central's keys are 32 bytes each").WithHint("take both from: watchpost-central keys")
	}
	if o.Budget == 0 {
		o.Budget = DefaultBudget
	}
	l := &Link{o: o, key: &signer{key: key}, changed: make(chan struct{})}
	l.post = &linkv1.Post{Name: o.Post, Sign: l.key.Sign, Central: o.SignKey, SealTo: seal}
	l.ctx, l.stop = context.WithCancelCause(context.Background())
	return l, nil
}

// backoff spreads the posts of a site whose central comes back.
func backoff(attempts int) time.Duration {
	d := backoffMax
	if attempts < 6 { // 100 ms * 2^5 < 5 s
		d = backoffMin << max(0, attempts)
	}
	return d/2 + rand.N(d/2)
}

// set notes a change of the link.
func (l *Link) set(up bool) {
	l.mu.Lock()
	if l.up == up || l.ctx.Err() != nil {
		l.mu.Unlock()
		return
	}
	l.up = up
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	l.o.Log.Info("link", "up", up)
	if l.o.Changed != nil {
		l.o.Changed(up)
	}
}

// Up reports whether the broker answers. Central behind it may still be away.
func (l *Link) Up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}

// waitUp returns once the link is up, or ctx's cause.
func (l *Link) waitUp(ctx context.Context) error {
	for {
		l.mu.Lock()
		up, changed := l.up, l.changed
		l.mu.Unlock()
		if up {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close ends the link; calls under way return ErrClosed.
func (l *Link) Close() error {
	l.mu.Lock()
	l.stop(ErrClosed)
	l.up = false
	l.mu.Unlock()
	l.nc.Close()
	l.key.Wipe()
	return nil
}

// signer signs until it is wiped: calls may be under way when a link is closed.
// It is safe for concurrent use.
type signer struct {
	mu    sync.Mutex // guards all below
	key   nkeys.KeyPair
	wiped bool
}

// Sign returns the signature of data, ErrClosed after Wipe.
func (s *signer) Sign(data []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wiped {
		return nil, ErrClosed
	}
	return s.key.Sign(data)
}

// Wipe destroys the key.
func (s *signer) Wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key.Wipe()
	s.wiped = true
}

// call sends one call and returns central's answer to it. Codes that central
// gives become errors.
func (l *Link) call(ctx context.Context, subject string, call *linkv1.Call) (*linkv1.Answer, error) {
	if !l.Up() {
		return nil, ErrNotAsked
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.ctx, func() { cancel(ErrClosed) })()
	call.Post, call.Id = l.o.Post, linkv1.NewID()
	wire, pending, err := l.post.Seal(subject, call)
	if errors.Is(err, ErrClosed) {
		return nil, ErrClosed
	} else if err != nil {
		return nil, fault.Wrap("link.seal", err)
	}
	reply, err := l.nc.RequestWithContext(ctx, subject, wire)
	switch {
	case err == nil:
	case errors.Is(context.Cause(ctx), ErrClosed):
		return nil, ErrClosed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return nil, ErrDeadline
	case errors.Is(err, context.Canceled):
		return nil, fault.Wrap("source.cancelled", context.Cause(ctx))
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fault.New("source.unavailable", "nobody listens behind the broker").AsRetryable()
	default: // the connection went while it was used
		return nil, ErrNotAsked
	}
	a, err := pending.Open(reply.Data)
	if err != nil {
		// A broker can make such replies at will; central's own may still come.
		return nil, fault.New(ErrReply.Code, "%w", err).AsRetryable()
	}
	if a.Code != "" {
		return nil, &fault.Error{Code: codeOf(a.Code), Retryable: a.Retryable}
	}
	return a, nil
}

// maxCode bounds a code in bytes.
const maxCode = 64

// codeOf takes a code of central's only in the form that codes have.
func codeOf(s string) fault.Code {
	dot := false
	for i, r := range s {
		switch {
		case r == '.' && !dot && i > 0:
			dot = true
		case r == '_', 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		default:
			return ErrReply.Code
		}
	}
	if !dot || len(s) > maxCode {
		return ErrReply.Code
	}
	return fault.Code(s)
}
