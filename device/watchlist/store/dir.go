package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

const (
	lockName      = "LOCK"
	currentName   = "CURRENT"
	partialSuffix = ".partial"
)

// lockTimeout is how long opening waits for another process, design
// section 12.
const lockTimeout = time.Second

var generationForm = regexp.MustCompile(`^gen-[0-9]{20}$`)

// folderName is the name of a generation's folder.
func folderName(generation uint64) string { return fmt.Sprintf("gen-%020d", generation) }

// Dir is a list's folder, held by this process alone. It is for one goroutine
// at a time; the Generations it opens are not bound to that.
type Dir struct {
	path string
	lock *os.File
}

// OpenDir opens a list's folder, making it where there is none. It fails with
// ErrLocked after one second where another has it open, and removes what an
// interrupted Adopt has left.
func OpenDir(ctx context.Context, path string) (*Dir, error) {
	if err := fault.Wrap("store.write", durable.MakeDir(path)); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Wrap("store.write", err)
	}
	if err := takeLock(ctx, lock); err != nil {
		lock.Close()
		return nil, err
	}
	d := &Dir{path, lock}
	left, err := filepath.Glob(filepath.Join(path, "*"+partialSuffix))
	if err == nil {
		for _, p := range left {
			err = errors.Join(err, os.RemoveAll(p))
		}
	}
	if err != nil {
		d.Close()
		return nil, fault.Wrap("store.write", err)
	}
	return d, nil
}

// takeLock waits up to lockTimeout for an exclusive flock.
func takeLock(ctx context.Context, f *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return fault.Wrap("store.lock", err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fault.New("store.locked", "another process has the list open").
				WithHint("speak to the running post instead, or end the other process").AsRetryable()
		}
	}
}

// Close gives the folder free.
func (d *Dir) Close() error { return fault.Wrap("store.close", d.lock.Close()) }

// Current returns the number of the generation in force, or ErrEmpty.
func (d *Dir) Current() (uint64, error) {
	const most = 64 // a name and its end of line are 25 bytes
	raw, err := readRegular(filepath.Join(d.path, currentName), most)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fault.New("store.empty", "no generation of the list has been applied")
	}
	if err != nil {
		return 0, err
	}
	name, ok := strings.CutSuffix(string(raw), "\n")
	if !ok || !generationForm.MatchString(name) {
		return 0, damaged("%s names no generation", currentName)
	}
	n, err := strconv.ParseUint(name[len("gen-"):], 10, 64)
	if err != nil || n == 0 {
		return 0, damaged("%s names no generation", currentName)
	}
	return n, nil
}

// Open opens the generation in force. atLeast is the highest generation known
// from elsewhere (0: none): an older one is ErrRollback, since files alone
// cannot prove that they were not put back.
func (d *Dir) Open(list string, listKey *vault.Key, atLeast uint64) (*Generation, error) {
	n, err := d.Current()
	if err != nil {
		return nil, err
	}
	if n < atLeast {
		return nil, fault.New("store.rollback", "generation %d is in force, %d was seen before", n, atLeast)
	}
	folder := filepath.Join(d.path, folderName(n))
	if info, err := os.Lstat(folder); err != nil || !info.IsDir() {
		return nil, damaged("%s is missing or no folder", folderName(n))
	}
	g, err := OpenFolder(folder, listKey)
	if err != nil {
		return nil, err
	}
	if g.m.List != list || g.m.Generation != n {
		return nil, errors.Join(damaged("the folder holds another list or generation than it is named for"), g.Close())
	}
	return g, nil
}

// Adopt copies a generation's folder beside the others, checks the copy whole
// against its sealed table, and puts it in force. The one before is kept, all
// older are removed. The generation in force given again changes nothing; an
// older one, or one below atLeast, is ErrRollback. After an error the list is
// as it was.
func (d *Dir) Adopt(ctx context.Context, src, list string, listKey *vault.Key, atLeast uint64) (*Manifest, error) {
	partial := filepath.Join(d.path, "incoming"+partialSuffix)
	m, err := d.adopt(ctx, partial, src, list, listKey, atLeast)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(partial))
	}
	return m, nil
}

