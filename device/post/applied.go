package post

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/post/feeds"
	"github.com/watchpost/watchpost/device/provision"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
)

// trustPath is the trust store within a provisioning folder; policy and accounts
// have the names that they have in a feed.
const trustPath = "trust"

// applied is what decides on this post, as two persons signed it.
type applied struct {
	policy   *policy.Policy
	accounts *officer.Accounts
	trust    *trust.Store
	lists    *install.Open
}

// versionCursor is where post.db keeps the highest version taken in, so that
// an older folder put back below the state folder is noticed.
const versionCursor = "provision.version"

// provision takes in the folder src, if any, and loads what is in force.
func (p *Post) provision(ctx context.Context, state, src string, keys *vault.Vault) error {
	last, err := p.store.Cursor(versionCursor)
	if err != nil {
		return err
	}
	judge := provision.Trust{Site: p.config.Post, Now: p.now()}
	if len(last) == 8 {
		judge.LastVersion = binary.BigEndian.Uint64(last)
	}
	for _, o := range p.config.Owners {
		key, err := o.Key()
		if err != nil {
			return err
		}
		judge.Owners = append(judge.Owners, provision.Owner{ID: o.ID, Key: key})
	}
	dir := filepath.Join(state, install.ProvisionFolder)
	var in *provision.Applied
	if src != "" {
		in, err = provision.Apply(dir, src, judge)
	} else {
		in, err = provision.Current(dir, judge)
	}
	if err != nil {
		return err
	}
	edition, err := p.lastEdition()
	if err != nil {
		return err
	}
	if p.applied, err = p.load(ctx, in, state, keys, edition); err != nil {
		return err
	}
	p.accounts.Store(p.applied.accounts)
	p.trust.Store(p.applied.trust)
	if err := p.noteChanges(); err != nil {
		return err
	}
	version := binary.BigEndian.AppendUint64(nil, in.Manifest.Version)
	if string(version) == string(last) {
		return nil
	}
	return p.store.SetCursor(versionCursor, version, audit.Line{Time: p.now(), Actor: "post", Action: audit.Provisioned, Object: filepath.Base(in.Dir)})
}

// load reads the parts in force, of the feed before those of the folder, takes its lists into the post's
// own stores and loads them.
func (p *Post) load(ctx context.Context, in *provision.Applied, state string, keys *vault.Vault, lastEdition int) (*applied, error) {
	a := new(applied)
	p.trustBase = in.Path(trustPath)
	var err error
	if a.policy, err = p.feeds.Policy(in.Path(feeds.PolicyFile)); err != nil {
		return nil, err
	}
	path, err := p.feeds.File(target.KindAccounts, feeds.AccountsFile, in.Path(feeds.AccountsFile))
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New("provision.incomplete", "the folder holds no accounts")
	}
	if a.accounts, err = officer.Decode(raw); err != nil {
		return nil, err
	}
	if err := a.accounts.Follows(lastEdition); err != nil {
		return nil, err
	}
	if p.feeds == nil {
		a.trust, err = trust.Open(p.trustBase)
	} else {
		a.trust, err = p.feeds.Trust(ctx)
	}
	if err != nil {
		return nil, err
	}
	if _, err := install.Lists(ctx, state, in, keys); err != nil {
		return nil, err
	}
	a.lists, err = install.OpenLists(ctx, state, in, keys)
	return a, err
}
