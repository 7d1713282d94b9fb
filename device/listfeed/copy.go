package listfeed

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// CopyOptions of Copy.
type CopyOptions struct {
	Root []byte           // root that begins the chain; never the carrier's own word
	To   string           // folder of the copy, made where it is not there; "" only checks
	Now  func() time.Time // judges dates
	Told func(Progress)   // after each object; may be nil
	Log  *slog.Logger     // nil: none
}

// Progress is how far a copy has come with a target.
type Progress struct {
	Path        target.Path
	Objects, Of int
	Bytes       int64 // sealed, of the objects done
	OfBytes     int64
}

// Copied is a feed that was copied or checked.
type Copied struct {
	Root, Snapshot, Timestamp int64 // versions
	Fresh                     time.Time
	Targets                   []CopiedTarget // in order of their paths
}

// CopiedTarget is one target of it.
type CopiedTarget struct {
	Path    target.Path
	Version uint64 // generation, edition or epoch; 0 where that is not known
	Expires time.Time
	Objects int
	Bytes   int64 // of its objects, sealed
	Fetched int64 // of those: came from the carrier now
	Err     error // coded; nil: every object is the one that was signed
}

// Copy brings a whole feed into a folder, a stick's for one, or only checks it:
// every signature, date, version and hash, without any key, for all posts.
// What lies in the folder already is not fetched again, whatever cut an earlier
// copy, and is a floor: an older feed is listfeed.rollback. Objects come before
// the metadata that name them, so that a folder that is pulled out early is
// still the feed it was. It fails where the metadata do; targets that are not
// whole say so in the result.
func Copy(ctx context.Context, c Carrier, o CopyOptions) (Copied, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	u := &Updater{o: Options{Root: o.Root, Now: o.Now}, log: o.Log, held: held{tuf: tuf{versions: map[string]int64{}}}}
	kept, err := u.readCopy(o.To)
	if err != nil {
		return Copied{}, err
	}
	if err := u.held.loadMetadata(kept, o.Root, o.Log); err != nil {
		return Copied{}, err
	}
	r := &round{u: u, c: c, whole: true, tuf: u.held.clone(), lists: map[string]*list{}}
	if err := r.roots(ctx); err != nil {
		return Copied{}, err
	}
	if err := r.metadata(ctx); err != nil {
		return Copied{}, err
	}
	p := &copying{round: r, to: o.To, told: o.Told, keep: map[string]bool{}}
	out := Copied{Root: r.root.Signed.Version, Snapshot: r.snapshot.Signed.Version, Timestamp: r.tuf.timestamp.Signed.Version, Fresh: r.tuf.timestamp.Signed.Expires}
	for _, f := range r.result.Refused {
		out.Targets = append(out.Targets, CopiedTarget{Path: f.Path, Err: f.Err})
	}
	for _, w := range r.of(target.Kind.Known) {
		t := p.target(ctx, w)
		if err := ctx.Err(); err != nil {
			return out, fault.Wrap("listfeed.cancelled", err)
		}
		out.Targets = append(out.Targets, t)
	}
	if o.To == "" {
		return out, nil
	}
	if err := p.metadataFiles(ctx); err != nil {
		return out, err
	}
	for _, t := range out.Targets {
		if t.Err != nil {
			return out, nil // an older version may be all that is whole: it stays
		}
	}
	return out, p.prune()
}

// readCopy returns the metadata of a copy as State would keep them. Its roots
// count as far as they follow from the one that was handed over.
func (u *Updater) readCopy(dir string) (map[string][]byte, error) {
	kept := map[string][]byte{}
	if dir == "" {
		return kept, nil
	}
	read := func(name string) []byte {
		raw, err := readObject(filepath.Join(dir, filepath.FromSlash(name)), target.MaxMetadata)
		if err != nil {
			return nil // as one that is damaged: asked for again
		}
		return raw
	}
	root, err := readRoot(u.o.Root)
	if err != nil {
		return nil, err
	}
	chain := tuf{root: root, versions: map[string]int64{}}
	for {
		raw := read(target.RoleName(metadata.ROOT, chain.root.Signed.Version+1))
		if raw == nil || chain.updateRoot(raw, u.o.Now()) != nil {
			break
		}
		kept[stateRoot] = raw
	}
	var version struct {
		Signed struct {
			Meta map[string]struct {
				Version int64 `json:"version"`
			} `json:"meta"`
		} `json:"signed"`
	}
	if kept[stateTimestamp] = read(target.TimestampName); kept[stateTimestamp] == nil {
		delete(kept, stateTimestamp)
		return kept, nil
	}
	_ = json.Unmarshal(kept[stateTimestamp], &version) // only says which files to look at
	if kept[stateSnapshot] = read(target.RoleName(metadata.SNAPSHOT, version.Signed.Meta[snapshotFile].Version)); kept[stateSnapshot] != nil {
		version.Signed.Meta = nil
		_ = json.Unmarshal(kept[stateSnapshot], &version)
		for name, m := range version.Signed.Meta {
			role := strings.TrimSuffix(name, ".json")
			if target.ValidPart(role) {
				kept[stateRole+role] = read(target.RoleName(role, m.Version))
			}
		}
	}
	for name, raw := range kept {
		if raw == nil {
			delete(kept, name)
		}
	}
	return kept, nil
}