func (d *Dir) adopt(ctx context.Context, partial, src, list string, listKey *vault.Key, atLeast uint64) (*Manifest, error) {
	// Everything is judged on our copy: the source may be on a stick that
	// answers differently when it is read again.
	if err := os.Mkdir(partial, 0o700); err != nil {
		return nil, fault.Wrap("store.write", err)
	}
	if _, _, err := copyFile(filepath.Join(partial, metaName), filepath.Join(src, metaName)); err != nil {
		return nil, err
	}
	m, key, err := readMeta(partial, listKey)
	if err != nil {
		return nil, err
	}
	key.Destroy()
	if m.List != list {
		return nil, fault.New("store.list", "the generation is of another list")
	}
	now, err := d.Current()
	if err != nil && !errors.Is(err, ErrEmpty) {
		return nil, err
	}
	if m.Generation < now || m.Generation < atLeast {
		return nil, fault.New("store.rollback", "generation %d is older than %d", m.Generation, max(now, atLeast))
	}
	name := folderName(m.Generation)
	if m.Generation == now {
		if err := d.same(partial, name, listKey); err != nil {
			return nil, err
		}
		return m, fault.Wrap("store.write", os.RemoveAll(partial))
	}
	if err := copyContents(ctx, partial, src, m); err != nil {
		return nil, err
	}
	final := filepath.Join(d.path, name)
	// A folder of that name that is not in force is left from an interrupted
	// Adopt, or was put there; the checked copy takes its place.
	if err := errors.Join(os.RemoveAll(final), os.Rename(partial, final), durable.SyncDir(d.path)); err != nil {
		return nil, fault.Wrap("store.write", err)
	}
	if err := replaceSynced(filepath.Join(d.path, currentName), []byte(name+"\n")); err != nil {
		return nil, err
	}
	d.removeOlder(name, folderName(now))
	return m, nil
}

// same accepts the generation in force given again, byte for byte. Where ours
// is not what was adopted, that is damage and no conflict.
func (d *Dir) same(partial, name string, listKey *vault.Key) error {
	_, key, err := readMeta(filepath.Join(d.path, name), listKey)
	if err != nil {
		return damaged("the generation in force: %w", err)
	}
	key.Destroy()
	ours, err := readRegular(filepath.Join(d.path, name, metaName), maxMeta)
	if err != nil {
		return damaged("%w", err)
	}
	theirs, err := readRegular(filepath.Join(partial, metaName), maxMeta)
	if err != nil {
		return damaged("%w", err)
	}
	if !bytes.Equal(ours, theirs) {
		return fault.New("store.conflict", "another generation of the same number is in force")
	}
	return nil
}

// copyContents copies the files that the table names, and refuses others.
func copyContents(ctx context.Context, dst, src string, m *Manifest) error {
	entries, err := os.ReadDir(src)
	if err != nil {
		return damaged("read the folder: %w", err)
	}
	if len(entries) != len(m.Files)+1 {
		return damaged("the folder holds %d files, its table names %d", len(entries), len(m.Files)+1)
	}
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return fault.Wrap("store.cancelled", err)
		}
		size, sum, err := copyFile(filepath.Join(dst, f.Name), filepath.Join(src, f.Name))
		if err != nil {
			return err
		}
		if size != f.Size || !bytes.Equal(sum, f.SHA256) {
			return damaged("%s is not the file that was made", f.Name)
		}
	}
	return fault.Wrap("store.write", durable.SyncDir(dst))
}

// removeOlder removes all generations but those named. What cannot be removed
// goes with the next generation: the swap stands.
func (d *Dir) removeOlder(keep ...string) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return
	}
	for _, e := range entries {
		if generationForm.MatchString(e.Name()) && !slices.Contains(keep, e.Name()) {
			_ = os.RemoveAll(filepath.Join(d.path, e.Name()))
		}
	}
}
