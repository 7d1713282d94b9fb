// Package doors is where a daemon listens: its admin socket, and the page over
// HTTPS. Doors stay open while the keys of the post are locked, so that an
// officer is told so and can unlock; what stands behind them changes.
package doors

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/certificate"
)

// Timeouts of the servers. Steps run in the background, so that no call is
// slow; websockets leave the server's hands.
const (
	headerTimeout   = 5 * time.Second
	shutdownTimeout = 3 * time.Second
)

// tlsFolder holds key and certificate of the HTTPS listener, below the state.
const tlsFolder = "tls"

// Options of Open.
type Options struct {
	Config *config.Config
	Admin  http.Handler // behind the admin socket
	Public http.Handler // behind HTTPS
	Now    func() time.Time
	Log    *slog.Logger
}

// Doors are open listeners. It is safe for concurrent use.
type Doors struct {
	servers  []*http.Server
	ended    sync.WaitGroup
	failures chan error
	log      *slog.Logger

	dropping sync.Mutex // held by who drops idle connections

	mu      sync.Mutex
	idle    map[net.Conn]bool // connections that nobody calls over
	dropped chan struct{}     // closed when idle becomes empty; nil while nobody waits
}

// Open listens. It fails with post.running where another daemon answers.
func Open(o Options) (*Doors, error) {
	d := &Doors{failures: make(chan error, 2), log: o.Log, idle: make(map[net.Conn]bool)}
	admin, err := listenUnix(o.Config.AdminSocket())
	if err != nil {
		return nil, err
	}
	d.serve(admin, o.Admin)
	if o.Config.HTTP.Listen == "" {
		return d, nil
	}
	page, err := listenPage(o)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.serve(page, o.Public)
	return d, nil
}

func listenPage(o Options) (net.Listener, error) {
	host, _, err := net.SplitHostPort(o.Config.HTTP.Listen)
	if err != nil {
		return nil, fault.Wrap("config.listen", err)
	}
	local, err := certificate.Open(filepath.Join(o.Config.StateDir(), tlsFolder), o.Now, host, o.Config.HTTP.Host())
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", o.Config.HTTP.Listen)
	if err != nil {
		return nil, fault.New("post.listen", "the page: %w", err).WithHint("another program has the address: change http.listen")
	}
	o.Log.Info("page", "address", l.Addr().String(), slog.String("certificate", local.Fingerprint()))
	return tls.NewListener(l, &tls.Config{GetCertificate: local.Get, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}), nil
}

func (d *Doors) serve(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug), ConnState: d.changed}
	d.servers = append(d.servers, s)
	d.ended.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.failures <- fault.Wrap("post.serve", err)
		}
	})
}

// Failed delivers the error of a server that has ended by itself.
func (d *Doors) Failed() <-chan error { return d.failures }

// changed notes which connections nobody calls over (http.Server.ConnState).
func (d *Doors) changed(c net.Conn, to http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if to == http.StateIdle {
		d.idle[c] = true
		return
	}
	delete(d.idle, c)
	if d.dropped != nil && len(d.idle) == 0 {
		close(d.dropped)
		d.dropped = nil
	}
}

// DropIdle closes connections that nobody calls over, and waits until they
// have let go of their buffers, which hold what was last sent, a password
// perhaps. Calls under way end as usual.
func (d *Doors) DropIdle() {
	d.dropping.Lock()
	defer d.dropping.Unlock()
	for _, s := range d.servers {
		s.SetKeepAlivesEnabled(false)
		defer s.SetKeepAlivesEnabled(true)
	}
	d.mu.Lock()
	if len(d.idle) == 0 {
		d.mu.Unlock()
		return
	}
	dropped := make(chan struct{})
	d.dropped = dropped
	d.mu.Unlock()
	select {
	case <-dropped:
	case <-time.After(shutdownTimeout):
		d.log.Warn("a connection has not closed")
	}
}

// Close lets calls under way end, for up to three seconds, and stops listening.
func (d *Doors) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var errs []error
	for _, s := range d.servers {
		err := s.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close()
		}
		errs = append(errs, err)
	}
	d.ended.Wait()
	return errors.Join(errs...)
}

// Switch is a handler that passes calls to another, which can change. It is
// safe for concurrent use.
type Switch struct {
	mu  sync.RWMutex
	now *behind
}

// behind is one handler and the calls that are in it.
type behind struct {
	handler http.Handler
	calls   sync.WaitGroup
}

// NewSwitch returns a switch to h.
func NewSwitch(h http.Handler) *Switch { return &Switch{now: &behind{handler: h}} }

// ServeHTTP implements http.Handler.
func (s *Switch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	b := s.now
	b.calls.Add(1)
	s.mu.RUnlock()
	defer b.calls.Done()
	b.handler.ServeHTTP(w, r)
}

// To passes calls to h from now on. The function that it returns waits for
// the calls in the handler before, for up to three seconds.
func (s *Switch) To(h http.Handler) (wait func() error) {
	s.mu.Lock()
	before := s.now
	s.now = &behind{handler: h}
	s.mu.Unlock()
	return func() error {
		done := make(chan struct{})
		go func() { before.calls.Wait(); close(done) }()
		select {
		case <-done:
			return nil
		case <-time.After(shutdownTimeout):
			return fault.New("post.serve", "a call has not ended in %v", shutdownTimeout)
		}
	}
}
