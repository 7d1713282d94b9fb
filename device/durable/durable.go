// Package durable puts small files and folders in place so that a power cut
// leaves what was there before, or all of what is new.
//
// Its errors are those of the file system: the caller, who knows what the file
// is for, gives them their code. All of it is safe for concurrent use, and
// several writers of one file leave the whole of one of them.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts raw in the place of the file at path, whole or not at all, and
// on the disk, under its name, when it returns. The file is its owner's alone.
func Replace(path string, raw []byte) error {
	if err := Put(path, raw, 0o600); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Put is Replace, but that a power cut right after it may bring back the file
// that was there before: whoever puts many files into a folder calls SyncDir
// once behind them. perm are the file's permissions
// whatever the umask, where the file system has any.
func Put(path string, raw []byte, perm fs.FileMode) error {
	temp, err := Temp(path, raw, perm)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

// Temp writes raw to a new file beside path, synced, and returns its name: what
// is to be linked and not renamed begins so. The caller removes it. It matches
// path + ".new-*"; nothing is left of it after an error.
func Temp(path string, raw []byte, perm fs.FileMode) (name string, err error) {
	h, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return "", err
	}
	_, err = h.Write(raw)
	if err == nil {
		if err = h.Chmod(perm); errors.Is(err, fs.ErrPermission) {
			err = nil // FAT, as sticks have it, gives one mode to all its files
		}
	}
	if err == nil {
		err = h.Sync()
	}
	if err = errors.Join(err, h.Close()); err != nil {
		return "", errors.Join(err, os.Remove(h.Name()))
	}
	return h.Name(), nil
}

// SyncDir makes sure that the names in a folder outlast a power cut.
func SyncDir(dir string) error {
	h, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(h.Sync(), h.Close())
}

// MakeDir makes a folder, its owner's alone, and those above it that are
// missing, and syncs where each was named: a folder that a power cut takes away
// takes all that is in it.
func MakeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MakeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}
