package store

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

// writeSynced writes a new file and syncs it.
func writeSynced(path string, raw []byte) error {
	h, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fault.Wrap("store.write", err)
	}
	_, err = h.Write(raw)
	if err == nil {
		err = h.Sync()
	}
	return fault.Wrap("store.write", errors.Join(err, h.Close()))
}

// replaceSynced puts a file in the place of another, whole or not at all.
func replaceSynced(path string, raw []byte) error {
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fault.Wrap("store.write", err)
	}
	if err := writeSynced(temp, raw); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return fault.Wrap("store.write", err)
	}
	if err := durable.SyncDir(filepath.Dir(path)); err != nil {
		return fault.New(ErrUncertain.Code, "%w", err).WithHint(ErrUncertain.Hint)
	}
	return nil
}

// openRegular opens a regular file for reading: no link, and nothing that
// would wait or never end.
func openRegular(path string) (*os.File, int64, error) {
	h, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	if err != nil {
		return nil, 0, damaged("open %s: %w", filepath.Base(path), err)
	}
	info, err := h.Stat()
	if err != nil || !info.Mode().IsRegular() {
		h.Close()
		return nil, 0, damaged("%s is not a regular file", filepath.Base(path))
	}
	return h, info.Size(), nil
}

// readRegular reads a regular file of at most limit bytes whole.
func readRegular(path string, limit int64) ([]byte, error) {
	h, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if size > limit {
		return nil, damaged("%s has %d bytes, at most %d", filepath.Base(path), size, limit)
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(h, raw); err != nil {
		return nil, damaged("read %s: %w", filepath.Base(path), err)
	}
	return raw, nil
}

// sumFile returns length and SHA-256 of a file.
func sumFile(path string) (int64, []byte, error) {
	h, err := os.Open(path)
	if err != nil {
		return 0, nil, fault.Wrap("store.read", err)
	}
	defer h.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, h)
	return n, sum.Sum(nil), fault.Wrap("store.read", err)
}

// copyFile copies src to a new file dst, syncs it, and returns length and
// SHA-256 of what was written: of the copy, which nobody else can change.
func copyFile(dst, src string) (n int64, sum []byte, err error) {
	in, _, err := openRegular(src)
	if err != nil {
		return 0, nil, damaged("%w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, nil, fault.Wrap("store.write", err)
	}
	hash := sha256.New()
	n, err = io.Copy(io.MultiWriter(out, hash), in)
	if err == nil {
		err = out.Sync()
	}
	return n, hash.Sum(nil), fault.Wrap("store.write", errors.Join(err, out.Close()))
}
