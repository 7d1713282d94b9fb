package shard

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening/local"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// maxKey bounds a wrapped key's file in bytes; HPKE adds 48 to the key.
const maxKey = 1024

// Lists are the lists of one worker, loaded. The engine is the post's own, so
// that both sides find the same. Safe for concurrent use but for Close.
type Lists struct {
	*local.Source
	Loaded []*store.Manifest
	lists  []*local.List
	dirs   []*store.Dir
}

// Limits are the error budgets of a worker's searches.
var Limits = local.Limits{FPIR: 1e-3, MaxCandidates: 20, AlarmMaxList: 1000, AlarmMinFrames: 3} // design section 10

// Load takes the lists of a folder into state and loads them. The folder is
// laid out as in provisioning: lists/LIST/ is a sealed generation and
// keys/LIST/RECIPIENT the list's key wrapped for the vault of this worker.
// An older generation than the one held is store.rollback.
func Load(ctx context.Context, folder, state string, v *vault.Vault, now func() time.Time) (*Lists, error) {
	entries, err := os.ReadDir(filepath.Join(folder, "lists"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fault.New("central.lists", "the folder has no lists/").WithHint("--lists is a folder with lists/LIST and keys/LIST/RECIPIENT")
		}
		return nil, fault.Wrap("central.lists", err)
	}
	l := new(Lists)
	for _, e := range entries {
		if err := l.add(ctx, folder, state, e.Name(), v); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	l.Source, err = local.New(Limits, now, l.lists...)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lists) add(ctx context.Context, folder, state, list string, v *vault.Vault) error {
	us, err := v.Recipient()
	if err != nil {
		return err
	}
	wrapped, err := readKey(filepath.Join(folder, "keys", list, us.ID()))
	if err != nil {
		return err
	}
	if err := v.AcceptListKey(list, wrapped); err != nil {
		return err
	}
	key, err := v.ListKey(list)
	if err != nil {
		return err
	}
	d, err := store.OpenDir(ctx, filepath.Join(state, "lists", list))
	if err != nil {
		return err
	}
	l.dirs = append(l.dirs, d)
	if _, err := d.Adopt(ctx, filepath.Join(folder, "lists", list), list, key, 0); err != nil {
		return err
	}
	g, err := d.Open(list, key, 0)
	if err != nil {
		return err
	}
	loaded, err := local.Load(ctx, g)
	if err != nil {
		return err
	}
	l.lists, l.Loaded = append(l.lists, loaded), append(l.Loaded, loaded.Manifest())
	return nil
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.New("central.lists", "no key of the list is wrapped for this worker: %w", err).
			WithHint("watchpost-central keys shows the recipient to whom the list's owner wraps the key")
	}
	if info.Size() > maxKey {
		return nil, fault.New("vault.open", "a wrapped key has more than %d bytes", maxKey)
	}
	raw, err := os.ReadFile(path)
	return raw, fault.Wrap("central.lists", err)
}

// Close gives lists and locks free. Nobody may be searching.
func (l *Lists) Close() error {
	var errs []error
	for _, list := range l.lists {
		errs = append(errs, list.Close())
	}
	for _, d := range l.dirs {
		errs = append(errs, d.Close())
	}
	l.lists, l.dirs = nil, nil
	return errors.Join(errs...)
}
