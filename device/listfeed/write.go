package listfeed

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"

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

// content takes a target of files that is no list: into a fresh folder, whole,
// and in force by the commit that follows.
func (r *round) content(ctx context.Context, w wanted) error {
	before := r.u.held.contents[w.path.String()]
	m, key, err := r.manifest(ctx, w, before.Version)
	if err != nil {
		return err
	}
	defer key.Destroy()
	if m.Version == before.Version {
		return fault.New("listfeed.conflict", "another version %d is in force", m.Version)
	}
	dir := r.u.contentDir(w.path, m.Version)
	partial := dir + ".partial"
	// Nothing is kept of an earlier try: these targets are short, and no table
	// of their own vouches for their files.
	if err := errors.Join(os.RemoveAll(partial), os.RemoveAll(partial+cutSuffix), os.RemoveAll(dir)); err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	if err := r.files(ctx, m, key, partial); err != nil {
		return errors.Join(err, os.RemoveAll(partial), os.RemoveAll(partial+cutSuffix))
	}
	if err := errors.Join(os.Rename(partial, dir), syncDir(filepath.Dir(dir))); err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	if r.contents == nil {
		r.contents = map[string]contentState{}
	}
	r.contents[w.path.String()] = stateOf(w, m)
	r.changed(Change{Path: w.path, Version: m.Version, Dir: dir, Expires: m.Expires})
	return put(r.changes, stateContent+w.path.String(), stateOf(w, m))
}

func (u *Updater) contentDir(p target.Path, version uint64) string {
	return filepath.Join(u.o.Dir, "content", p.Owner, string(p.Kind), p.Name, "v"+strconv.FormatUint(version, 10))
}

// Content returns the folder and version in force of a kind: of this site
// before that for all. It fails with listfeed.no_target.
func (u *Updater) Content(k target.Kind) (dir string, version uint64, err error) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	for _, site := range []string{u.o.Site, allSites} {
		for name, c := range u.held.contents {
			if p, err := target.ParsePath(name); err == nil && p.Kind == k && p.Name == site {
				return u.contentDir(p, c.Version), c.Version, nil
			}
		}
	}
	return "", 0, fault.New("listfeed.no_target", "no target of kind %s is in force", k)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
