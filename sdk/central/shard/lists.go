package shard

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/watchpost/watchpost/device/biometric/calibration"
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

// Records is how many records they hold together.
func (l *Lists) Records() (n int) {
	for _, m := range l.Loaded {
		n += m.Records
	}
	return n
}

// limitsAt are the error budgets of a worker's searches (design section 10): of
// the whole lists, shared evenly among the parts that they are split into.
// worstGroup is how many times as often strangers of the worst group are taken
// for one another as stated, 0 for as stated; posts hold the same by their
// policy (face_worst_group).
func limitsAt(at Place, worstGroup float64) local.Limits {
	return local.Limits{
		FPIR: 1e-3 / float64(at.Of), MaxCandidates: 20, AlarmMaxList: 1000 / at.Of, AlarmMinFrames: 3,
		Faces: calibration.FaceCurve{Factor: worstGroup},
	}
}

// Options of Load.
type Options struct {
	Folder string // as in provisioning: lists/LIST/ and keys/LIST/RECIPIENT
	State  string // of the worker
	Vault  *vault.Vault
	At     Place
	// WorstGroup is how many times as often strangers of the worst group are
	// taken for one another as stated, 0 for as stated.
	WorstGroup float64
	Now        func() time.Time
}

// Load takes the lists of a folder into state and loads them. The folder is
// laid out as in provisioning: lists/LIST/ is a sealed generation and
// keys/LIST/RECIPIENT the list's key wrapped for the vault of this worker at its
// place. An older generation than the one held is store.rollback, a part of
// another place vault.open.
func Load(ctx context.Context, o Options) (*Lists, error) {
	folder := o.Folder
	entries, err := os.ReadDir(filepath.Join(folder, "lists"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fault.New("central.lists", "the folder has no lists/").WithHint("--lists is a folder with lists/LIST and keys/LIST/RECIPIENT")
		}
		return nil, fault.Wrap("central.lists", err)
	}
	l := new(Lists)
	for _, e := range entries {
		if err := l.add(ctx, o, e.Name()); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	l.Source, err = local.New(limitsAt(o.At, o.WorstGroup), o.Now, l.lists...)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// add takes a list in and loads it.
func (l *Lists) add(ctx context.Context, o Options, list string) error {
	if err := l.take(ctx, o, list); err != nil {
		return err
	}
	key, err := o.Vault.ListKey(o.At.KeyName(list))
	if err != nil {
		return err
	}
	g, err := l.dirs[len(l.dirs)-1].Open(list, key, 0)
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

// take brings a list and its key into the state of the worker.
func (l *Lists) take(ctx context.Context, o Options, list string) error {
	us, err := o.Vault.Recipient()
	if err != nil {
		return err
	}
	wrapped, err := readKey(filepath.Join(o.Folder, "keys", list, us.ID()))
	if err != nil {
		return err
	}
	name := o.At.KeyName(list)
	if err := o.Vault.AcceptListKey(name, wrapped); err != nil {
		return err
	}
	key, err := o.Vault.ListKey(name)
	if err != nil {
		return err
	}
	d, err := store.OpenDir(ctx, filepath.Join(o.State, "lists", list))
	if err != nil {
		return err
	}
	l.dirs = append(l.dirs, d)
	_, err = d.Adopt(ctx, filepath.Join(o.Folder, "lists", list), list, key, 0)
	return err
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
