// Package feeds is a post's side of a feed: it keeps the updater's state in
// post.db, judges by their readers what shall decide, joins trust anchors, CRLs
// and deviation lists into one store, asks the carriers of the configuration,
// and serves a mirror to neighbouring boxes. The daemon uses it, and so do the
// commands on a post that does not run.
package feeds

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Folder, below the state folder, is where targets of a feed lie; in it are the
// joined trust stores and the mirror.
const (
	Folder        = "feed"
	trustedFolder = "trusted"
	mirrorFolder  = "mirror"
)

// Names of files in targets.
const (
	PolicyFile     = "policy.yaml"
	ThresholdsFile = "thresholds.yaml"
	AccountsFile   = "accounts.json"
	pinsFolder     = "pins" // of anchors: certificates that vouch for signers of lists
)

// Options of Open.
type Options struct {
	Config  *config.Config // its Feed is not nil
	State   string         // state folder of the post
	Store   *store.Store   // post.db
	Sealer  store.Sealer   // of post.db
	Keys    listfeed.Keys
	Counter listfeed.Counter // of the chip; nil: none
	Now     func() time.Time
	Raise   func(time.Time)
	// Base is the trust store of the provisioning folder, on which the feed's
	// anchors, CRLs and deviation lists are put.
	Base func() (dir string, err error)
	// Edition is the highest edition of accounts that was in force.
	Edition func() (int, error)
	// TryModels has an engine load the models in a folder; nil leaves that to
	// the engine's own check.
	TryModels func(ctx context.Context, dir string) error
	Changed   func(listfeed.Change)
	Log       *slog.Logger
}

// Feed is an updater with what a post knows of its targets. It is safe for
// concurrent use.
type Feed struct {
	*listfeed.Updater
	o Options

	mu   sync.Mutex // one joining at a time
	made []string   // folders of joined stores, oldest first
}

// Open opens what the feed has brought so far.
func Open(ctx context.Context, o Options) (*Feed, error) {
	root, err := os.ReadFile(o.Config.Feed.Root)
	if err != nil {
		return nil, fault.New("config.feed", "feed.root: %w", err).WithHint("put the root that the feed's owner handed over where feed.root says")
	}
	f := &Feed{o: o}
	if err := os.RemoveAll(filepath.Join(o.State, Folder, trustedFolder)); err != nil { // of an earlier run
		return nil, fault.Wrap("post.state", err)
	}
	f.Updater, err = listfeed.Open(ctx, listfeed.Options{
		Dir: filepath.Join(o.State, Folder), State: state{o.Store}, Keys: o.Keys, Root: root, Now: o.Now, Raise: o.Raise,
		Counter: o.Counter, Site: o.Config.Post, Check: f.check, Changed: o.Changed, Log: o.Log,
	})
	return f, err
}

// File returns where a file of a kind lies, or otherwise where the feed has
// none of that kind. It fails where the disk was changed: what lies there
// decides nothing, and what came before is not brought back.
func (f *Feed) File(k target.Kind, file, otherwise string) (string, error) {
	if f == nil {
		return otherwise, nil
	}
	dir, _, err := f.Content(k)
	switch {
	case err == nil:
		return filepath.Join(dir, file), nil
	case errors.Is(err, &fault.Error{Code: "listfeed.no_target"}):
		return otherwise, nil
	}
	return "", err
}

// Trust returns the trust store in force: the feed's, or the provisioning
// folder's, with the feed's anchors, CRLs and deviation lists put on it.
func (f *Feed) Trust(ctx context.Context) (*trust.Store, error) { return f.joined(ctx, "", "") }
