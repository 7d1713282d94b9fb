package central

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/post/certificate"
	kioskui "github.com/watchpost/watchpost/kiosk-ui"
	"github.com/watchpost/watchpost/sdk/central/admin"
)

// Below the state folder: the certificate of the page, and the counts of wrong
// passwords.
const (
	pageFolder = "page"
	triesFile  = "tries.json"
)

// Timeouts of the page and of the metrics.
const (
	pageHeaders = 5 * time.Second
	pageCall    = 30 * time.Second
	pageIdle    = 2 * time.Minute
	lookLimit   = 5 * time.Second // one look at the database
)

// openPage serves the administration page and the metrics, where they have an
// address. Both are for this machine: anything else comes through a tunnel or a
// proxy that its operator answers for.
func (r *Central) openPage(c Config) error {
	if c.Metrics != "" {
		l, err := listenLocally(c.Metrics)
		if err != nil {
			return err
		}
		r.MetricsURL = "http://" + l.Addr().String() + "/metrics"
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", r.metrics.Handler())
		r.serveHTTP(l, mux, c.Log)
	}
	if c.Page == "" {
		return nil
	}
	dir := filepath.Join(c.State, pageFolder)
	host, _, err := net.SplitHostPort(c.Page)
	if err != nil {
		return fault.New("central.page", "the page's address is HOST:PORT: %w", err)
	}
	local, err := certificate.Open(dir, time.Now, host)
	if err != nil {
		return err
	}
	guard, err := lockout.New(lockout.Options{Keeper: triesKeeper(filepath.Join(dir, triesFile)), Known: r.knows, Now: time.Now, Locked: func(id string) {
		c.Log.Warn("operator shut for now", "code", string(lockout.ErrLocked.Code), "operator", id)
	}})
	if err != nil {
		return err
	}
	page := admin.New(admin.Options{
		Store: r.Store, Guard: guard, Shards: r.coverage(c.Shards), Page: admin.NewPage(kioskui.CentralFiles()), Limits: admin.DefaultLimits(),
		CertificateLife: c.certificateLife(), Now: time.Now, Log: c.Log,
	})
	l, err := listenLocally(c.Page)
	if err != nil {
		return err
	}
	r.PageURL, r.PageFingerprint = "https://"+l.Addr().String()+"/", local.Fingerprint()
	r.serveHTTP(tls.NewListener(l, &tls.Config{GetCertificate: local.Get, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}), page, c.Log)
	return nil
}

// listenLocally opens an address of this machine alone.
func listenLocally(address string) (net.Listener, error) {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil || !tcp.IP.IsLoopback() {
		return nil, fault.New("central.page", "page and metrics listen on loopback only").WithHint("give 127.0.0.1:PORT, and a tunnel or proxy for who works elsewhere")
	}
	l, err := net.ListenTCP("tcp", tcp)
	if err != nil {
		return nil, fault.New("central.page", "%w", err).WithHint("another program has the address: change --page or --metrics, or leave them out with --page= --metrics=")
	}
	return l, nil
}

// serveHTTP runs h on l until central closes.
func (r *Central) serveHTTP(l net.Listener, h http.Handler, log *slog.Logger) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: pageHeaders, ReadTimeout: pageCall, WriteTimeout: pageCall, IdleTimeout: pageIdle,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("page not served", "code", "central.page", "cause", err)
		}
	}()
	r.closing(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		err := s.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close()
		}
		<-done
		return err
	})
}

// knows reports whether an operator of that name may sign in.
func (r *Central) knows(id string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	_, err := r.Store.OperatorByID(ctx, id)
	return err == nil
}

// triesKeeper keeps the counts of wrong passwords in a file.
type triesKeeper string

// Load implements lockout.Keeper.
func (k triesKeeper) Load() ([]byte, error) {
	raw, err := os.ReadFile(string(k))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, fault.Wrap("central.tries", err)
}

// Save implements lockout.Keeper.
func (k triesKeeper) Save(raw []byte) error {
	return fault.Wrap("central.tries", durable.Replace(string(k), raw))
}
