package listfeed

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// refresh is Apply and Refresh.
func (u *Updater) refresh(ctx context.Context, c Carrier, bundle, urgent bool) (Result, error) {
	way, leave, err := u.take(ctx, urgent)
	if err != nil {
		return Result{}, err
	}
	defer leave()
	if !bundle {
		c = yielding{c, way}
	}

	r := &round{u: u, c: c, bundle: bundle, trying: !bundle, tuf: u.held.clone(), lists: map[string]*list{}}
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.held.judgeLists(false)
	}()
	if err := r.roots(ctx); err != nil {
		return Result{}, errors.Join(err, r.keepRoots(ctx))
	}
	if err := r.metadata(ctx); err != nil {
		return Result{}, errors.Join(err, r.keepRoots(ctx))
	}
	if err := r.small(ctx); err != nil {
		return r.result, err
	}
	if err := r.large(ctx); err != nil {
		return r.result, err
	}
	return r.result, nil
}

// round is one refresh.
type round struct {
	u      *Updater
	c      Carrier
	bundle bool
	trying bool // generations that are named are still to be fetched
	whole  bool // what is for other posts is wanted as well
	tuf
	wanted   []wanted
	lists    map[string]*list       // changed in this round
	devs     map[string]deviceState // read in this round
	contents map[string]filesState  // taken in this round
	coming   []Change               // with the next commit
	lines    []audit.Line           // with the next commit
	result   Result
}

// wanted is a target that signed metadata name.
type wanted struct {
	path target.Path
	sum  target.Sum
	size int64
}

func (r *round) refuse(p target.Path, err error) {
	r.result.Refused = append(r.result.Refused, Refusal{p, err})
	if !errors.Is(err, ErrWrongDevice) {
		r.u.log.Warn("target refused", "owner", p.Owner, "kind", string(p.Kind), "name", p.Name, "code", string(fault.CodeOf(err)))
	}
}

// roots takes new roots one after the other.
func (r *round) roots(ctx context.Context) error {
	for range target.MaxRoots {
		raw, err := fetch(ctx, r.c, target.RoleName(metadata.ROOT, r.root.Signed.Version+1), -1, target.MaxMetadata)
		if errors.Is(err, ErrAbsent) {
			break
		}
		if err != nil {
			return err
		}
		if err := r.updateRoot(raw, r.u.o.Now()); err != nil {
			return err
		}
	}
	if r.root.Signed.Version < r.versions[metadata.ROOT] {
		return fault.New("listfeed.rollback", "root of version %d, seen was %d", r.root.Signed.Version, r.versions[metadata.ROOT])
	}
	return nil
}

