package post

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/post/feeds"
	"github.com/watchpost/watchpost/device/post/lists"
	"github.com/watchpost/watchpost/device/vault"
)

// openFeed opens what the feed has brought so far.
func (p *Post) openFeed(ctx context.Context, state string, keys *vault.Vault, counter listfeed.Counter) error {
	if p.config.Feed == nil {
		return nil
	}
	var err error
	p.feeds, err = feeds.Open(ctx, feeds.Options{
		Config: p.config, State: state, Store: p.store, Sealer: p.sealer, Keys: keys, Counter: counter, Now: p.now, Raise: p.clock.Raise,
		Base: func() (string, error) { return p.trustBase, nil }, Edition: p.lastEdition, TryModels: p.tryModels, Changed: p.fed, Log: p.log,
	})
	if err == nil {
		p.feed = p.feeds.Updater
	}
	return err
}

// tryModels has an engine load models before they are in force: it holds each
// file to the hash that it was built with.
func (p *Post) tryModels(ctx context.Context, dir string) error {
	c, err := capture.Start(ctx, capture.Options{Role: capture.Decode, Models: dir, Logger: p.log})
	if err != nil {
		return err
	}
	defer c.Close()
	return warm(ctx, c)
}

// models is the folder of the engine's models: the feed's, whose files were
// just held to what two have signed, or the configuration's.
func (p *Post) models() (string, error) {
	return p.feeds.File(target.KindModels, "", p.config.Capture.Models)
}

// openLists loads the feed's lists beside the folder's.
func (p *Post) openLists(ctx context.Context, state string) (err error) {
	dir := filepath.Join(state, feeds.Folder)
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

// fed takes what has come into force, or is withdrawn.
func (p *Post) fed(c listfeed.Change) {
	err := p.takeFed(c)
	if p.config.Feed.Serve != nil {
		p.refreshSoon() // other boxes get it too
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

func (p *Post) takeFed(c listfeed.Change) error {
	switch c.Path.Kind {
	case target.KindList, target.KindSegment:
		if p.lists == nil { // the post is opening, and loads them next
			return nil
		}
		return p.lists.Take(context.Background())
	case target.KindAccounts:
		if c.Withdrawn { // those in force stay: an older edition would bring back who was revoked
			return nil
		}
		return p.newAccounts(filepath.Join(c.Dir, feeds.AccountsFile))
	case target.KindTrust, target.KindAnchors, target.KindCRL, target.KindDeviation:
		t, err := p.feeds.Trust(context.Background())
		if err != nil {
			return err
		}
		p.trust.Store(t)
		return nil
	}
	p.log.Info("takes effect when the post is opened next", "kind", string(c.Path.Kind), "version", c.Version)
	return nil
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

// serveFeed starts what keeps the feed fresh, and gives it to other boxes.
func (p *Post) serveFeed() error {
	l, err := p.feeds.Listen()
	if err != nil {
		return err
	}
	p.background(p.refreshFeed)
	p.background(func(ctx context.Context) { p.feeds.Watch(ctx, p.refreshSoon) })
	if l != nil {
		p.background(func(ctx context.Context) { p.serveBoxes(ctx, l) })
	}
	return nil
}

func (p *Post) serveBoxes(ctx context.Context, l net.Listener) {
	if err := p.feeds.Serve(ctx, l); err != nil {
		p.log.Error("feed not served", "code", string(fault.CodeOf(err)))
	}
}

// refreshFeed asks every carrier of the configuration, now and at intervals,
// until ctx ends. A stick that is not there is no error.
func (p *Post) refreshFeed(ctx context.Context) {
	tick := time.NewTicker(p.config.Feed.Interval())
	defer tick.Stop()
	for {
		_, _ = p.feeds.RefreshAll(ctx) // what fails is in the log
		if !p.waitRefresh(ctx, tick.C, time.Now()) {
			return
		}
	}
}
