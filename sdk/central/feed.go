package central

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/sdk/central/publish"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// feedKeys, below the state folder, is where the keys of snapshot and timestamp
// lie.
const feedKeys = "feed-keys"

// FeedKeys is the folder of the publisher's keys of a state folder.
func FeedKeys(state string) string { return filepath.Join(state, feedKeys) }

// Timeouts of the feed's server. A post fetches 4 MiB at a time over what may be
// a slow line, and goes on where it was cut.
const (
	feedHeaders = 10 * time.Second
	feedIdle    = time.Minute
)

// openFeed publishes the repository of the configuration: what was approved goes
// out over the broker as bundles, and lies here for whoever fetches.
func (r *Central) openFeed(c Config) error {
	if c.Feed == "" {
		return nil
	}
	keys, err := publish.LoadKeys(FeedKeys(c.State))
	if err != nil {
		return err
	}
	if r.Feed, err = publish.Open(publish.Options{Dir: c.Feed, Keys: keys, Now: time.Now}); err != nil {
		return err
	}
	r.closing(r.Feed.Close)
	if c.FeedListen != "" {
		if err := r.serveFeed(c); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Feed.Carry(ctx, r.Store, r.announce, c.Log)
	}()
	r.closing(func() error { stop(); <-done; return nil })
	return nil
}

// serveFeed serves the repository. Without a certificate only this machine may
// fetch: a listener would see which lists a post takes.
func (r *Central) serveFeed(c Config) error {
	host, _, err := net.SplitHostPort(c.FeedListen)
	if err != nil {
		return fault.New("central.listen", "%q is not host:port", c.FeedListen)
	}
	ip := net.ParseIP(host)
	if c.TLS == nil && (ip == nil || !ip.IsLoopback()) {
		return fault.New("central.feed_tls", "a feed is served over HTTPS").WithHint("give --cert and --key, or an address of this machine alone: 127.0.0.1")
	}
	l, err := net.Listen("tcp", c.FeedListen)
	if err != nil {
		return fault.New("central.listen", "the feed: %w", err).WithHint("another program may have the address: choose another with --feed-listen")
	}
	s := &http.Server{Handler: r.Feed.Handler(), ReadHeaderTimeout: feedHeaders, IdleTimeout: feedIdle, ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)}
	scheme := "http"
	serve := func() error { return s.Serve(l) }
	if c.TLS != nil {
		scheme, s.TLSConfig = "https", c.TLS.Clone()
		serve = func() error { return s.ServeTLS(l, "", "") }
	}
	r.FeedURL = scheme + "://" + l.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			c.Log.Error("feed not served", "cause", err)
		}
	}()
	r.closing(func() error { err := s.Close(); <-done; return err }) // posts go on where they were cut
	return nil
}

// announce sends a bundle, or, where it is too large for one message, the word
// that there is something to fetch: fresh metadata without what they name.
func (r *Central) announce(b *target.Bundle) error {
	raw, err := b.Encode()
	if err != nil || len(raw) > linkv1.MaxMessage {
		if raw, err = (&target.Bundle{Timestamp: b.Timestamp, Snapshot: b.Snapshot}).Encode(); err != nil {
			return err
		}
	}
	return r.Announce(raw)
}
