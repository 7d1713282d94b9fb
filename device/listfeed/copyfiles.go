package listfeed

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// write writes a name's bytes, whole or not at all. A stick may be an
// enemy's: links that lie there lead nowhere else.
func (p *copying) write(name string, raw []byte) error {
	if err := os.MkdirAll(p.to, 0o755); err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	root, err := os.OpenRoot(p.to)
	if err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	defer root.Close()
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	tmp := name + ".part"
	if err := root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap("listfeed.write", err)
	}
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	return fault.Wrap("listfeed.write", root.Rename(tmp, name))
}

// metadataFiles puts the metadata in place: every root, so that a post that
// knows the first can follow, and the timestamp last, since it names the rest.
func (p *copying) metadataFiles(ctx context.Context) error {
	files := map[string][]byte{
		target.RoleName(metadata.SNAPSHOT, p.snapshot.Signed.Version): p.changes[stateSnapshot],
	}
	if err := p.roots(ctx, files); err != nil {
		return err
	}
	for name, role := range p.tuf.roles {
		files[target.RoleName(name, role.meta.Signed.Version)] = role.raw
	}
	for name, raw := range files {
		if raw != nil {
			if err := p.write(name, raw); err != nil {
				return err
			}
		}
	}
	if p.timestampRaw == nil {
		return nil
	}
	return p.write(target.TimestampName, p.timestampRaw)
}

// roots brings every root that is not there, from the newest down: each must
// have signed the one above, so that nobody slips in one that leads nowhere.
func (p *copying) roots(ctx context.Context, files map[string][]byte) error {
	above := p.root
	leads := func(raw []byte, v int64) (*metadata.Metadata[metadata.RootType], bool) {
		r, err := readRoot(raw)
		if err != nil || r.Signed.Version != v || r.VerifyDelegate(metadata.ROOT, above) != nil {
			return nil, false
		}
		return r, true
	}
	for v := p.root.Signed.Version; v >= 1; v-- {
		name := target.RoleName(metadata.ROOT, v)
		there, err := readObject(filepath.Join(p.to, filepath.FromSlash(name)), target.MaxMetadata)
		if r, ok := leads(there, v); err == nil && ok {
			above = r
			continue
		}
		raw, err := fetch(ctx, p.c, name, -1, target.MaxMetadata)
		if errors.Is(err, ErrAbsent) && v < p.root.Signed.Version {
			return nil // who began with a later root does not miss those before
		}
		if err != nil {
			return err
		}
		r, ok := leads(raw, v)
		if !ok {
			return fault.New("listfeed.metadata", "root %d does not lead to the one after it", v)
		}
		files[name], above = raw, r
	}
	return nil
}

// prune removes objects that no target names any more, and metadata older than
// those in place but roots.
func (p *copying) prune() error {
	keep := map[string]bool{target.TimestampName: true, target.RoleName(metadata.SNAPSHOT, p.snapshot.Signed.Version): true}
	for name, role := range p.tuf.roles {
		keep[target.RoleName(name, role.meta.Signed.Version)] = true
	}
	for _, folder := range []string{"objects", "metadata"} {
		err := filepath.WalkDir(filepath.Join(p.to, folder), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(p.to, file)
			if err != nil {
				return err
			}
			name = filepath.ToSlash(name)
			isRoot := folder == "metadata" && strings.HasSuffix(name, "."+metadata.ROOT+".json")
			if keep[name] || isRoot || folder == "objects" && p.keep[d.Name()] {
				return nil
			}
			return os.Remove(file)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap("listfeed.write", err)
		}
	}
	return nil
}