// copying is one Copy.
type copying struct {
	*round
	to   string
	told func(Progress)
	keep map[string]bool // objects that are named
}

// object is one that a target names.
type object struct {
	sum  target.Sum
	size int64
}

// target brings a target's objects, or checks them.
func (p *copying) target(ctx context.Context, w wanted) CopiedTarget {
	t := CopiedTarget{Path: w.path}
	raw, err := p.object(ctx, w)
	if err != nil {
		t.Err = err
		return t
	}
	p.keep[w.sum.String()] = true
	if p.to != "" {
		if err := p.write(target.ObjectName(w.sum), raw); err != nil {
			t.Err = err
			return t
		}
	}
	objects, err := p.named(raw, w, &t)
	if err != nil {
		t.Err = err
		return t
	}
	state := Progress{Path: w.path, Objects: 1, Of: len(objects) + 1, Bytes: w.size, OfBytes: w.size}
	for _, o := range objects {
		p.keep[o.sum.String()] = true
		state.OfBytes += o.size
	}
	t.Objects, t.Bytes = state.Of, state.OfBytes
	for _, o := range objects {
		fetched, err := p.take(ctx, o)
		if t.Fetched += fetched; err != nil {
			t.Err = err
			return t
		}
		state.Objects++
		state.Bytes += o.size
		if p.told != nil {
			p.told(state)
		}
	}
	return t
}

// named returns what the object of a target names, and fills in t.
func (p *copying) named(raw []byte, w wanted, t *CopiedTarget) ([]object, error) {
	var objects []object
	switch {
	case w.path.Kind == target.KindDevices:
		d, err := target.DecodeDevices(raw, w.path)
		if err != nil {
			return nil, err
		}
		t.Version = d.Epoch
	case w.path.Kind == target.KindSegment:
		s, err := target.DecodeSegments(raw, w.path)
		if err != nil {
			return nil, err
		}
		t.Version = s.Generation
		for _, g := range s.Segments {
			objects = append(objects, object{g.Sum, g.Size})
		}
	default:
		m, err := target.DecodeManifest(raw, w.path)
		if err != nil {
			return nil, err
		}
		t.Version, t.Expires = m.Version, m.Expires
		if !p.u.o.Now().Before(m.Expires) {
			return nil, fault.New("listfeed.expired", "the target has run out")
		}
		if n, most := m.Bytes(), w.path.Kind.MaxBytes(); n > most {
			return nil, fault.New("listfeed.too_large", "%d bytes in a target of kind %s, at most %d", n, w.path.Kind, most)
		}
		for _, f := range m.Files {
			for _, c := range f.Chunks {
				objects = append(objects, object{c.Sum, c.Size})
			}
		}
	}
	return objects, nil
}

// take brings one object and returns how many bytes the carrier gave for it.
func (p *copying) take(ctx context.Context, o object) (int64, error) {
	name := target.ObjectName(o.sum)
	path := filepath.Join(p.to, filepath.FromSlash(name))
	var got []byte
	if p.to != "" {
		if raw, err := readObject(path, o.size); err == nil && target.SumOf(raw) == o.sum {
			return 0, nil
		}
		if raw, err := readObject(path+cutSuffix, o.size); err == nil { // of an interrupted copy
			got = raw
		}
	}
	had := int64(len(got))
	raw, err := fetchInto(ctx, p.c, name, o.size, target.MaxSealed, got)
	if err == nil && target.SumOf(raw) != o.sum && had > 0 { // what was kept had been damaged
		had = 0
		raw, err = fetchInto(ctx, p.c, name, o.size, target.MaxSealed, nil)
	}
	if err != nil {
		if p.to != "" && len(raw) > 0 {
			_ = p.write(name+cutSuffix, raw) // else it is fetched whole next time
		}
		return max(0, int64(len(raw))-had), err
	}
	if target.SumOf(raw) != o.sum {
		return int64(len(raw)), fault.New("listfeed.hash", "an object is not the one that was signed")
	}
	if p.to == "" {
		return int64(len(raw)), nil
	}
	if err := p.write(name, raw); err != nil {
		return 0, err
	}
	if err := os.Remove(path + cutSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fault.Wrap("listfeed.write", err)
	}
	return int64(len(raw)) - had, nil
}

// readObject reads a regular file of at most size bytes. It follows no link and
// waits for nobody.
func readObject(path string, size int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > size {
		return nil, fs.ErrInvalid
	}
	return io.ReadAll(io.LimitReader(f, size))
}
