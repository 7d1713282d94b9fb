// Package publish is central's side of feeds: it stages what owners propose,
// takes the signatures that approvers make on their own machines, publishes
// what two have signed, and makes the bundle that goes to posts at once. It
// holds the keys of snapshot and timestamp, which prove that a feed is alive
// and nothing else: central can withhold, and posts notice; it cannot decide.
package publish

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Options of Open. Lives are how long what is signed here lasts: a post whose
// source is silent for longer than TimestampLife calls its lists stale.
type Options struct {
	Dir           string // the repository, made where it is not there
	Keys          repo.Online
	SnapshotLife  time.Duration // 0: 7 days
	TimestampLife time.Duration // 0: 24 hours
	Now           func() time.Time
}

// Publisher publishes one repository. It is safe for concurrent use; one
// process has a repository at a time.
type Publisher struct {
	o      Options
	folder *carrier.Folder

	mu   sync.Mutex // protects the folder's metadata and staged files
	repo *repo.Repo
}

// Open opens the repository.
func Open(o Options) (*Publisher, error) {
	if o.SnapshotLife == 0 {
		o.SnapshotLife = 7 * 24 * time.Hour
	}
	if o.TimestampLife == 0 {
		o.TimestampLife = 24 * time.Hour
	}
	r, err := repo.Open(o.Dir)
	if err != nil {
		return nil, err
	}
	f, err := carrier.OpenFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	return &Publisher{o: o, folder: f, repo: r}, nil
}

// Close gives the repository free.
func (p *Publisher) Close() error { return p.folder.Close() }

// Handler serves the repository to carrier.HTTPS, with ranges.
func (p *Publisher) Handler() http.Handler { return carrier.Handler(p.folder) }

// Waiting is what waits for signatures.
type Waiting struct {
	repo.Progress
	Set     []target.Path // targets that are new or another
	Removed []target.Path
}

// Waiting returns the queue of what is staged, in order of the roles.
func (p *Publisher) Waiting() ([]Waiting, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	roles, err := p.repo.Staged()
	if err != nil {
		return nil, err
	}
	var all []Waiting
	for _, role := range roles {
		w := Waiting{}
		if w.Progress, err = p.repo.Progress(role); err != nil {
			return nil, err
		}
		if w.Set, w.Removed, err = p.repo.Differences(role); err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b Waiting) int { return slices.Compare([]byte(a.Role), []byte(b.Role)) })
	return all, nil
}

// Propose runs build on the repository, which adds objects and returns what
// shall change in the owner's targets, and stages that for signing. What was
// staged for the owner before is taken up; its signatures are gone.
func (p *Publisher) Propose(owner string, expires time.Time, build func(*repo.Repo) (set []repo.Entry, remove []target.Path, err error)) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set, remove, err := build(p.repo)
	if err != nil {
		return nil, err
	}
	if err := p.repo.Stage(owner, expires, set, remove...); err != nil {
		return nil, err
	}
	return p.repo.ReadStaged(owner)
}

// Staged returns what an approver signs (repo.Sign) on his own machine.
func (p *Publisher) Staged(role string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.repo.ReadStaged(role)
}

// Approve takes an approver's signed copy. While signatures are missing it
// returns nil; with the last it publishes and returns the bundle for posts,
// for owners' targets. It fails with listfeed.other_text where the copy is of
// something else, and listfeed.unknown_signer where it brings no signature of
// somebody who may sign.
func (p *Publisher) Approve(ctx context.Context, role string, signed []byte) (*target.Bundle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap("listfeed.cancelled", err)
	}
	before, err := p.repo.Progress(role)
	if err != nil {
		return nil, err
	}
	if err := p.repo.Accept(role, signed); err != nil {
		return nil, err
	}
	now, err := p.repo.Progress(role)
	if err != nil {
		return nil, err
	}
	if len(now.Signed) == len(before.Signed) {
		return nil, fault.New("listfeed.unknown_signer", "the copy brings no signature that counts and was not there")
	}
	if len(now.Signed) < now.Needed {
		return nil, nil
	}
	if _, err := p.repo.Publish(p.o.Now(), p.o.Keys, p.o.SnapshotLife, p.o.TimestampLife, role); err != nil {
		return nil, err
	}
	if role == "root" || role == "targets" {
		return nil, nil
	}
	return p.repo.Bundle(role)
}

// Renew makes a fresh timestamp, and a snapshot where the last is about to run
// out. Central calls it several times in TimestampLife.
func (p *Publisher) Renew() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.repo.Publish(p.o.Now(), p.o.Keys, p.o.SnapshotLife, p.o.TimestampLife)
	return err
}

// Bundle returns an owner's bundle again, for a post that asks.
func (p *Publisher) Bundle(owner string) (*target.Bundle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.repo.Bundle(owner)
}

// Root returns the newest root, for new posts.
func (p *Publisher) Root() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.repo.RootBytes()
}

// LoadKeys reads the keys of snapshot and timestamp from a folder, making them
// where they are not there.
func LoadKeys(dir string) (repo.Online, error) { return repo.LoadOnline(dir) }
