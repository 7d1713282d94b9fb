// Package carrier brings a feed to a post: from a folder or stick, by HTTPS,
// or from a neighbouring box. None is trusted; what a carrier gives is bounded
// and checked by package listfeed, and what is here keeps a carrier from
// leading elsewhere, blocking, or answering another question.
package carrier

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Folder carries what lies in a folder, a stick's for one. Names lead nowhere
// else, whatever links lie there. It is safe for concurrent use.
type Folder struct {
	dir  string
	root *os.Root
}

// OpenFolder opens the folder.
func OpenFolder(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Wrap("listfeed.folder", err)
	}
	return &Folder{dir, root}, nil
}

// Close gives the folder free.
func (f *Folder) Close() error { return fault.Wrap("listfeed.folder", f.root.Close()) }

// String implements listfeed.Carrier.
func (f *Folder) String() string { return f.dir }

// Open implements listfeed.Carrier. A link, a pipe or a device is
// listfeed.not_regular: opening it neither follows nor waits.
func (f *Folder) Open(_ context.Context, name string, offset int64) (io.ReadCloser, error) {
	file, _, err := f.open(name)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, fault.Wrap("listfeed.folder", errors.Join(err, file.Close()))
	}
	return file, nil
}

func (f *Folder) open(name string) (*os.File, int64, error) {
	if !target.ValidName(name) {
		return nil, 0, fault.New("listfeed.name", "not a name of a repository")
	}
	info, err := f.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fault.New("listfeed.absent", "not in the folder")
	}
	if err != nil {
		return nil, 0, fault.Wrap("listfeed.folder", err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fault.New("listfeed.not_regular", "a link or device lies where a file should")
	}
	// Between the two looks it may have been exchanged: root keeps links
	// inside, and a pipe is not waited for.
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, fault.Wrap("listfeed.folder", err)
	}
	if info, err = file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, 0, fault.New("listfeed.not_regular", "%w", errors.Join(errors.New("exchanged while it was opened"), err, file.Close()))
	}
	return file, info.Size(), nil
}
