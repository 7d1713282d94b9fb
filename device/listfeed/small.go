package listfeed

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// small takes what is urgent and short: lists of devices, segments,
// withdrawals; it commits them together with the metadata.
func (r *round) small(ctx context.Context) error {
	for _, w := range r.of(is(target.KindDevices)) {
		if err := r.devices(ctx, w); err != nil {
			r.refuse(w.path, err)
		}
	}
	r.choose()
	for _, w := range r.of(is(target.KindSegment)) {
		if l := r.u.held.lists[w.path.Name]; l != nil && !l.Gone && l.Owner == w.path.Owner {
			if err := r.segments(ctx, w); err != nil {
				r.refuse(w.path, err)
			}
		}
	}
	gone := r.withdraw()
	if err := r.withdrawFiles(&gone); err != nil {
		return err
	}
	// The chip counts what must not come back: lists that are gone, and roots
	// whose keys may have been stolen.
	commit := r.commit
	if gone.any() || r.root.Signed.Version != r.u.held.root.Signed.Version {
		commit = r.countUp
	}
	if err := commit(ctx); err != nil {
		return err
	}
	return r.shred(ctx, gone)
}

// devices reads an owner's list of devices and takes the key for this one.
func (r *round) devices(ctx context.Context, w wanted) error {
	before := r.u.held.devices[w.path.String()]
	if before.Sum == w.sum && !r.lost(w.path, before) {
		return nil
	}
	raw, err := r.object(ctx, w)
	if err != nil {
		return err
	}
	d, err := target.DecodeDevices(raw, w.path)
	if err != nil {
		return err
	}
	if d.Epoch < before.Epoch {
		return fault.New("listfeed.rollback", "epoch %d of the devices, seen was %d", d.Epoch, before.Epoch)
	}
	now := deviceState{Sum: w.sum, Epoch: d.Epoch}
	if wrapped := d.Of(r.u.us); wrapped != nil {
		key := target.KeyName{Name: w.path.Name, Epoch: d.Epoch}.String()
		if err := r.u.o.Keys.AcceptListKey(key, wrapped); err != nil {
			return fault.New("listfeed.key", "the key wrapped for this device does not open: %w", err)
		}
		r.changes[stateShred+key] = nil
		now.Named = true
	}
	r.named(w.path, now)
	return put(r.changes, stateDevices+w.path.String(), now)
}

// lost reports whether the key of a list of devices went with its list, which
// is published again.
func (r *round) lost(p target.Path, s deviceState) bool {
	if !s.Named || !slices.ContainsFunc(r.wanted, func(w wanted) bool {
		return w.path == target.Path{Owner: p.Owner, Kind: target.KindList, Name: p.Name}
	}) {
		return false
	}
	_, err := r.u.o.Keys.ListKey(target.KeyName{Name: p.Name, Epoch: s.Epoch}.String())
	return err != nil
}

func (r *round) named(p target.Path, s deviceState) {
	if r.devs == nil {
		r.devs = map[string]deviceState{}
	}
	r.devs[p.String()] = s
}

// deviceOf returns what the owner's list of devices for a key says.
func (r *round) deviceOf(owner, name string) (deviceState, bool) {
	p := target.Path{Owner: owner, Kind: target.KindDevices, Name: name}.String()
	if s, ok := r.devs[p]; ok {
		return s, true
	}
	s, ok := r.u.held.devices[p]
	return s, ok
}

// choose drops lists that are another owner's, or not for this device.
func (r *round) choose() {
	takenBy := map[string]string{}
	for name, l := range r.u.held.lists {
		if !l.Gone {
			takenBy[name] = l.Owner
		}
	}
	for _, w := range r.of(is(target.KindList)) {
		drop := func(err error) {
			r.refuse(w.path, err)
			r.wanted = slices.DeleteFunc(r.wanted, func(o wanted) bool {
				return o.path.Owner == w.path.Owner && o.path.Name == w.path.Name && (o.path.Kind == target.KindList || o.path.Kind == target.KindSegment)
			})
		}
		if owner, ok := takenBy[w.path.Name]; ok && owner != w.path.Owner {
			drop(fault.New("listfeed.list_taken", "another owner has a list of this name"))
			continue
		}
		if s, _ := r.deviceOf(w.path.Owner, w.path.Name); !s.Named {
			drop(fault.New("listfeed.wrong_device", "the owner's list of devices does not name this device"))
			continue
		}
		takenBy[w.path.Name] = w.path.Owner
	}
}

