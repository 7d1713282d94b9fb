package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Take puts a generation's folder in force that lies on the same file system
// and that nobody else writes to: it is checked whole against its sealed table
// where it lies, and moved beside the others instead of being copied. All else
// is as with Adopt; after an error the folder is where it was.
func (d *Dir) Take(ctx context.Context, folder, list string, listKey *vault.Key, atLeast uint64) (*Manifest, error) {
	m, key, err := readMeta(folder, listKey)
	if err != nil {
		return nil, err
	}
	key.Destroy()
	now, err := d.Current()
	if err != nil && !errors.Is(err, ErrEmpty) {
		return nil, err
	}
	name := folderName(m.Generation)
	switch {
	case m.List != list:
		return nil, fault.New("store.list", "the generation is of another list")
	case m.Generation < now || m.Generation < atLeast:
		return nil, fault.New("store.rollback", "generation %d is older than %d", m.Generation, max(now, atLeast))
	case m.Generation == now:
		if err := d.same(folder, name, listKey); err != nil {
			return nil, err
		}
		return m, fault.Wrap("store.write", os.RemoveAll(folder))
	}
	if err := checkContents(ctx, folder, m); err != nil {
		return nil, err
	}
	final := filepath.Join(d.path, name)
	if err := errors.Join(durable.SyncDir(folder), os.RemoveAll(final), os.Rename(folder, final), durable.SyncDir(d.path)); err != nil {
		return nil, fault.Wrap("store.write", err)
	}
	if err := replaceSynced(filepath.Join(d.path, currentName), []byte(name+"\n")); err != nil {
		return nil, err
	}
	d.removeOlder(name, folderName(now))
	return m, nil
}

// checkContents compares a folder with its table, and refuses files beyond it.
func checkContents(ctx context.Context, dir string, m *Manifest) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return damaged("read the folder: %w", err)
	}
	if len(entries) != len(m.Files)+1 {
		return damaged("the folder holds %d files, its table names %d", len(entries), len(m.Files)+1)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range m.Files {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return fault.Wrap("store.cancelled", err)
			}
			size, sum, err := sumFile(filepath.Join(dir, f.Name))
			if err != nil {
				return err
			}
			if size != f.Size || !bytes.Equal(sum, f.SHA256) {
				return damaged("%s is not the file that was made", f.Name)
			}
			return nil
		})
	}
	return group.Wait()
}
