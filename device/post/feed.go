package post

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/post/lists"
	"github.com/watchpost/watchpost/device/vault"
)

// feedFolder, below the state folder, is where targets of a feed lie.
const feedFolder = "feed"

// feedState keeps an updater's state among the cursors of post.db.
type feedState struct{ store *store.Store }

const feedPrefix = "feed/"

// Load implements listfeed.State.
func (f feedState) Load(context.Context) (map[string][]byte, error) {
	all, err := f.store.Cursors(feedPrefix)
	out := make(map[string][]byte, len(all))
	for name, raw := range all {
		out[strings.TrimPrefix(name, feedPrefix)] = raw
	}
	return out, err
}

// Commit implements listfeed.State.
func (f feedState) Commit(_ context.Context, changes map[string][]byte, lines ...audit.Line) error {
	named := make(map[string][]byte, len(changes))
	for name, raw := range changes {
		named[feedPrefix+name] = raw
	}
	return f.store.SetCursors(named, lines...)
}

// openFeed opens what the feed has brought so far.
func (p *Post) openFeed(ctx context.Context, state string, keys *vault.Vault) error {
	c := p.config.Feed
	if c == nil {
		return nil
	}
	root, err := os.ReadFile(c.Root)
	if err != nil {
		return fault.New("config.feed", "feed.root: %w", err).WithHint("put the root that the feed's owner handed over where feed.root says")
	}
	p.feed, err = listfeed.Open(ctx, listfeed.Options{
		Dir: filepath.Join(state, feedFolder), State: feedState{p.store}, Keys: keys, Root: root, Now: p.now, Raise: p.clock.Raise,
		Site: p.config.Post, Changed: p.fed, Log: p.log,
	})
	return err
}

// from returns where a target of the feed lies, or the path of the provisioning
// folder where the feed has none.
func (p *Post) from(k target.Kind, file, otherwise string) string {
	if p.feed == nil {
		return otherwise
	}
	dir, _, err := p.feed.Content(k)
	if err != nil {
		return otherwise
	}
	return filepath.Join(dir, file)
}

// openLists loads the feed's lists beside the folder's.
func (p *Post) openLists(ctx context.Context, state string) (err error) {
	dir := filepath.Join(state, feedFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap("post.state", err)
	}
	p.lists, err = lists.Open(ctx, lists.Options{Dir: dir, Feed: p.feed, Folder: p.applied.lists.Lists, Limits: limits(p.applied.policy), Now: p.now, Log: p.log})
	if err != nil {
		return err
	}
	p.closing(p.lists.Close)
	return nil
}

// fed takes what has come into force.
func (p *Post) fed(c listfeed.Change) {
	var err error
	switch c.Path.Kind {
	case target.KindList, target.KindSegment:
		if p.lists != nil { // else the post is opening, and loads them next
			err = p.lists.Take(context.Background())
		}
	case target.KindAccounts:
		err = p.newAccounts(filepath.Join(c.Dir, accountsPath))
	case target.KindTrust:
		var t *trust.Store
		if t, err = trust.Open(c.Dir); err == nil {
			p.trust.Store(t)
		}
	default:
		p.log.Info("takes effect when the post is opened next", "kind", string(c.Path.Kind), "version", c.Version)
	}
	state := "ready"
	if err != nil {
		state = "lost"
		p.log.Error("target not taken", "kind", string(c.Path.Kind), "code", string(fault.CodeOf(err)))
	}
	d := encounter.DeviceData{ID: "list." + c.Path.Name, Kind: "list", State: state, Code: string(fault.CodeOf(err))}
	if err := p.events.Add(p.now(), "", encounter.EventDevice, d); err != nil {
		p.log.Error("event not sent", "kind", string(encounter.EventDevice), "code", string(fault.CodeOf(err)))
	}
}

// newAccounts puts another edition of the accounts in force at once: who was
// revoked signs nothing more.
func (p *Post) newAccounts(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fault.New("provision.incomplete", "the target holds no accounts")
	}
	a, err := officer.Decode(raw)
	if err != nil {
		return err
	}
	last, err := p.lastEdition()
	if err != nil {
		return err
	}
	if err := a.Follows(last); err != nil {
		return err
	}
	p.accounts.Store(a)
	return p.noteAccounts(a.Edition, last)
}

// refreshFeed asks every carrier of the configuration, now and at intervals,
// until ctx ends. A stick that is not there is no error.
func (p *Post) refreshFeed(ctx context.Context) {
	tick := time.NewTicker(p.config.Feed.Interval())
	defer tick.Stop()
	for {
		for _, from := range p.config.Feed.From {
			if err := p.refreshFrom(ctx, from); err != nil && ctx.Err() == nil {
				p.log.Warn("feed not refreshed", "code", string(fault.CodeOf(err)))
			}
		}
		if !p.waitRefresh(ctx, tick.C, time.Now()) {
			return
		}
	}
}

func (p *Post) refreshFrom(ctx context.Context, from string) error {
	if filepath.IsAbs(from) {
		f, err := carrier.OpenFolder(from)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = p.feed.Refresh(ctx, f)
		return err
	}
	conf, err := feedTLS(p.config.Feed.CA)
	if err != nil {
		return err
	}
	c, err := carrier.NewHTTPS(from, conf)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = p.feed.Refresh(ctx, c)
	return err
}

// feedTLS trusts the authority of the configuration, or the system's.
func feedTLS(ca string) (*tls.Config, error) {
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

// Feed returns the updater that bundles go to, nil where there is none.
func (p *Post) Feed() *listfeed.Updater { return p.feed }
