package central

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central/admin"
	"github.com/watchpost/watchpost/sdk/central/broker"
	"github.com/watchpost/watchpost/sdk/central/metrics"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/publish"
	"github.com/watchpost/watchpost/sdk/central/registry"
	"github.com/watchpost/watchpost/sdk/central/shard"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// searchesAtOnce of one worker: each scans all faces on all processors.
const searchesAtOnce = 4

// closeLimit is how long the broker may take to end.
const closeLimit = 5 * time.Second

// Config is what a central is run with.
type Config struct {
	State    string         // folder, made if missing
	Unlocker vault.Unlocker // of State/vault.json
	Lists    string         // folder of lists for the worker of this process, "" has none
	Shards   int            // that workers on other machines hold, instead of Lists; 0 is none
	// WorstGroup is shard.Options.WorstGroup, of Lists.
	WorstGroup float64
	DSN        string      // of PostgreSQL, "" runs a private one in State
	Listen     string      // of the embedded broker
	TLS        *tls.Config // of the embedded broker, nil is without
	Broker     string      // URL of a cluster instead of the embedded broker
	Creds      string      // file with central's nkey seed at that cluster
	// Callout: the cluster asks central who may connect (CalloutAccount is where
	// posts live); else the cluster's own rules decide.
	Callout bool
	// HeadsLate is how long a post may show no head of its audit log before
	// that alarms, 0 is DefaultHeadsLate.
	HeadsLate time.Duration
	// CertificateLife is how long a post's certificate holds, 0 is
	// store.DefaultCertificateLife.
	CertificateLife time.Duration
	Feed            string // folder of the feed that central publishes, "" publishes none
	FeedListen      string // where it is served, "" serves none; with TLS, or on this machine alone
	// Page and Metrics are addresses of this machine where the administration
	// page (HTTPS) and the metrics (HTTP) are served, "" serves none.
	Page, Metrics string
	Log           *slog.Logger
	Stderr        io.Writer // what PostgreSQL says
}

func (c Config) certificateLife() time.Duration {
	if c.CertificateLife == 0 {
		return store.DefaultCertificateLife
	}
	return c.CertificateLife
}

// PostgresDir is where the private PostgreSQL of a state folder lies.
func PostgresDir(state string) string { return filepath.Join(state, "pg") }

// Central is a running central: broker, database, worker and service in one
// process. It is safe for concurrent use.
type Central struct {
	URL     string // of the broker
	Store   *store.Store
	Lists   *shard.Lists       // nil where it holds none
	Feed    *publish.Publisher // nil where it publishes none
	FeedURL string             // of Feed, "" where it is not served
	// PageURL, PageFingerprint (SHA-256 of the certificate, hexadecimal) and
	// MetricsURL are "" where they are not served.
	PageURL, PageFingerprint, MetricsURL string
	nc                                   *nats.Conn
	metrics                              *metrics.Metrics
	closers                              []func() error
}

// Run starts all parts and returns when calls are answered. After an error
// nothing is left running.
func Run(ctx context.Context, c Config) (_ *Central, err error) {
	r := new(Central)
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := os.MkdirAll(c.State, 0o711); err != nil { // PostgreSQL's account passes through
		return nil, fault.Wrap("central.state", err)
	}
	v, err := vault.Open(ctx, filepath.Join(c.State, VaultFile), c.Unlocker)
	if err != nil {
		return nil, err
	}
	r.closing(func() error { v.Lock(); return nil })
	identity, err := Identity(c.State, v)
	if err != nil {
		return nil, err
	}
	account, err := Account(c.State, v)
	if err != nil {
		return nil, err
	}
	r.closing(func() error { account.Wipe(); return nil })
	if err := r.openStore(ctx, c); err != nil {
		return nil, err
	}
	r.metrics = metrics.New(r.Store, admin.DefaultAwayAfter, time.Now)
	auth := &registry.Registry{Devices: r.Store, Log: c.Log}
	nc, err := r.connect(c, auth, account)
	if err != nil {
		return nil, err
	}
	r.nc = nc
	search, shards, err := r.openSearch(ctx, c, v)
	if err != nil {
		return nil, err
	}
	s, err := Serve(Options{
		Broker: nc, Identity: identity, KeyOf: auth.Key, BootKeyOf: auth.BootKey, HelloKeyOf: auth.HelloKey, Records: r.Store, Posts: r.Store, Shards: shards, SearchKey: search,
		Certify: certify(account), CertificateLife: c.certificateLife(), Orders: r.Store, Metrics: r.metrics, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	r.closing(s.Close)
	r.closing(watchHeads(r.Store, c.HeadsLate, c.Log))
	if err := r.openFeed(c); err != nil {
		return nil, err
	}
	if err := r.openPage(c); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Central) openStore(ctx context.Context, c Config) error {
	dsn := c.DSN
	if dsn == "" {
		pg, err := postgres.Start(ctx, postgres.Options{Dir: PostgresDir(c.State), Log: c.Log, Stderr: c.Stderr})
		if err != nil {
			return err
		}
		r.closing(pg.Stop)
		dsn = pg.DSN()
	}
	var err error
	if r.Store, err = store.Open(ctx, dsn); err != nil {
		return err
	}
	r.closing(func() error { r.Store.Close(); return nil })
	return nil
}

// connect starts the embedded broker, or goes to the cluster.
func (r *Central) connect(c Config, auth *registry.Registry, account nkeys.KeyPair) (*nats.Conn, error) {
	if c.Broker != "" {
		return r.connectCluster(c, auth, account)
	}
	key, err := nkeys.CreateUser() // for this run only
	if err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	if auth.Central, err = key.PublicKey(); err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	b, err := broker.Start(broker.Options{Listen: c.Listen, TLS: c.TLS, Auth: auth, Log: c.Log})
	if err != nil {
		return nil, err
	}
	r.URL = b.URL()
	r.closing(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		return b.Close(ctx)
	})
	r.closing(dropRetired(r.Store, b, c.Log))
	nc, err := b.Connect(key)
	if err != nil {
		return nil, err
	}
	r.closing(func() error { nc.Close(); return nil })
	return nc, nil
}

// Announce sends a bundle of signed list metadata to every post that is there.
// It is judged there; who is away fetches it later.
func (r *Central) Announce(bundle []byte) error {
	if len(bundle) > linkv1.MaxMessage {
		return fault.New("central.bundle", "a bundle has at most %d bytes: the posts fetch the rest", linkv1.MaxMessage)
	}
	return fault.Wrap("central.broker", errors.Join(r.nc.Publish(linkv1.BundleSubject, bundle), r.nc.Flush()))
}

func (r *Central) closing(f func() error) { r.closers = append(r.closers, f) }

// Close ends all parts in reverse order.
func (r *Central) Close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i]())
	}
	r.closers = nil
	return errors.Join(errs...)
}
