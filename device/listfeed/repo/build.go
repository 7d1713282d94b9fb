package repo

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/vault"
)

// Entry is a target as metadata name it.
type Entry struct {
	Path target.Path
	Sum  target.Sum
	Size int64
}

// Spec is a target of files.
type Spec struct {
	Path    target.Path
	Version uint64
	Created time.Time
	Expires time.Time
	Key     target.KeyName
}

// AddFiles seals the files below dir as the target of s under key, and writes
// chunks and manifest as objects. Links and other irregular files are refused.
func (r *Repo) AddFiles(ctx context.Context, ring *vault.Ring, key *vault.Key, s Spec, dir string) (Entry, error) {
	m := &target.Manifest{
		Format: target.Format, Path: s.Path.String(), Version: s.Version, Key: s.Key,
		Created: s.Created.UTC().Truncate(time.Second), Expires: s.Expires.UTC().Truncate(time.Second),
	}
	names, err := filesBelow(dir)
	if err != nil {
		return Entry{}, err
	}
	chunkKey, err := m.SealChunkKey(ring, key)
	if err != nil {
		return Entry{}, err
	}
	defer chunkKey.Destroy()
	for i, name := range names {
		f, err := r.addFile(ctx, m, chunkKey, i, filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return Entry{}, err
		}
		f.Path = name
		m.Files = append(m.Files, f)
	}
	raw, err := m.Encode()
	if err != nil {
		return Entry{}, err
	}
	if _, err := target.DecodeManifest(raw, s.Path); err != nil {
		return Entry{}, err
	}
	return r.AddObject(s.Path, raw)
}

func filesBelow(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); !d.Type().IsRegular() || !target.ValidFile(name) {
			return fault.New("listfeed.file_path", "%s is no regular file of a plain name", name)
		}
		names = append(names, name)
		return nil
	})
	var coded *fault.Error
	if errors.As(err, &coded) {
		return nil, err
	}
	slices.Sort(names)
	return names, fault.Wrap("listfeed.read", err)
}

func (r *Repo) addFile(ctx context.Context, m *target.Manifest, key *vault.Key, i int, path string) (target.File, error) {
	in, err := os.Open(path)
	if err != nil {
		return target.File{}, fault.Wrap("listfeed.read", err)
	}
	defer in.Close()
	f := target.File{Chunks: []target.Chunk{}}
	plain, sealed := make([]byte, target.ChunkSize), make([]byte, 0, target.MaxSealed)
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return f, fault.Wrap("listfeed.cancelled", err)
		}
		size, err := io.ReadFull(in, plain)
		if size > 0 {
			raw, serr := m.SealChunk(sealed[:0], key, plain[:size], i, n)
			if serr != nil {
				return f, serr
			}
			sum, serr := r.putObject(raw)
			if serr != nil {
				return f, serr
			}
			f.Size += int64(size)
			f.Chunks = append(f.Chunks, target.Chunk{Sum: sum, Size: int64(len(raw))})
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return f, nil
		}
		if err != nil {
			return f, fault.Wrap("listfeed.read", err)
		}
	}
}

// AddDevices writes an owner's list of devices.
func (r *Repo) AddDevices(p target.Path, epoch uint64, key *vault.Key, to ...vault.Recipient) (Entry, error) {
	d, err := target.WrapFor(p, epoch, key, to...)
	if err != nil {
		return Entry{}, err
	}
	raw, err := d.Encode()
	if err != nil {
		return Entry{}, err
	}
	return r.AddObject(p, raw)
}

// NoSegments writes an empty index: that of a fresh generation.
func (r *Repo) NoSegments(p target.Path, generation uint64, key target.KeyName) (Entry, error) {
	s := &target.Segments{Format: target.Format, Path: p.String(), Generation: generation, Key: key, Segments: []target.Segment{}}
	raw, err := s.Encode()
	if err != nil {
		return Entry{}, err
	}
	return r.AddObject(p, raw)
}

// AddSegment seals changes as the next segment of the index in Entry before,
// and writes both as objects.
func (r *Repo) AddSegment(before Entry, listKey *vault.Key, created time.Time, changes ...target.Change) (Entry, error) {
	raw, err := r.Object(before.Sum)
	if err != nil {
		return Entry{}, err
	}
	s, err := target.DecodeSegments(raw, before.Path)
	if err != nil {
		return Entry{}, err
	}
	c := &target.Changes{
		Format: target.Format, List: before.Path.Name, Generation: s.Generation, Number: uint64(len(s.Segments)) + 1,
		Created: created.UTC(), Changes: changes,
	}
	if n := len(s.Segments); n > 0 {
		c.Previous = s.Segments[n-1].Sum
	}
	sealed, err := target.SealChanges(c, listKey)
	if err != nil {
		return Entry{}, err
	}
	sum, err := r.putObject(sealed)
	if err != nil {
		return Entry{}, err
	}
	s.Segments = append(s.Segments, target.Segment{Sum: sum, Size: int64(len(sealed))})
	if raw, err = s.Encode(); err != nil {
		return Entry{}, err
	}
	return r.AddObject(before.Path, raw)
}

// AddObject writes a manifest, a list of devices or an index as the target p.
func (r *Repo) AddObject(p target.Path, raw []byte) (Entry, error) {
	sum, err := r.putObject(raw)
	return Entry{p, sum, int64(len(raw))}, err
}

// Object returns the bytes of an object, checked.
func (r *Repo) Object(s target.Sum) ([]byte, error) {
	raw, err := os.ReadFile(r.path(target.ObjectName(s)))
	if err != nil {
		return nil, fault.Wrap("listfeed.read", err)
	}
	if target.SumOf(raw) != s {
		return nil, fault.New("listfeed.hash", "an object of the repository is damaged")
	}
	return raw, nil
}
