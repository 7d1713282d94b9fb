package listfeed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// leaveFree is what a target must leave on the disk: encounters begin only
// where there is room for them, and a list that fills the disk would end them.
const leaveFree = 64 << 20

// room refuses a target that the disk cannot hold, before a byte of it is
// fetched: one that filled the disk would lie there as what a cut has left, and
// keep the post from its work. What is there of it already counts.
func (u *Updater) room(m *target.Manifest, dir string) error {
	free := u.o.Free
	if free == nil {
		free = diskFree
	}
	left, err := free(u.o.Dir)
	if err != nil {
		return fault.Wrap("listfeed.read", err)
	}
	var there int64
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			there += info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap("listfeed.read", err)
	}
	if need := max(0, m.Bytes()-there); left < leaveFree || uint64(need) > left-leaveFree {
		return fault.New(ErrNoRoom.Code, "%d bytes are to come, %d are free", need, left).AsRetryable().
			WithHint("make room on the post's disk, or publish the list in parts")
	}
	return nil
}

func diskFree(dir string) (uint64, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}
