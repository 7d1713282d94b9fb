package listfeed

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// large takes generations and other targets of files. In a bundle they are
// not looked for: what it names and does not hold is fetched later.
func (r *round) large(ctx context.Context) error {
	for _, w := range r.of(is(target.KindList)) {
		if l := r.u.held.lists[w.path.Name]; l != nil && !l.Gone && l.Sum == w.sum {
			continue
		}
		err := r.generation(ctx, w)
		if err == nil {
			err = r.after(ctx, w)
		} else {
			r.notTaken(w, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	for _, w := range r.of(target.Kind.Single) {
		before := r.u.held.contents[w.path.String()]
		if before.Sum == w.sum && !before.Gone && !before.damaged {
			continue
		}
		if err := r.content(ctx, w, before); err != nil {
			r.notTaken(w, err)
		} else if err := r.countUp(ctx); err != nil {
			return err
		}
	}
	return nil
}

// notTaken notes a target that stays as it was. A bundle without it is no
// fault: the list is behind, and answers say so.
func (r *round) notTaken(w wanted, err error) {
	if !r.bundle || !errors.Is(err, ErrAbsent) {
		r.refuse(w.path, err)
	}
}

// manifest fetches and judges the manifest of a target of files, and returns
// it with its chunk key, which the caller destroys.
func (r *round) manifest(ctx context.Context, w wanted, atLeast uint64) (*target.Manifest, *vault.Key, error) {
	raw, err := r.object(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	m, err := target.DecodeManifest(raw, w.path)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case m.Version < atLeast:
		return nil, nil, fault.New("listfeed.rollback", "version %d, seen was %d", m.Version, atLeast)
	case !r.u.o.Now().Before(m.Expires):
		return nil, nil, fault.New("listfeed.expired", "the target has run out")
	}
	if err := r.dated(m.Created); err != nil {
		return nil, nil, err
	}
	if s, _ := r.deviceOf(w.path.Owner, m.Key.Name); !s.Named || s.Epoch != m.Key.Epoch {
		return nil, nil, fault.New("listfeed.wrong_device", "the owner's list of devices does not give this device the key of epoch %d", m.Key.Epoch)
	}
	key, err := r.u.o.Keys.ListKey(m.Key.String())
	if err != nil {
		return nil, nil, err
	}
	chunk, err := m.ChunkKey(key)
	return m, chunk, err
}

// generation fetches a generation into a fresh folder, checks it whole and
// puts it in force.
func (r *round) generation(ctx context.Context, w wanted) error {
	name := w.path.Name
	before := r.u.held.lists[name]
	var floor uint64
	if before != nil {
		floor = before.Version
	}
	m, key, err := r.manifest(ctx, w, floor)
	if err != nil {
		return err
	}
	defer key.Destroy()
	if before != nil && m.Version == before.Version {
		return fault.New("listfeed.conflict", "another generation %d is in force", m.Version)
	}
	if m.Key.Name != name {
		return fault.New("listfeed.key", "a list is sealed under the key of its own name")
	}
	next := listState{contentState: stateOf(w, m), Owner: w.path.Owner, Issued: m.Created}
	if err := r.pend(ctx, name, next); err != nil {
		return err
	}
	if err := r.adopt(ctx, w, m, key); err != nil {
		return err
	}
	l := r.list(name)
	old := *l
	*l = list{listState: next}
	for n := uint64(1); n <= old.Segment; n++ {
		r.changes[stateSegment+segmentState(name, old.Version, n)] = nil
	}
	r.changes[statePending+name] = nil
	r.changed(Change{Path: w.path, Version: m.Version, Dir: r.u.listDir(name), Expires: m.Expires})
	return nil
}

func stateOf(w wanted, m *target.Manifest) contentState {
	return contentState{Sum: w.sum, Version: m.Version, Created: m.Created, Expires: m.Expires, Key: m.Key}
}

// pend notes what is about to be put in force, so that a power cut between
// the renaming and the cursor costs no second download.
func (r *round) pend(ctx context.Context, name string, next listState) error {
	raw, err := json.Marshal(next)
	if err != nil {
		return fault.Wrap("listfeed.state", err)
	}
	if err := r.u.o.State.Commit(ctx, map[string][]byte{statePending + name: raw}); err != nil {
		return err
	}
	r.u.held.pending[name] = next
	return nil
}

// adopt brings the folder of a generation and hands it to the store. Where
// what was kept of an interrupted fetch proves to be damaged, it begins anew
// once.
func (r *round) adopt(ctx context.Context, w wanted, m *target.Manifest, key *vault.Key) error {
	name := w.path.Name
	d, err := store.OpenDir(ctx, r.u.listDir(name))
	if err != nil {
		return err
	}
	defer d.Close()
	listKey, err := r.u.o.Keys.ListKey(m.Key.String())
	if err != nil {
		return err
	}
	if now, err := d.Current(); err == nil && now == m.Version && r.u.held.pending[name].Sum == w.sum {
		if g, err := d.Open(name, listKey, 0); err == nil { // adopted before a power cut
			return g.Close()
		}
	}
	dir := filepath.Join(r.u.o.Dir, "incoming", w.sum.String())
	if err := r.onlyIncoming(w.sum.String()); err != nil {
		return err
	}
	if err := r.u.room(m, dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir), os.RemoveAll(dir+cutSuffix))
	}
	for again := false; ; again = true {
		if err := r.files(ctx, m, key, dir); err != nil {
			return err
		}
		_, err = d.Take(ctx, dir, name, listKey, 0)
		if err == nil {
			return nil
		}
		if again || !errors.Is(err, store.ErrDamaged) {
			return errors.Join(err, os.RemoveAll(dir))
		}
		if err := os.RemoveAll(dir); err != nil {
			return fault.Wrap("listfeed.write", err)
		}
	}
}

// onlyIncoming removes what was fetched for targets that are wanted no more.
func (r *round) onlyIncoming(keep string) error {
	entries, err := os.ReadDir(filepath.Join(r.u.o.Dir, "incoming"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap("listfeed.read", err)
	}
	for _, e := range entries {
		if e.Name() != keep && e.Name() != keep+cutSuffix {
			if err := os.RemoveAll(filepath.Join(r.u.o.Dir, "incoming", e.Name())); err != nil {
				return fault.Wrap("listfeed.write", err)
			}
		}
	}
	return nil
}

// after applies the segments of a fresh generation, commits both together,
// forgets keys of earlier epochs and counts up.
func (r *round) after(ctx context.Context, w wanted) error {
	name := w.path.Name
	var old string
	if before := r.u.held.lists[name]; before != nil && !before.Gone {
		old = before.Key.String()
	}
	for _, s := range r.of(is(target.KindSegment)) {
		if s.path.Name == name && s.path.Owner == w.path.Owner {
			if err := r.segments(ctx, s); err != nil {
				r.refuse(s.path, err)
			}
		}
	}
	if old == r.list(name).Key.String() {
		old = ""
	}
	if old != "" {
		r.changes[stateShred+old] = []byte("{}")
	}
	if err := r.countUp(ctx); err != nil || old == "" {
		return err
	}
	return r.u.shredKey(ctx, old)
}

// countUp commits, then raises the chip's counter to what was committed.
func (r *round) countUp(ctx context.Context) error {
	return r.u.counted(ctx, r.changes, func() error { return r.commit(ctx) })
}

// counted adds the next count to changes, has them committed, and raises the
// chip's counter to it.
func (u *Updater) counted(ctx context.Context, changes map[string][]byte, commit func() error) error {
	counter := u.o.Counter
	if counter == nil {
		return commit()
	}
	count := u.held.count + 1
	if err := put(changes, stateCounter, counterState{counter.Name(), count}); err != nil {
		return err
	}
	if err := commit(); err != nil {
		return err
	}
	u.held.count = count
	for {
		now, err := counter.Read(ctx)
		if err != nil || now >= count {
			return err
		}
		if err := counter.Raise(ctx); err != nil {
			return err
		}
	}
}

// OpenList opens the generation in force of a list; the caller closes it. What
// Overlay says goes before it.
func (u *Updater) OpenList(ctx context.Context, name string) (*store.Generation, error) {
	u.mu.RLock()
	l := u.held.lists[name]
	u.mu.RUnlock()
	if l == nil || l.Gone || l.Version == 0 {
		return nil, fault.New("listfeed.no_list", "the list is not held")
	}
	key, err := u.o.Keys.ListKey(l.Key.String())
	if err != nil {
		return nil, err
	}
	d, err := store.OpenDir(ctx, u.listDir(name))
	if err != nil {
		return nil, err
	}
	g, err := d.Open(name, key, l.Version)
	return g, errors.Join(err, d.Close())
}

// open is a chunk on its way into its file.
type open struct {
	i, n  int
	plain []byte
	err   error
}

// cutSuffix names what came of a chunk before a cut.
const cutSuffix = ".cut"

// files fetches the files of a target into dir, going on after the whole
// chunks that lie there. Opening runs beside fetching and writing.
func (r *round) files(ctx context.Context, m *target.Manifest, key *vault.Key, dir string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	w := &writer{dir: dir, m: m}
	defer w.abandon()
	ahead := runtime.GOMAXPROCS(0)
	queue := make(chan chan open, ahead)
	free := make(chan []byte, ahead+3)
	go func() {
		defer close(queue)
		for i := range m.Files {
			for n := w.has(i); n < len(m.Files[i].Chunks); n++ {
				var buf []byte
				select {
				case buf = <-free:
				default:
				}
				one := make(chan open, 1)
				select {
				case queue <- one:
				case <-ctx.Done():
					return
				}
				sealed, err := r.chunk(ctx, m.Files[i].Chunks[n], buf[:0], dir+cutSuffix)
				if err != nil {
					one <- open{err: err}
					return
				}
				go func() {
					plain, err := m.OpenChunk(sealed[:0], key, sealed, i, n)
					one <- open{i, n, plain, err}
				}()
			}
		}
	}()
	for one := range queue {
		c := <-one
		if c.err != nil {
			return c.err
		}
		if err := w.write(c.i, c.n, c.plain); err != nil {
			return err
		}
		select {
		case free <- c.plain:
		default:
		}
	}
	if err := ctx.Err(); err != nil {
		return fault.Wrap("listfeed.cancelled", err)
	}
	return w.finish()
}

// chunk fetches one chunk, going on after what a cut left in the file kept.
func (r *round) chunk(ctx context.Context, c target.Chunk, buf []byte, kept string) ([]byte, error) {
	if raw, err := os.ReadFile(kept); err == nil {
		_ = os.Remove(kept) // whatever it is, it is used once
		if at := len(c.Sum); len(raw) > at && int64(len(raw)-at) < c.Size && target.Sum(raw[:at]) == c.Sum {
			whole, err := fetchInto(ctx, r.c, target.ObjectName(c.Sum), c.Size, target.MaxSealed, append(buf, raw[at:]...))
			if err == nil && target.SumOf(whole) == c.Sum {
				return whole, nil
			}
			buf = buf[:0]
		}
	}
	got, err := fetchInto(ctx, r.c, target.ObjectName(c.Sum), c.Size, target.MaxSealed, buf)
	if err != nil && len(got) > 0 && (fault.CodeOf(err) == "listfeed.cut" || errors.Is(err, errWay)) {
		_ = os.WriteFile(kept, append(c.Sum[:], got...), 0o600) // else the chunk is fetched whole next time
	}
	return got, err
}
