package listfeed

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// writer puts the chunks of a target into its files, in order. has may be
// called beside write, since it looks at files that have not been begun.
type writer struct {
	dir  string
	m    *target.Manifest
	file *os.File // the one being written
	at   int      // its index
}

func (w *writer) path(i int) string {
	return filepath.Join(w.dir, filepath.FromSlash(w.m.Files[i].Path))
}

// has returns how many whole chunks of a file lie there. That they are right
// is checked by whoever takes the folder.
func (w *writer) has(i int) int {
	info, err := os.Lstat(w.path(i))
	if err != nil || !info.Mode().IsRegular() || info.Size() > w.m.Files[i].Size {
		return 0
	}
	if info.Size() == w.m.Files[i].Size {
		return len(w.m.Files[i].Chunks)
	}
	return int(info.Size() / target.ChunkSize)
}

// write puts chunk n of file i behind the one before it.
func (w *writer) write(i, n int, plain []byte) error {
	if w.file == nil || w.at != i {
		if err := w.close(); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(w.path(i)), 0o700); err != nil {
			return fault.Wrap("listfeed.write", err)
		}
		f, err := os.OpenFile(w.path(i), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return fault.Wrap("listfeed.write", err)
		}
		w.file, w.at = f, i
		if err := f.Truncate(int64(n) * target.ChunkSize); err != nil {
			return fault.Wrap("listfeed.write", err)
		}
	}
	_, err := w.file.WriteAt(plain, int64(n)*target.ChunkSize)
	return fault.Wrap("listfeed.write", err)
}

func (w *writer) close() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return fault.Wrap("listfeed.write", errors.Join(f.Sync(), f.Close()))
}

// finish closes the last file and makes those that are empty.
func (w *writer) finish() error {
	if err := w.close(); err != nil {
		return err
	}
	for i := range w.m.Files {
		if w.m.Files[i].Size == 0 {
			if err := w.write(i, 0, nil); err != nil {
				return err
			}
		}
	}
	return w.close()
}

func (w *writer) abandon() {
	if w.file != nil {
		_ = w.file.Close()
	}
}