// segments applies those that are new of an index.
func (r *round) segments(ctx context.Context, w wanted) error {
	l := r.list(w.path.Name)
	if l.Index == w.sum {
		return nil
	}
	raw, err := r.object(ctx, w)
	if err != nil {
		return err
	}
	index, err := target.DecodeSegments(raw, w.path)
	if err != nil {
		return err
	}
	switch {
	case index.Generation > l.Version:
		return nil // its generation comes first
	case index.Generation < l.Version || uint64(len(index.Segments)) < l.Segment:
		return fault.New("listfeed.rollback", "the index of segments ends before what is in force")
	case index.Key != l.Key:
		return fault.New("listfeed.key", "the segments are sealed under another key than their generation")
	case l.Segment > 0 && index.Segments[l.Segment-1].Sum != l.Last:
		return fault.New("listfeed.segment_order", "the index names other segments than those in force")
	}
	return r.apply(ctx, w, l, index)
}

func (r *round) apply(ctx context.Context, w wanted, l *list, index *target.Segments) error {
	key, err := r.u.o.Keys.ListKey(l.Key.String())
	if err != nil {
		return err
	}
	next, changes, count := *l, map[string][]byte{}, 0
	for _, s := range index.Segments[l.Segment:] {
		raw, err := fetch(ctx, r.c, target.ObjectName(s.Sum), s.Size, target.MaxSealed)
		if err != nil {
			return err
		}
		if target.SumOf(raw) != s.Sum {
			return fault.New("listfeed.hash", "segment %d is not the one that was signed", next.Segment+1)
		}
		c, err := target.OpenChanges(raw, key, w.path.Name, l.Version, next.Segment+1, next.Last)
		if err != nil {
			return err
		}
		if err := r.dated(c.Created); err != nil {
			return err
		}
		next.Segment, next.Last, next.Issued = next.Segment+1, s.Sum, c.Created
		next.overlay = next.overlay.with(c)
		count += len(c.Changes)
		changes[stateSegment+segmentState(w.path.Name, l.Version, next.Segment)] = raw
	}
	next.Index = w.sum
	*l = next
	maps.Copy(r.changes, changes)
	if count > 0 {
		r.changed(Change{Path: w.path, Version: l.Version, Segment: l.Segment, Changes: count, Expires: l.Expires})
	}
	return nil
}

// dated holds a signed date to the timestamp's end, and tells the clock that
// it cannot be earlier. So no owner alone can send a post into the future.
func (r *round) dated(t time.Time) error {
	if t.After(r.timestamp.Signed.Expires) {
		return fault.New("listfeed.not_yet", "dated after the end of the timestamp that names it")
	}
	if r.u.o.Raise != nil {
		r.u.o.Raise(t)
	}
	return nil
}

// changed notes what comes into force with the next commit.
func (r *round) changed(c Change) {
	r.coming = append(r.coming, c)
	line := audit.Line{Time: r.u.o.Now(), Actor: "post", Action: audit.Provisioned, Object: c.Path.String()}
	switch {
	case c.Withdrawn && c.Path.Kind == target.KindList:
		line.Action, line.Object = audit.ListWithdrawn, c.Path.Name
	case c.Withdrawn:
		line.Facts = map[string]string{"withdrawn": strconv.FormatUint(c.Version, 10)}
	case c.Path.Kind == target.KindList || c.Path.Kind == target.KindSegment:
		line.Action, line.Object = audit.ListChanged, c.Path.Name
		line.Facts = map[string]string{"generation": strconv.FormatUint(c.Version, 10)}
		if c.Segment > 0 {
			line.Facts["segment"] = strconv.FormatUint(c.Segment, 10)
		}
	default:
		line.Facts = map[string]string{"version": strconv.FormatUint(c.Version, 10)}
	}
	r.lines = append(r.lines, line)
}

// gone is what withdraw leaves to be destroyed after the commit.
type gone struct{ lists, keys, folders []string }

func (g gone) any() bool { return len(g.lists)+len(g.folders) > 0 }

