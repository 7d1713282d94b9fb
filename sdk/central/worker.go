package central

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central/shard"
)

// SearchKey derives the key of searches from central's own. Workers on other
// machines get it wrapped (shard.Split); ring keeps it here.
func SearchKey(state string, v *vault.Vault, ring *vault.Ring) (*vault.Key, error) {
	key, err := wrappedKey(filepath.Join(state, keyFile), v)
	if err != nil {
		return nil, err
	}
	defer key.Destroy()
	raw, err := key.MAC([]byte("watchpost/central-search/1"))
	if err != nil {
		return nil, err
	}
	return ring.Import(raw[:])
}

// openSearch makes the key of searches, and the worker of this process where it
// holds lists itself. It returns how many shards are asked.
func (r *Central) openSearch(ctx context.Context, c Config, v *vault.Vault) (key *vault.Key, shards int, err error) {
	if c.Shards < 0 || c.Shards > shard.MaxShards || c.Shards > 0 && c.Lists != "" {
		return nil, 0, fault.New("central.shards", "lists are here, or in 1 to %d shards on other machines", shard.MaxShards)
	}
	ring := vault.NewRing()
	r.closing(func() error { ring.Close(); return nil })
	if key, err = SearchKey(c.State, v, ring); err != nil {
		return nil, 0, err
	}
	if c.Shards > 0 {
		here, err := shard.Listen(r.nc, key, c.Shards, r.Store, c.Log)
		if err != nil {
			return nil, 0, err
		}
		r.closing(here)
		return key, c.Shards, nil
	}
	if c.Lists == "" {
		return key, 0, nil
	}
	o := shard.Options{Folder: c.Lists, State: c.State, Vault: v, At: shard.Whole, WorstGroup: c.WorstGroup, Now: time.Now}
	if r.Lists, err = shard.Load(ctx, o); err != nil {
		return nil, 0, err
	}
	r.closing(r.Lists.Close)
	worker, err := shard.Serve(r.nc, shard.Whole, searchesAtOnce, r.Lists, key, c.Log)
	if err != nil {
		return nil, 0, err
	}
	r.closing(worker.Close)
	return key, 1, nil
}

// WorkerKey is the nkey by which a worker goes to the broker. The caller wipes
// it.
func WorkerKey(state string, v *vault.Vault) (nkeys.KeyPair, error) {
	key, err := wrappedKey(filepath.Join(state, keyFile), v)
	if err != nil {
		return nil, err
	}
	defer key.Destroy()
	seed, err := key.MAC([]byte("watchpost/worker-link/1"))
	if err != nil {
		return nil, err
	}
	pair, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, seed[:])
	return pair, fault.Wrap("central.key", err)
}

// WorkerConfig is what a worker on another machine is run with.
type WorkerConfig struct {
	State      string // folder, with the worker's own vault
	Unlocker   vault.Unlocker
	Part       string // folder that shard.Split wrote for this worker
	Broker     string // URL of central's broker, or of its cluster
	CA         string // file of the broker's certificate authority (PEM), "" is the system's
	WorstGroup float64
	Log        *slog.Logger
}

// Worker holds one part of the lists and answers for it. It is safe for
// concurrent use.
type Worker struct {
	At      shard.Place
	Lists   *shard.Lists
	closers []func() error
}

// RunWorker loads a part and answers until Close. After an error nothing is left
// running. A broker that goes away is connected to again.
func RunWorker(ctx context.Context, c WorkerConfig) (_ *Worker, err error) {
	w := new(Worker)
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	closing := func(f func() error) { w.closers = append(w.closers, f) }
	v, err := vault.Open(ctx, filepath.Join(c.State, VaultFile), c.Unlocker)
	if err != nil {
		return nil, err
	}
	closing(func() error { v.Lock(); return nil })
	at, split, err := shard.ReadPlace(c.Part)
	if err != nil {
		return nil, err
	}
	w.At = at
	search, err := shard.TakeSearchKey(c.Part, v)
	if err != nil {
		return nil, err
	}
	if w.Lists, err = shard.Load(ctx, shard.Options{Folder: c.Part, State: filepath.Join(c.State, partsDir, split), Vault: v, At: w.At, WorstGroup: c.WorstGroup, Now: time.Now}); err != nil {
		return nil, err
	}
	closing(w.Lists.Close)
	if err := onlySplit(filepath.Join(c.State, partsDir), split); err != nil {
		return nil, err
	}
	key, err := WorkerKey(c.State, v)
	if err != nil {
		return nil, err
	}
	closing(func() error { key.Wipe(); return nil })
	nc, err := dialWorker(c, key)
	if err != nil {
		return nil, err
	}
	closing(func() error { nc.Close(); return nil })
	worker, err := shard.Serve(nc, w.At, searchesAtOnce, w.Lists, search, c.Log)
	if err != nil {
		return nil, err
	}
	closing(worker.Close)
	closing(shard.Tell(nc, w.At, w.Lists.Loaded, search, c.Log))
	return w, nil
}

// partsDir, below a worker's state folder, is where it keeps its part: one folder
// a split.
const partsDir = "parts"

// onlySplit removes what was kept of splits before.
func onlySplit(dir, split string) error {
	all, err := os.ReadDir(dir)
	for _, e := range all {
		if e.Name() != split {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return fault.Wrap("central.state", err)
}

func dialWorker(c WorkerConfig, key nkeys.KeyPair) (*nats.Conn, error) {
	public, err := key.PublicKey()
	if err != nil {
		return nil, fault.Wrap("central.broker", err)
	}
	options := []nats.Option{nats.Nkey(public, key.Sign), nats.Name("worker"), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.RetryOnFailedConnect(true)}
	if c.CA != "" {
		raw, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fault.New("central.tls", "read the authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(raw) {
			return nil, fault.New("central.tls", "the file holds no certificate")
		}
		options = append(options, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}))
	}
	nc, err := nats.Connect(c.Broker, options...)
	return nc, fault.Wrap("central.broker", err)
}

// Close takes no more searches and gives lists and keys free.
func (w *Worker) Close() error {
	var errs []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	w.closers = nil
	return errors.Join(errs...)
}
