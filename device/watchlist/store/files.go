package store

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"

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
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	h, err := os.Open(dir)
	if err != nil {
		return fault.Wrap("store.write", err)
	}
	return fault.Wrap("store.write", errors.Join(h.Sync(), h.Close()))
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
	in, err := os.Open(src)
	if err != nil {
		return 0, nil, damaged("open: %w", err)
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, nil, damaged("not a regular file")
	}
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