// withdraw takes lists out of force that their owner does not publish any
// more, whose owner is delegated to no more, or that are not for this device
// any more. An owner whose metadata failed withdraws nothing.
func (r *round) withdraw() (g gone) {
	published := map[string]string{}
	for _, w := range r.of(is(target.KindList)) {
		published[w.path.Name] = w.path.Owner
	}
	for name, held := range r.u.held.lists {
		if held.Gone || published[name] == held.Owner || r.failed(held.Owner) {
			continue
		}
		l := r.list(name)
		l.Gone, l.overlay = true, nil
		g.lists = append(g.lists, name)
		g.keys = append(g.keys, l.Key.String())
		r.changes[stateShred+l.Key.String()] = []byte("{}")
		for n := uint64(1); n <= l.Segment; n++ {
			r.changes[stateSegment+segmentState(name, l.Version, n)] = nil
		}
		r.changed(Change{Path: target.Path{Owner: l.Owner, Kind: target.KindList, Name: name}, Version: l.Version, Withdrawn: true})
	}
	return g
}

// failed reports whether an owner is delegated to but his metadata were
// refused in this round.
func (r *round) failed(owner string) bool {
	top := r.tuf.roles[metadata.TARGETS].meta.Signed.Delegations.Roles
	if !slices.ContainsFunc(top, func(d metadata.DelegatedRole) bool { return d.Name == owner }) {
		return false
	}
	return slices.ContainsFunc(r.result.Refused, func(f Refusal) bool { return f.Path == target.Path{Owner: owner} }) ||
		r.tuf.roles[owner].meta == nil
}

// shred destroys keys first: without them the folders are noise.
func (r *round) shred(ctx context.Context, g gone) error {
	var errs []error
	for _, k := range g.keys {
		errs = append(errs, r.u.shredKey(ctx, k))
	}
	for _, name := range g.lists {
		errs = append(errs, fault.Wrap("listfeed.write", os.RemoveAll(r.u.listDir(name))))
	}
	for _, dir := range g.folders {
		errs = append(errs, fault.Wrap("listfeed.write", os.RemoveAll(dir)))
	}
	return errors.Join(errs...)
}

// shredKey destroys a key whose end was committed, and notes that it is gone.
func (u *Updater) shredKey(ctx context.Context, name string) error {
	if err := u.o.Keys.ShredListKey(name); err != nil {
		return err
	}
	return u.o.State.Commit(ctx, map[string][]byte{stateShred + name: nil})
}

// shredLeft makes good what a power cut left undone between the commit of an
// end and the destruction that it stands for.
func (u *Updater) shredLeft(ctx context.Context, keys []string, lists map[string]*list) error {
	for _, k := range keys {
		if err := u.shredKey(ctx, k); err != nil {
			return err
		}
	}
	for name, l := range lists {
		if l.Gone {
			if err := os.RemoveAll(u.listDir(name)); err != nil {
				return fault.Wrap("listfeed.write", err)
			}
		}
	}
	return nil
}

func (u *Updater) listDir(name string) string { return filepath.Join(u.o.Dir, "lists", name) }

// commit writes what changed in one transaction, then shows it.
func (r *round) commit(ctx context.Context) error {
	u := r.u
	for name, l := range r.lists {
		if before := u.held.lists[name]; before == nil || before.listState != l.listState {
			if err := put(r.changes, stateList+name, l.listState); err != nil {
				return err
			}
		}
	}
	if !maps.Equal(r.versions, u.held.versions) {
		if err := put(r.changes, stateVersions, r.versions); err != nil {
			return err
		}
	}
	if len(r.changes) > 0 {
		if err := u.o.State.Commit(ctx, r.changes, r.lines...); err != nil {
			return err
		}
	}
	r.changes, r.lines = map[string][]byte{}, nil
	u.mu.Lock()
	u.held.tuf = r.tuf.clone()
	u.held.changes = nil
	for name, l := range r.lists {
		shown := *l
		u.held.lists[name] = &shown
	}
	maps.Copy(u.held.devices, r.devs)
	maps.Copy(u.held.contents, r.contents)
	u.held.judgeLists(r.trying)
	u.mu.Unlock()
	coming := r.coming
	r.coming = nil
	for _, c := range coming {
		r.result.Changed = append(r.result.Changed, c)
		u.log.Info("target in force", "kind", string(c.Path.Kind), "name", c.Path.Name, "version", c.Version, "segment", c.Segment, "withdrawn", c.Withdrawn)
		if u.o.Changed != nil {
			u.o.Changed(c)
		}
	}
	return nil
}
