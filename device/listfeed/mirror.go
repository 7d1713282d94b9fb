package listfeed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/vault"
)

// mirror keeps a verified object for neighbours.
func (r *round) mirror(sum target.Sum, raw []byte) error {
	if r.u.o.Mirror == "" {
		return nil
	}
	return r.mirrorFile(target.ObjectName(sum), raw)
}

func (r *round) mirrorFile(name string, raw []byte) error {
	path := filepath.Join(r.u.o.Mirror, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fault.Wrap("listfeed.mirror", err)
	}
	// What a power cut leaves is refused by the neighbour's own checks.
	tmp := path + ".part"
	if err := errors.Join(os.WriteFile(tmp, raw, 0o600), os.Rename(tmp, path)); err != nil {
		return fault.Wrap("listfeed.mirror", err)
	}
	return nil
}

// openChunk opens a chunk in place, after it was kept for neighbours.
func (r *round) openChunk(m *target.Manifest, key *vault.Key, sealed []byte, i, n int) ([]byte, error) {
	if r.u.o.Mirror == "" {
		return m.OpenChunk(sealed[:0], key, sealed, i, n)
	}
	plain, err := m.OpenChunk(nil, key, sealed, i, n)
	if err != nil {
		return nil, err
	}
	return plain, r.mirror(m.Files[i].Chunks[n].Sum, sealed)
}

// mirrorMetadata keeps metadata that are being committed.
func (r *round) mirrorMetadata() error {
	if r.u.o.Mirror == "" {
		return nil
	}
	files := map[string][]byte{}
	for name, raw := range r.changes {
		switch name {
		case stateRoot:
			files[target.RoleName(metadata.ROOT, r.root.Signed.Version)] = raw
		case stateSnapshot:
			files[target.RoleName(metadata.SNAPSHOT, r.snapshot.Signed.Version)] = raw
		}
	}
	for name, role := range r.tuf.roles {
		if raw := r.changes[stateRole+name]; raw != nil {
			files[target.RoleName(name, role.meta.Signed.Version)] = raw
		}
	}
	for name, raw := range files {
		if raw != nil {
			if err := r.mirrorFile(name, raw); err != nil {
				return err
			}
		}
	}
	if raw := r.changes[stateTimestamp]; raw != nil { // last: it names the others
		return r.mirrorFile(target.TimestampName, raw)
	}
	return nil
}

// pruneMirror removes objects that no target in force names.
func (r *round) pruneMirror() error {
	if r.u.o.Mirror == "" || r.bundle {
		return nil
	}
	keep := map[string]bool{}
	for _, w := range r.wanted {
		keep[w.sum.String()] = true
		raw, err := os.ReadFile(filepath.Join(r.u.o.Mirror, filepath.FromSlash(target.ObjectName(w.sum))))
		if err != nil {
			continue
		}
		if s, err := target.DecodeSegments(raw, w.path); err == nil {
			for _, g := range s.Segments {
				keep[g.Sum.String()] = true
			}
		} else if m, err := target.DecodeManifest(raw, w.path); err == nil {
			for _, f := range m.Files {
				for _, c := range f.Chunks {
					keep[c.Sum.String()] = true
				}
			}
		}
	}
	err := filepath.WalkDir(filepath.Join(r.u.o.Mirror, "objects"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || keep[d.Name()] {
			return err
		}
		return os.Remove(path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fault.Wrap("listfeed.mirror", err)
}
