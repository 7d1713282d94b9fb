// Package install brings the lists of an applied provisioning folder into the
// post's stores, and opens them for searching.
//
// In a folder, files/lists/LIST/ is a generation and files/keys/LIST/RECIPIENT
// the list's key wrapped for one device. On a post, STATE/lists/LIST is the
// list's store and STATE/provision holds the folder in force. The folder is
// the truth: what it does not name is withdrawn. Installing again changes
// nothing, so that a start after a power cut finishes what was begun.
package install

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision"
	"github.com/watchpost/watchpost/device/screening/local"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/budget"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// Places below the state folder.
const (
	VaultFile       = "vault.json"
	ProvisionFolder = "provision"
	listsFolder     = "lists"
)

// maxKey bounds a wrapped key's file in bytes; HPKE adds 48 to the key.
const maxKey = 1024

// Names returns the lists of a folder in order.
func Names(a *provision.Applied) ([]string, error) {
	var names []string
	for _, f := range a.OfKind(provision.KindListGeneration) {
		parts := strings.Split(f.Path, "/")
		if len(parts) != 3 || parts[0] != listsFolder {
			return nil, fault.New("provision.path", "a list's file lies elsewhere than lists/LIST/FILE")
		}
		if !slices.Contains(names, parts[1]) {
			names = append(names, parts[1])
		}
	}
	slices.Sort(names)
	return names, nil
}

// Lists installs the lists of the folder: keys for this device into the vault,
// generations into their stores. It returns the manifests of the lists now in
// force. A list that cannot be taken leaves the others and its own earlier
// generation as they were, and its error is returned with the rest.
func Lists(ctx context.Context, state string, a *provision.Applied, v *vault.Vault) ([]*store.Manifest, error) {
	names, err := Names(a)
	if err != nil {
		return nil, err
	}
	if err := acceptKeys(a, v); err != nil {
		return nil, err
	}
	var all []*store.Manifest
	var errs []error
	for _, name := range names {
		m, err := adopt(ctx, state, a, v, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, m)
	}
	if len(errs) == 0 {
		errs = append(errs, withdraw(state, v, names))
	}
	return all, errors.Join(errs...)
}

func acceptKeys(a *provision.Applied, v *vault.Vault) error {
	us, err := v.Recipient()
	if err != nil {
		return err
	}
	for _, f := range a.OfKind(provision.KindListKey) {
		parts := strings.Split(f.Path, "/")
		if len(parts) != 3 || parts[2] != us.ID() {
			continue // for another device
		}
		if f.Size > maxKey {
			return fault.New("vault.open", "a wrapped key has more than %d bytes", maxKey)
		}
		wrapped, err := os.ReadFile(a.Path(f.Path))
		if err != nil {
			return fault.Wrap("provision.read", err)
		}
		if err := v.AcceptListKey(parts[1], wrapped); err != nil {
			return err
		}
	}
	return nil
}

func adopt(ctx context.Context, state string, a *provision.Applied, v *vault.Vault, list string) (*store.Manifest, error) {
	key, err := v.ListKey(list)
	if err != nil {
		return nil, err
	}
	d, err := store.OpenDir(ctx, filepath.Join(state, listsFolder, list))
	if err != nil {
		return nil, err
	}
	m, err := d.Adopt(ctx, a.Path(listsFolder+"/"+list), list, key, 0)
	return m, errors.Join(err, d.Close())
}

