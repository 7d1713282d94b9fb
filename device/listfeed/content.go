package listfeed

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// content takes a target of files that is no list: into a fresh folder, whole,
// judged, and in force by the commit that follows.
func (r *round) content(ctx context.Context, w wanted, before filesState) error {
	m, key, err := r.manifest(ctx, w, before.Version)
	if err != nil {
		return err
	}
	defer key.Destroy()
	if m.Version == before.Version && before.Sum != w.sum {
		return fault.New("listfeed.conflict", "another version %d is in force", m.Version)
	}
	if n, most := m.Bytes(), w.path.Kind.MaxBytes(); n > most {
		return fault.New("listfeed.too_large", "%d bytes in a target of kind %s, at most %d", n, w.path.Kind, most)
	}
	dir := r.u.contentDir(w.path, m.Version)
	partial := dir + ".partial"
	// Nothing is kept of an earlier try: these targets are short, and no table
	// of their own vouches for their files.
	if err := errors.Join(os.RemoveAll(partial), os.RemoveAll(partial+cutSuffix)); err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	if err := r.u.room(m, partial); err != nil {
		return err
	}
	next, err := r.bring(ctx, w, m, func() error { return r.files(ctx, m, key, partial) }, partial)
	if err != nil {
		return errors.Join(err, os.RemoveAll(partial), os.RemoveAll(partial+cutSuffix))
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(partial, dir), durable.SyncDir(filepath.Dir(dir))); err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	r.holdFiles(w.path, next)
	r.changed(Change{Path: w.path, Version: m.Version, Dir: dir, Expires: m.Expires})
	return put(r.changes, stateContent+w.path.String(), next)
}

// bring fetches files into dir and has them judged.
func (r *round) bring(ctx context.Context, w wanted, m *target.Manifest, fetch func() error, dir string) (filesState, error) {
	next := filesState{contentState: stateOf(w, m)}
	if err := fetch(); err != nil {
		return next, err
	}
	var err error
	if next.Files, err = sumsOf(dir); err != nil {
		return next, err
	}
	if r.u.o.Check == nil {
		return next, nil
	}
	return next, r.u.o.Check(ctx, w.path, dir)
}

func (r *round) holdFiles(p target.Path, s filesState) {
	if r.contents == nil {
		r.contents = map[string]filesState{}
	}
	r.contents[p.String()] = s
}

// sumsOf hashes the files below dir, in order of their paths.
func sumsOf(dir string) ([]fileState, error) {
	files := []fileState{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fault.New("listfeed.damaged", "a link or device lies where a file should")
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		sum, err := sumFile(path)
		files = append(files, fileState{filepath.ToSlash(name), sum})
		return err
	})
	var own *fault.Error
	if errors.As(err, &own) {
		return nil, err
	}
	return files, fault.Wrap("listfeed.read", err)
}

func sumFile(path string) (s target.Sum, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return s, err
	}
	h.Sum(s[:0])
	return s, nil
}

// checkFiles holds what lies on the disk to what was taken: who can write to
// the disk decides nothing.
func (u *Updater) checkFiles(p target.Path, c filesState) error {
	now, err := sumsOf(u.contentDir(p, c.Version))
	if err != nil || !slices.Equal(now, c.Files) {
		return fault.New("listfeed.damaged", "%s is not as it was taken: %w", p, errors.Join(err)).
			WithHint("have it fetched again: watchpost list apply --feed DIR")
	}
	return nil
}

func (u *Updater) contentDir(p target.Path, version uint64) string {
	return filepath.Join(u.o.Dir, "content", p.Owner, string(p.Kind), p.Name, "v"+strconv.FormatUint(version, 10))
}

// onlyVersions removes the folders of versions that are in force no more. It is
// for Open: until then whoever opened one may go on reading.
func (u *Updater) onlyVersions(contents map[string]filesState) error {
	keep := map[string]bool{}
	for name, c := range contents {
		if p, err := target.ParsePath(name); err == nil && !c.Gone {
			keep[u.contentDir(p, c.Version)] = true
		}
	}
	all, err := filepath.Glob(filepath.Join(u.o.Dir, "content", "*", "*", "*", "*"))
	if err != nil {
		return fault.Wrap("listfeed.read", err)
	}
	for _, dir := range all {
		if !keep[dir] {
			if err := os.RemoveAll(dir); err != nil {
				return fault.Wrap("listfeed.write", err)
			}
		}
	}
	return nil
}

// withdrawFiles takes targets out of force that their owner does not publish
// any more, or whose owner is delegated to no more.
func (r *round) withdrawFiles(g *gone) error {
	published := map[string]bool{}
	for _, w := range r.of(target.Kind.Single) {
		published[w.path.String()] = true
	}
	for name, c := range r.u.held.contents {
		p, err := target.ParsePath(name)
		if err != nil || c.Gone || published[name] || r.failed(p.Owner) {
			continue
		}
		g.folders = append(g.folders, r.u.contentDir(p, c.Version))
		c.Gone, c.Files = true, nil
		r.holdFiles(p, c)
		if err := put(r.changes, stateContent+name, c); err != nil {
			return err
		}
		r.changed(Change{Path: p, Version: c.Version, Withdrawn: true})
	}
	return nil
}

// Content returns the folder and version in force of a kind: of this site
// before that for all. Its files are held to what was taken. It fails with
// listfeed.no_target, and with listfeed.damaged where the disk was changed.
func (u *Updater) Content(k target.Kind) (dir string, version uint64, err error) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	for _, site := range []string{u.o.Site, allSites} {
		for name, c := range u.held.contents {
			p, err := target.ParsePath(name)
			if err != nil || p.Kind != k || p.Name != site || c.Gone {
				continue
			}
			if err := u.checkFiles(p, c); err != nil {
				return "", 0, err
			}
			return u.contentDir(p, c.Version), c.Version, nil
		}
	}
	return "", 0, fault.New("listfeed.no_target", "no target of kind %s is in force", k)
}

// ContentStatus is what is in force of a target that is no list.
type ContentStatus struct {
	Path    target.Path
	Version uint64
	Created time.Time
	Expires time.Time
	Damaged bool // the disk was changed; it is fetched again
}
