package listfeed

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

const (
	snapshotFile = metadata.SNAPSHOT + ".json"
	targetsFile  = metadata.TARGETS + ".json"
)

// role is targets metadata that was verified under the delegations in force.
type role struct {
	meta *metadata.Metadata[metadata.TargetsType]
	raw  []byte
}

// tuf is verified metadata. A refresh works on a copy, so that a failure
// leaves what was held. go-tuf's state machine judges each step; its updater,
// which keeps files, is not used: a zero-byte file ends it for good.
type tuf struct {
	root      *metadata.Metadata[metadata.RootType]
	timestamp *metadata.Metadata[metadata.TimestampType] // nil: none yet
	snapshot  *metadata.Metadata[metadata.SnapshotType]  // nil: none yet
	roles     map[string]role
	versions  map[string]int64 // the highest seen of each, whatever bytes are left

	timestampRaw []byte
	changes      map[string][]byte // for State; nil while loading
}

// held is all that an updater has in memory.
type held struct {
	tuf
	count    uint64 // of the counter
	devices  map[string]deviceState
	contents map[string]filesState
	lists    map[string]*list
	pending  map[string]listState
}

func (t *tuf) clone() tuf {
	c := *t
	c.roles, c.versions, c.changes = maps.Clone(t.roles), maps.Clone(t.versions), map[string][]byte{}
	return c
}

// trusted returns go-tuf's state from what is held.
func (t *tuf) trusted(now time.Time) *trustedmetadata.TrustedMetadata {
	return &trustedmetadata.TrustedMetadata{Root: t.root, Targets: map[string]*metadata.Metadata[metadata.TargetsType]{}, RefTime: now.UTC()}
}

// coded gives go-tuf's errors their codes. Its texts go no further than the
// chain: they quote names from metadata.
func coded(what string, err error) error {
	var own *fault.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	code := fault.Code("listfeed.metadata")
	for _, k := range []struct {
		is   error
		code fault.Code
	}{
		{&metadata.ErrExpiredMetadata{}, "listfeed.expired"},
		{&metadata.ErrUnsignedMetadata{}, "listfeed.signatures"},
		{&metadata.ErrLengthOrHashMismatch{}, "listfeed.mix"},
		{&metadata.ErrBadVersionNumber{}, "listfeed.rollback"},
	} {
		if errors.Is(err, k.is) {
			code = k.code
			break
		}
	}
	return fault.New(code, "%s: %w", what, err)
}

// seen refuses versions below the highest seen, and notes the new one.
func (t *tuf) seen(name string, version int64) error {
	if version < t.versions[name] {
		return fault.New("listfeed.rollback", "%s of version %d, seen was %d", name, version, t.versions[name])
	}
	t.versions[name] = version
	return nil
}

// keep notes bytes for State.
func (t *tuf) keep(name string, raw []byte) {
	if t.changes != nil {
		t.changes[name] = raw
	}
}

// updateRoot takes the next root. Where it changes who signs timestamp or
// snapshot, those are forgotten with their versions (specification 5.3.11):
// whoever had stolen a key may have counted them up.
func (t *tuf) updateRoot(raw []byte, now time.Time) error {
	next, err := read(raw, target.MaxMetadata, checkRoot)
	if err != nil {
		return err
	}
	if next.Signed.Version != t.root.Signed.Version+1 {
		return fault.New("listfeed.root_version", "root %d cannot follow root %d", next.Signed.Version, t.root.Signed.Version)
	}
	if _, err := t.trusted(now).UpdateRoot(raw); err != nil {
		return coded("root", err)
	}
	if rekeyed(t.root, next, metadata.TIMESTAMP) || rekeyed(t.root, next, metadata.SNAPSHOT) {
		t.timestamp, t.timestampRaw, t.snapshot = nil, nil, nil
		delete(t.versions, metadata.TIMESTAMP)
		delete(t.versions, metadata.SNAPSHOT)
		t.keep(stateTimestamp, nil)
		t.keep(stateSnapshot, nil)
	}
	t.root = next
	t.versions[metadata.ROOT] = next.Signed.Version
	t.keep(stateRoot, raw)
	return nil
}

func rekeyed(old, next *metadata.Metadata[metadata.RootType], name string) bool {
	a, b := old.Signed.Roles[name], next.Signed.Roles[name]
	if a.Threshold != b.Threshold || len(a.KeyIDs) != len(b.KeyIDs) {
		return true
	}
	had := map[string]bool{}
	for _, id := range a.KeyIDs {
		had[id] = true
	}
	for _, id := range b.KeyIDs {
		if !had[id] {
			return true
		}
	}
	return false
}

// updateTimestamp takes a timestamp; the one held given again is accepted
// while it lasts.
func (t *tuf) updateTimestamp(raw []byte, now time.Time) error {
	next, err := read(raw, target.MaxTimestamp, checkTimestamp)
	if err != nil {
		return err
	}
	m := t.trusted(now)
	m.Timestamp = t.timestamp
	if _, err := m.UpdateTimestamp(raw); errors.Is(err, &metadata.ErrEqualVersionNumber{}) {
		if t.timestamp.Signed.IsExpired(now) {
			return fault.New("listfeed.expired", "the timestamp that is held has run out and there is no newer one")
		}
		return nil
	} else if err != nil {
		return coded("timestamp", err)
	}
	if err := t.seen(metadata.TIMESTAMP, next.Signed.Version); err != nil {
		return err
	}
	t.timestamp, t.timestampRaw = next, raw
	t.keep(stateTimestamp, raw)
	return nil
}

// wantsSnapshot returns the snapshot that the timestamp names, and whether it
// is another than the one held.
func (t *tuf) wantsSnapshot() (*metadata.MetaFiles, bool) {
	want := t.timestamp.Signed.Meta[snapshotFile]
	return want, t.snapshot == nil || t.snapshot.Signed.Version != want.Version
}

