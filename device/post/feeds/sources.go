package feeds

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// source is a carrier that is opened for each use.
type source struct {
	name string // for logs
	open func() (closer, error)
}

type closer interface {
	listfeed.Carrier
	Close() error
}

// sources are the configuration's, in its order, neighbours last.
func (f *Feed) sources() []source {
	c := f.o.Config.Feed
	var all []source
	for _, from := range c.From {
		if filepath.IsAbs(from) {
			all = append(all, source{from, func() (closer, error) { return carrier.OpenFolder(from) }})
			continue
		}
		all = append(all, source{from, func() (closer, error) {
			conf, err := serverTLS(c.CA)
			if err != nil {
				return nil, err
			}
			return carrier.NewHTTPS(from, conf)
		}})
	}
	for _, n := range c.Neighbours {
		all = append(all, source{n.Address, func() (closer, error) {
			key, err := f.boxKey()
			if err != nil {
				return nil, err
			}
			conf, err := carrier.Mutual(key, carrier.Pin(n.Pin))
			if err != nil {
				return nil, err
			}
			return carrier.NewHTTPS("https://"+n.Address, conf)
		}})
	}
	return all
}

// serverTLS trusts the authority of the configuration, or the system's.
func serverTLS(ca string) (*tls.Config, error) {
	if ca == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(ca)
	if err != nil {
		return nil, fault.New("config.feed", "feed.ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fault.New("config.feed", "feed.ca holds no certificate")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, nil
}

// RefreshAll asks every carrier of the configuration. One that fails stops no
// other; a stick that is not there is no error.
func (f *Feed) RefreshAll(ctx context.Context) (listfeed.Result, error) {
	var all listfeed.Result
	var errs []error
	for _, s := range f.sources() {
		r, err := f.refreshFrom(ctx, s)
		all.Changed = append(all.Changed, r.Changed...)
		all.Refused = append(all.Refused, r.Refused...)
		if err == nil {
			err = r.Err()
		}
		if err != nil && ctx.Err() == nil {
			f.o.Log.Warn("feed not refreshed", "code", string(fault.CodeOf(err)))
			errs = append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

// RefreshFolder takes what lies in a folder, a stick's for one.
func (f *Feed) RefreshFolder(ctx context.Context, dir string) (listfeed.Result, error) {
	return f.refreshFrom(ctx, source{dir, func() (closer, error) { return carrier.OpenFolder(dir) }})
}

func (f *Feed) refreshFrom(ctx context.Context, s source) (listfeed.Result, error) {
	c, err := s.open()
	if err != nil {
		return listfeed.Result{}, err
	}
	defer c.Close()
	if f.o.Config.Feed.Serve == nil {
		return f.Refresh(ctx, c)
	}
	// Who serves others keeps a copy of all, and takes his own part of it.
	if err := f.copyFrom(ctx, c); err != nil {
		f.o.Log.Warn("feed not copied whole", "code", string(fault.CodeOf(err)))
		return f.Refresh(ctx, c)
	}
	mirror, err := carrier.OpenFolder(f.mirror())
	if err != nil {
		return listfeed.Result{}, err
	}
	defer mirror.Close()
	return f.Refresh(ctx, mirror)
}

func (f *Feed) mirror() string { return filepath.Join(f.o.State, Folder, mirrorFolder) }

func (f *Feed) copyFrom(ctx context.Context, c listfeed.Carrier) error {
	root, err := os.ReadFile(f.o.Config.Feed.Root)
	if err != nil {
		return fault.New("config.feed", "feed.root: %w", err)
	}
	got, err := listfeed.Copy(ctx, c, listfeed.CopyOptions{Root: root, To: f.mirror(), Now: f.o.Now, Log: f.o.Log})
	for _, t := range got.Targets {
		err = errors.Join(err, t.Err)
	}
	return err
}

// lookEvery is how often sticks are looked for: how long one that was put in
// waits.
const lookEvery = time.Second

// Watch tells of a folder of the configuration in which another feed lies than
// before, a stick that was put in for one, until ctx ends.
func (f *Feed) Watch(ctx context.Context, changed func()) {
	seen := f.folders()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := f.folders()
		for dir, at := range now {
			if at != seen[dir] {
				changed()
				break
			}
		}
		seen = now
	}
}

// folders says when the timestamp of each folder was written, as far as there
// is one.
func (f *Feed) folders() map[string]time.Time {
	all := map[string]time.Time{}
	for _, from := range f.o.Config.Feed.From {
		if !filepath.IsAbs(from) {
			continue
		}
		if info, err := os.Lstat(filepath.Join(from, filepath.FromSlash(target.TimestampName))); err == nil {
			all[from] = info.ModTime()
		}
	}
	return all
}
