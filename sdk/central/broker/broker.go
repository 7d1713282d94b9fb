// Package broker runs the NATS server inside central. Nothing is kept in it:
// no JetStream, no queue; what must not be lost waits in the outbox of a post
// or lies in central's database.
package broker

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Limits of the broker.
const (
	startLimit   = 10 * time.Second
	authLimit    = 5 * time.Second // includes one look into the register
	pingInterval = 5 * time.Second // a silent post is dropped after two
	maxPings     = 2
	maxConns     = 4096
	maxSubs      = 16 // of one post: its inbox and room for commands
	maxPending   = 8 << 20
	writeLimit   = 5 * time.Second
)

// Options of Start.
type Options struct {
	Listen string // host:port
	TLS    *tls.Config
	Auth   server.Authentication
	Log    *slog.Logger
}

// Broker is a running server. It is safe for concurrent use.
type Broker struct{ s *server.Server }

// Start listens and returns when clients are taken.
func Start(o Options) (*Broker, error) {
	host, portText, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fault.New("central.listen", "%q is not host:port", o.Listen)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fault.New("central.listen", "%q has no port number", o.Listen)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "watchpost-central", Host: host, Port: port, NoSigs: true,
		MaxPayload: linkv1.MaxMessage, MaxPending: maxPending, MaxConn: maxConns, MaxSubs: maxSubs,
		PingInterval: pingInterval, MaxPingsOut: maxPings, WriteDeadline: writeLimit,
		CustomClientAuthentication: o.Auth, AlwaysEnableNonce: true, AuthTimeout: authLimit.Seconds(),
		TLSConfig: o.TLS, TLS: o.TLS != nil, TLSTimeout: authLimit.Seconds(),
	})
	if err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	s.SetLoggerV2(logger{o.Log}, false, false, false)
	go s.Start()
	if !s.ReadyForConnections(startLimit) {
		s.Shutdown()
		return nil, fault.New("central.listen", "the broker does not listen on %s", o.Listen).
			WithHint("another program may have the address: choose another with --listen")
	}
	return &Broker{s}, nil
}

// URL is where posts connect.
func (b *Broker) URL() string { return b.s.ClientURL() }

// Connect opens a connection of central's own within the process. key is the
// one that Auth knows as central's.
func (b *Broker) Connect(key nkeys.KeyPair) (*nats.Conn, error) {
	public, err := key.PublicKey()
	if err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	nc, err := nats.Connect("", nats.InProcessServer(b.s), nats.Nkey(public, key.Sign), nats.Name("central"))
	return nc, fault.Wrap("central.broker", err)
}

// Drop ends every connection that proved one of the keys, and returns how many
// it ended.
func (b *Broker) Drop(keys []string) (dropped int, err error) {
	if len(keys) == 0 {
		return 0, nil
	}
	all, err := b.s.Connz(&server.ConnzOptions{Username: true, Limit: maxConns}) // Username: with the key of each
	if err != nil {
		return 0, fault.Wrap("central.broker", err)
	}
	of := make(map[string]bool, len(keys))
	for _, k := range keys {
		of[k] = true
	}
	for _, c := range all.Conns {
		// One that has gone by itself meanwhile is none to end.
		if of[c.AuthorizedUser] && b.s.DisconnectClientByID(c.Cid) == nil {
			dropped++
		}
	}
	return dropped, nil
}

// Close drops all connections and waits for the server to end.
func (b *Broker) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		b.s.Shutdown()
		b.s.WaitForShutdown()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fault.Wrap("central.broker", context.Cause(ctx))
	}
}