// keepRoots commits new roots although what follows them failed: a root that
// replaces stolen keys counts from the moment it was verified.
func (r *round) keepRoots(ctx context.Context) error {
	u := r.u
	if r.root.Signed.Version == u.held.root.Signed.Version {
		return nil
	}
	keep := u.held.clone()
	keep.root = r.root
	keep.versions[metadata.ROOT] = r.root.Signed.Version
	if rekeyed(u.held.root, r.root, metadata.TIMESTAMP) || rekeyed(u.held.root, r.root, metadata.SNAPSHOT) {
		keep.timestamp, keep.timestampRaw, keep.snapshot = nil, nil, nil
		delete(keep.versions, metadata.TIMESTAMP)
		delete(keep.versions, metadata.SNAPSHOT)
		keep.changes[stateTimestamp], keep.changes[stateSnapshot] = nil, nil
	}
	// Delegations that the new root's people have not signed are nobody's word,
	// nor is what was signed under them; a later round would not judge them again.
	if top := keep.roles[metadata.TARGETS].meta; top != nil && keep.root.VerifyDelegate(metadata.TARGETS, top) != nil {
		for name := range keep.roles {
			keep.changes[stateRole+name] = nil
		}
		keep.roles = map[string]role{}
	}
	keep.changes[stateRoot] = r.changes[stateRoot]
	if err := put(keep.changes, stateVersions, keep.versions); err != nil {
		return err
	}
	return u.counted(ctx, keep.changes, func() error {
		if err := u.o.State.Commit(ctx, keep.changes); err != nil {
			return err
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		keep.changes = nil
		u.held.tuf = keep
		return nil
	})
}

// metadata takes timestamp, snapshot, the delegations and the owners' targets.
func (r *round) metadata(ctx context.Context) error {
	now := r.u.o.Now()
	raw, err := fetch(ctx, r.c, target.TimestampName, -1, target.MaxTimestamp)
	if err != nil {
		return err
	}
	if err := r.updateTimestamp(raw, now); err != nil {
		return err
	}
	if want, other := r.wantsSnapshot(); other {
		raw, err := fetch(ctx, r.c, target.RoleName(metadata.SNAPSHOT, want.Version), -1, want.Length)
		if err != nil {
			return err
		}
		if err := r.updateSnapshot(raw, now); err != nil {
			return err
		}
	}
	if err := r.fresh(now); err != nil {
		return err
	}
	rejudge := r.root.Signed.Version != r.u.held.root.Signed.Version
	if changed, err := r.role(ctx, metadata.TARGETS, rejudge); err != nil {
		return err
	} else if changed {
		rejudge = true
	}
	top := r.tuf.roles[metadata.TARGETS].meta.Signed.Delegations.Roles
	for name := range r.tuf.roles { // owners that are delegated to no more
		if name != metadata.TARGETS && !slices.ContainsFunc(top, func(d metadata.DelegatedRole) bool { return d.Name == name }) {
			delete(r.tuf.roles, name)
			r.keep(stateRole+name, nil)
		}
	}
	for i := range top {
		d := &top[i]
		if r.snapshot.Signed.Meta[d.Name+".json"] == nil {
			if r.versions[d.Name+".json"] > 0 { // else has published nothing yet
				r.refuse(target.Path{Owner: d.Name}, fault.New("listfeed.rollback", "the snapshot leaves out %s, seen was version %d", d.Name, r.versions[d.Name+".json"]))
			}
			continue
		}
		if _, err := r.role(ctx, d.Name, rejudge); err != nil {
			r.refuse(target.Path{Owner: d.Name}, err)
			if rejudge { // what is held may be by somebody who has been struck off
				if err := r.updateRole(d.Name, r.tuf.roles[d.Name].raw, now); err != nil && errors.Is(err, ErrSignatures) {
					delete(r.tuf.roles, d.Name)
					r.keep(stateRole+d.Name, nil)
				}
			}
			continue
		}
		r.want(d)
	}
	return nil
}

// role brings targets metadata up to the snapshot, and reports whether it is
// another than before. What is held is judged again where rejudge says that
// those who may sign could be others.
func (r *round) role(ctx context.Context, name string, rejudge bool) (changed bool, err error) {
	now := r.u.o.Now()
	if r.current(name) {
		if held := r.tuf.roles[name]; rejudge {
			return false, r.updateRole(name, held.raw, now)
		} else if held.meta.Signed.IsExpired(now) {
			return false, fault.New("listfeed.expired", "%s has run out and there is no newer one", name)
		}
		return false, nil
	}
	want := r.snapshot.Signed.Meta[name+".json"]
	raw, err := fetch(ctx, r.c, target.RoleName(name, want.Version), -1, want.Length)
	if err != nil {
		return false, err
	}
	return true, r.updateRole(name, raw, now)
}

// want notes the targets of an owner. One that his delegation does not cover
// is refused, as is one of a kind that this program does not know.
func (r *round) want(d *metadata.DelegatedRole) {
	for name, f := range r.tuf.roles[d.Name].meta.Signed.Targets {
		p, err := target.ParsePath(name)
		if err != nil {
			r.refuse(target.Path{Owner: d.Name}, err)
			continue
		}
		if ok, err := d.IsDelegatedPath(name); err != nil || !ok {
			r.refuse(p, fault.New("listfeed.wrong_owner", "%s may not sign this target", d.Name))
			continue
		}
		if !p.Kind.Known() {
			r.refuse(p, fault.New("listfeed.kind", "this program does not know targets of kind %q", p.Kind))
			continue
		}
		if p.Kind.Single() && p.Name != r.u.o.Site && p.Name != allSites && !r.whole {
			continue // for another post
		}
		w := wanted{path: p, size: f.Length}
		copy(w.sum[:], f.Hashes["sha256"][:sha256.Size])
		r.wanted = append(r.wanted, w)
	}
}

// allSites is the NAME of what is for every post.
const allSites = "all"

// list returns the list of this round, beginning from the one in force.
func (r *round) list(name string) *list {
	l := r.lists[name]
	if l == nil {
		l = &list{}
		if held := r.u.held.lists[name]; held != nil {
			*l = *held
		}
		r.lists[name] = l
	}
	return l
}

// object fetches a manifest and holds it to its hash.
func (r *round) object(ctx context.Context, w wanted) ([]byte, error) {
	raw, err := fetch(ctx, r.c, target.ObjectName(w.sum), w.size, target.MaxManifest)
	if err != nil {
		return nil, err
	}
	if target.SumOf(raw) != w.sum {
		return nil, fault.New("listfeed.hash", "the object is not the one that was signed")
	}
	return raw, nil
}

// of yields what is wanted of a kind, in order of the paths.
func (r *round) of(kind func(target.Kind) bool) []wanted {
	var out []wanted
	for _, w := range r.wanted {
		if kind(w.path.Kind) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b wanted) int { return strings.Compare(a.path.String(), b.path.String()) })
	return out
}

func is(k target.Kind) func(target.Kind) bool {
	return func(o target.Kind) bool { return o == k }
}

// sortLists orders a status.
func sortLists(l []ListStatus) {
	slices.SortFunc(l, func(a, b ListStatus) int { return strings.Compare(a.List, b.List) })
}