// withdraw removes lists that the folder does not name, key first: what is
// left of a store after a power cut then stays shut.
func withdraw(state string, v *vault.Vault, keep []string) error {
	for _, list := range v.State().Lists {
		if !slices.Contains(keep, list) && !strings.Contains(list, "~") { // with an epoch: a feed's (listfeed/target.KeyName)
			if err := v.ShredListKey(list); err != nil {
				return err
			}
		}
	}
	entries, err := os.ReadDir(filepath.Join(state, listsFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap("store.read", err)
	}
	for _, e := range entries {
		if !slices.Contains(keep, e.Name()) {
			if err := os.RemoveAll(filepath.Join(state, listsFolder, e.Name())); err != nil {
				return fault.Wrap("store.write", err)
			}
		}
	}
	return nil
}

// Open is the lists of a post, loaded and held against other processes. It is
// for one goroutine; the lists in it are safe for concurrent use.
type Open struct {
	Lists []*local.List
	dirs  []*store.Dir
}

// OpenLists loads every list that the folder names. One that is missing,
// damaged or older than the folder's fails the whole: a post does not start
// with a hole that nobody sees. Nor does it start where the lists do not fit
// into the memory that is there (budget.ErrOver).
func OpenLists(ctx context.Context, state string, a *provision.Applied, v *vault.Vault) (*Open, error) {
	available, err := budget.Available()
	if err != nil {
		return nil, err
	}
	return openWithin(ctx, state, a, v, available)
}

// openWithin is OpenLists where so many bytes of memory are available.
func openWithin(ctx context.Context, state string, a *provision.Applied, v *vault.Vault, available int64) (*Open, error) {
	names, err := Names(a)
	if err != nil {
		return nil, err
	}
	o := &Open{}
	if err := o.open(ctx, state, v, names, available); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// open opens all lists, and loads them if they fit together.
func (o *Open) open(ctx context.Context, state string, v *vault.Vault, names []string, available int64) error {
	var generations []*store.Generation
	closing := func(err error) error {
		for _, g := range generations {
			err = errors.Join(err, g.Close())
		}
		return err
	}
	var manifests []*store.Manifest
	for _, name := range names {
		g, err := o.generation(ctx, state, v, name)
		if err != nil {
			return closing(err)
		}
		generations, manifests = append(generations, g), append(manifests, g.Manifest())
	}
	if err := budget.Check(manifests, available); err != nil {
		return closing(err)
	}
	budget.Bound(manifests)
	for len(generations) > 0 {
		l, err := local.Load(ctx, generations[0]) // owns it from here on
		generations = generations[1:]
		if err != nil {
			return closing(err)
		}
		o.Lists = append(o.Lists, l)
	}
	return nil
}

// generation opens the generation of a list that is in force and holds the
// list against other processes.
func (o *Open) generation(ctx context.Context, state string, v *vault.Vault, list string) (*store.Generation, error) {
	key, err := v.ListKey(list)
	if err != nil {
		return nil, err
	}
	d, err := store.OpenDir(ctx, filepath.Join(state, listsFolder, list))
	if err != nil {
		return nil, err
	}
	o.dirs = append(o.dirs, d)
	return d.Open(list, key, 0)
}

// Close gives lists and locks free. Nobody may be searching.
func (o *Open) Close() error {
	var errs []error
	for _, l := range o.Lists {
		errs = append(errs, l.Close())
	}
	for _, d := range o.dirs {
		errs = append(errs, d.Close())
	}
	o.Lists, o.dirs = nil, nil
	return errors.Join(errs...)
}

// Build is where a publisher writes one list into a folder that is being made:
// the generation's folder, and the list's key wrapped for each recipient.
func Build(folder string, ring *vault.Ring, listKey *vault.Key, spec store.Spec, to ...vault.Recipient) (*store.Builder, error) {
	files := filepath.Join(folder, provision.FilesName)
	keys := filepath.Join(files, "keys", spec.List)
	if err := errors.Join(os.MkdirAll(keys, 0o700), os.MkdirAll(filepath.Join(files, listsFolder), 0o700)); err != nil {
		return nil, fault.Wrap("provision.write", err)
	}
	for _, r := range to {
		wrapped, err := vault.WrapTo(r, listKey, vault.ScopeList, spec.List)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(keys, r.ID()), wrapped, 0o600); err != nil {
			return nil, fault.Wrap("provision.write", err)
		}
	}
	return store.Create(filepath.Join(files, listsFolder, spec.List), ring, listKey, spec)
}
