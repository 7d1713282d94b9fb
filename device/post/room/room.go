// Package room keeps room on the disk for what a post has begun. A few
// megabytes of its state folder are set aside; new encounters are refused as
// soon as little is free, and when the disk is full all the same, what was set
// aside is given up so that encounters under way can be ended and sent.
package room

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
)

const (
	name = "room" // of the file that is set aside

	// Aside is set aside, in bytes: a kept encounter takes some 300 KiB, and
	// post.db writes each page that it touches anew.
	Aside = 8 << 20
	// Low is how much has to be free beside it before an encounter begins.
	Low = 8 << 20
	// again is how much more makes room again, so that a disk at the edge does
	// not change its mind with every log line.
	again = 4 << 20

	// toStart is what a start needs: counters, keys and a few lines.
	toStart = 1 << 20

	lookEvery = time.Second
)

// Room watches the disk of one folder. It is safe for concurrent use.
type Room struct {
	dir  string
	free func() (uint64, error) // bytes that this user may still write

	mu   sync.Mutex
	held bool // guarded by mu: the file is there whole
}

// Open sets room aside below dir where there is enough, and never fails: a
// post on a full disk has to start, to end what it has begun.
func Open(dir string) *Room {
	r := &Room{dir: dir, free: func() (uint64, error) { return free(dir) }}
	r.Look()
	return r
}

// ForStart gives up what an earlier run set aside below dir where a start,
// which writes a few small files before anything else, has no room. It never
// fails: what is wrong with the folder is told by who needs it.
func ForStart(dir string) {
	if left, err := free(dir); err == nil && left < toStart {
		_ = os.Remove(filepath.Join(dir, name)) // may not be there
	}
}

func free(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fault.Wrap("store.failed", err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// Check returns store.ErrFull as long as no encounter may begin.
func (r *Room) Check() error {
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	left, err := r.free()
	if err != nil {
		return err
	}
	if !held || left < Low {
		return fault.New(store.ErrFull.Code, "%d bytes are free", left).WithHint(store.ErrFull.Hint).AsRetryable()
	}
	return nil
}

// Release gives up what was set aside and reports whether there was anything.
func (r *Room) Release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held {
		return false
	}
	r.held = false
	return os.Remove(r.path()) == nil
}

// Look sets room aside again where there is enough. Watch calls it.
func (r *Room) Look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		return
	}
	info, err := os.Lstat(r.path())
	if err == nil && info.Mode().IsRegular() && info.Size() == Aside { // of an earlier run
		r.held = true
		return
	}
	if left, err := r.free(); err != nil || left < Aside+Low+again {
		return
	}
	r.held = r.fill() == nil
}

// fill writes the file whole or leaves none.
func (r *Room) fill() error {
	part := r.path() + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, Aside)
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, Aside)) // a file system without it
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(part, r.path())
	}
	if err != nil {
		if gone := os.Remove(part); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// Watch looks every second whether there is room again, until ctx ends.
func (r *Room) Watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.Look()
		}
	}
}

func (r *Room) path() string { return filepath.Join(r.dir, name) }