func (t *tuf) updateSnapshot(raw []byte, now time.Time) error {
	want, _ := t.wantsSnapshot()
	if err := want.VerifyLengthHashes(raw); err != nil && t.changes != nil { // before anything is parsed
		return coded("snapshot", err)
	}
	next, err := read(raw, target.MaxMetadata, checkSnapshot)
	if err != nil {
		return err
	}
	m := t.trusted(now)
	m.Timestamp, m.Snapshot = t.timestamp, t.snapshot
	if _, err := m.UpdateSnapshot(raw, false); err != nil {
		return coded("snapshot", err)
	}
	for name, f := range next.Signed.Meta {
		if f.Version < t.versions[name] {
			return fault.New("listfeed.rollback", "the snapshot names version %d of %s, seen was %d", f.Version, name, t.versions[name])
		}
	}
	if err := t.seen(metadata.SNAPSHOT, next.Signed.Version); err != nil {
		return err
	}
	t.snapshot = next
	t.keep(stateSnapshot, raw)
	return nil
}

// fresh refuses a timestamp and snapshot that have run out although nothing
// newer came: with them nothing below is taken.
func (t *tuf) fresh(now time.Time) error {
	switch {
	case t.root.Signed.IsExpired(now):
		return fault.New("listfeed.expired", "the root has run out")
	case t.timestamp == nil || t.snapshot == nil:
		return fault.New("listfeed.metadata", "no timestamp or snapshot")
	case t.timestamp.Signed.IsExpired(now):
		return fault.New("listfeed.expired", "the timestamp has run out")
	case t.snapshot.Signed.IsExpired(now):
		return fault.New("listfeed.expired", "the snapshot has run out")
	}
	return nil
}

// updateRole takes targets metadata of a role: the top targets, or an owner's
// under them.
func (t *tuf) updateRole(name string, raw []byte, now time.Time) error {
	if want := t.snapshot.Signed.Meta[name+".json"]; want == nil {
		return fault.New("listfeed.mix", "the snapshot does not name %s", name)
	} else if err := want.VerifyLengthHashes(raw); err != nil { // before anything is parsed
		return coded(name, err)
	}
	check, delegator := checkTargets, metadata.TARGETS
	if name == metadata.TARGETS {
		check, delegator = checkDelegations, metadata.ROOT
	}
	next, err := read(raw, target.MaxMetadata, check)
	if err != nil {
		return err
	}
	m := t.trusted(now)
	m.Timestamp, m.Snapshot = t.timestamp, t.snapshot
	if delegator == metadata.TARGETS {
		m.Targets[metadata.TARGETS] = t.roles[metadata.TARGETS].meta
	}
	if _, err := m.UpdateDelegatedTargets(raw, name, delegator); err != nil {
		return coded(name, err)
	}
	if err := t.seen(name+".json", next.Signed.Version); err != nil {
		return err
	}
	t.roles[name] = role{next, raw}
	t.keep(stateRole+name, raw)
	return nil
}

// current reports whether the role held is the one that the snapshot names.
func (t *tuf) current(name string) bool {
	held, want := t.roles[name], t.snapshot.Signed.Meta[name+".json"]
	return held.meta != nil && want != nil && held.meta.Signed.Version == want.Version && want.VerifyLengthHashes(held.raw) == nil
}

// loadMetadata judges what was kept by the root that came with the
// installation or a newer one. Expiry is no matter here: old metadata still
// tell what must not be undercut. What does not verify is dropped.
func (h *held) loadMetadata(kept map[string][]byte, initial []byte, log *slog.Logger) error {
	h.roles = map[string]role{}
	var err error
	if h.root, err = readRoot(kept[stateRoot]); err != nil {
		if h.root, err = readRoot(initial); err != nil {
			return fault.New("listfeed.root", "neither the kept root nor the one of the installation can be used: %w", err)
		}
		if len(h.versions) > 0 {
			log.Warn("kept root dropped", "code", "listfeed.metadata")
		}
	}
	drop := func(what string, err error) {
		log.Warn("kept metadata dropped", "what", what, "code", string(fault.CodeOf(err)))
	}
	at := time.Unix(0, 0) // before any expiry
	if raw := kept[stateTimestamp]; raw != nil {
		if err := h.updateTimestamp(raw, at); err != nil {
			drop(metadata.TIMESTAMP, err)
		}
	}
	if raw := kept[stateSnapshot]; raw != nil && h.timestamp != nil {
		if err := h.updateSnapshot(raw, at); err != nil {
			drop(metadata.SNAPSHOT, err)
		}
	}
	if h.snapshot == nil {
		return nil
	}
	load := func(name string) {
		if raw := kept[stateRole+name]; raw != nil {
			if err := h.updateRole(name, raw, at); err != nil {
				drop(name, err)
			}
		}
	}
	load(metadata.TARGETS)
	if top := h.roles[metadata.TARGETS].meta; top != nil {
		for _, d := range top.Signed.Delegations.Roles {
			load(d.Name)
		}
	}
	return nil
}

// readRoot reads a root that vouches for itself.
func readRoot(raw []byte) (*metadata.Metadata[metadata.RootType], error) {
	r, err := read(raw, target.MaxMetadata, checkRoot)
	if err != nil {
		return nil, err
	}
	return r, coded("root", r.VerifyDelegate(metadata.ROOT, r))
}

// signatures returns those of metadata of any role.
func signatures(raw []byte) ([]metadata.Signature, error) {
	var m struct {
		Signatures []metadata.Signature `json:"signatures"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fault.New("listfeed.metadata", "not metadata")
	}
	return m.Signatures, nil
}
