package repo

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Publish puts in place what is staged and has its signatures, and makes a new
// snapshot and timestamp; with nothing staged it renews the timestamp. What
// lacks signatures stays staged. It returns the roles that were published and
// fails with listfeed.signatures where what is staged of a role in must has
// too few.
func (r *Repo) Publish(now time.Time, on Online, snapshotLife, timestampLife time.Duration, must ...string) (published []string, err error) {
	staged, err := r.Staged()
	if err != nil {
		return nil, err
	}
	// The root before the delegations before the owners: each judges the next.
	order := func(role string) int {
		switch role {
		case metadata.ROOT:
			return 0
		case metadata.TARGETS:
			return 1
		}
		return 2
	}
	slices.SortFunc(staged, func(a, b string) int {
		if d := order(a) - order(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for _, role := range staged {
		err := r.install(role)
		if errors.Is(err, &fault.Error{Code: "listfeed.signatures"}) && !slices.Contains(must, role) {
			continue
		}
		if err != nil {
			return published, err
		}
		published = append(published, role)
	}
	if v, _, err := r.latest(metadata.TARGETS); err != nil || v == 0 {
		return published, err // a root alone: nothing to vouch for yet
	}
	if len(published) > 0 || r.lacksSnapshot() {
		if err := r.snapshot(now.Add(snapshotLife), on); err != nil {
			return published, err
		}
	} else if old, raw, err := r.latest(metadata.SNAPSHOT); err != nil {
		return published, err
	} else if s, err := new(metadata.Metadata[metadata.SnapshotType]).FromBytes(raw); err != nil || old == 0 || s.Signed.Expires.Before(now.Add(timestampLife)) {
		if err := r.snapshot(now.Add(snapshotLife), on); err != nil {
			return published, err
		}
	}
	return published, r.timestamp(now.Add(timestampLife), on)
}

func (r *Repo) lacksSnapshot() bool {
	v, _, err := r.latest(metadata.SNAPSHOT)
	return err == nil && v == 0
}

// install judges staged metadata as a post would, and puts them in place.
func (r *Repo) install(role string) error {
	raw, err := r.ReadStaged(role)
	if err != nil {
		return err
	}
	version, err := r.judge(role, raw)
	if err != nil {
		return err
	}
	if err := write(r.path(target.RoleName(role, version)), raw); err != nil {
		return err
	}
	return fault.Wrap("listfeed.write", os.Remove(r.StagedName(role)))
}

func (r *Repo) judge(role string, raw []byte) (version int64, err error) {
	tooFew := func(err error) error {
		if err == nil {
			return nil
		}
		return fault.New("listfeed.signatures", "%s: %w", role, err)
	}
	if role == metadata.ROOT {
		next, err := new(metadata.Metadata[metadata.RootType]).FromBytes(raw)
		if err != nil {
			return 0, fault.New("listfeed.metadata", "the staged root: %w", err)
		}
		if old, _, err := r.root(); err != nil {
			return 0, err
		} else if old != nil {
			if next.Signed.Version != old.Signed.Version+1 {
				return 0, fault.New("listfeed.root_version", "root %d cannot follow root %d", next.Signed.Version, old.Signed.Version)
			}
			if err := old.VerifyDelegate(metadata.ROOT, next); err != nil {
				return 0, tooFew(err)
			}
		}
		return next.Signed.Version, tooFew(next.VerifyDelegate(metadata.ROOT, next))
	}
	next, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw)
	if err != nil {
		return 0, fault.New("listfeed.metadata", "the staged targets of %s: %w", role, err)
	}
	if old, _, err := r.latest(role); err != nil {
		return 0, err
	} else if next.Signed.Version <= old {
		return 0, fault.New("listfeed.rollback", "%s of version %d, published is %d", role, next.Signed.Version, old)
	}
	if role == metadata.TARGETS {
		root, _, err := r.root()
		if err != nil || root == nil {
			return 0, errors.Join(err, fault.New("listfeed.root", "the repository has no root"))
		}
		return next.Signed.Version, tooFew(root.VerifyDelegate(role, next))
	}
	_, raw, err = r.latest(metadata.TARGETS)
	if err != nil || raw == nil {
		return 0, errors.Join(err, fault.New("listfeed.no_target", "the repository delegates to nobody"))
	}
	top, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw)
	if err != nil {
		return 0, fault.New("listfeed.metadata", "the published delegations: %w", err)
	}
	return next.Signed.Version, tooFew(top.VerifyDelegate(role, next))
}

func (r *Repo) root() (*metadata.Metadata[metadata.RootType], []byte, error) {
	_, raw, err := r.latest(metadata.ROOT)
	if err != nil || raw == nil {
		return nil, nil, err
	}
	m, err := new(metadata.Metadata[metadata.RootType]).FromBytes(raw)
	if err != nil {
		return nil, nil, fault.New("listfeed.metadata", "the published root: %w", err)
	}
	return m, raw, nil
}

// RootBytes returns the newest published root.
func (r *Repo) RootBytes() ([]byte, error) {
	_, raw, err := r.root()
	if err == nil && raw == nil {
		err = fault.New("listfeed.root", "the repository has no root")
	}
	return raw, err
}

func metaFile(version int64, raw []byte) *metadata.MetaFiles {
	sum := target.SumOf(raw)
	return &metadata.MetaFiles{Version: version, Length: int64(len(raw)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

// snapshot names the newest of each role that was published.
func (r *Repo) snapshot(expires time.Time, on Online) error {
	old, _, err := r.latest(metadata.SNAPSHOT)
	if err != nil {
		return err
	}
	m := metadata.Snapshot(expires.UTC().Truncate(time.Second))
	m.Signed.Version = old + 1
	files, err := filepath.Glob(r.path("metadata/*.json"))
	if err != nil {
		return fault.Wrap("listfeed.read", err)
	}
	for _, f := range files {
		parts := strings.SplitN(strings.TrimSuffix(filepath.Base(f), ".json"), ".", 2)
		if len(parts) != 2 || parts[1] == metadata.ROOT || parts[1] == metadata.SNAPSHOT {
			continue
		}
		version, raw, err := r.latest(parts[1])
		if err != nil {
			return err
		}
		m.Signed.Meta[parts[1]+".json"] = metaFile(version, raw)
	}
	raw, err := encode(m)
	if err != nil {
		return err
	}
	if raw, err = Sign(raw, on.Snapshot); err != nil {
		return err
	}
	return write(r.path(target.RoleName(metadata.SNAPSHOT, old+1)), raw)
}

func (r *Repo) timestamp(expires time.Time, on Online) error {
	old, _, err := r.latest(metadata.TIMESTAMP)
	if err != nil {
		return err
	}
	version, snapshot, err := r.latest(metadata.SNAPSHOT)
	if err != nil {
		return err
	}
	m := metadata.Timestamp(expires.UTC().Truncate(time.Second))
	m.Signed.Version = old + 1
	m.Signed.Meta[metadata.SNAPSHOT+".json"] = metaFile(version, snapshot)
	raw, err := encode(m)
	if err != nil {
		return err
	}
	if raw, err = Sign(raw, on.Timestamp); err != nil {
		return err
	}
	return write(r.path(target.TimestampName), raw)
}

// lastSegments is how many segments before the new ones go into a bundle, for
// posts that missed the bundles before it.
const lastSegments = 4

// Bundle returns what is published with what is new in an owner's latest
// version: lists of devices, indexes and segments; generations and other
// targets of files are fetched. With the delegations, where they are as new.
func (r *Repo) Bundle(owner string) (*target.Bundle, error) {
	b := &target.Bundle{Roles: map[string][]byte{}}
	var err error
	if _, b.Timestamp, err = r.latest(metadata.TIMESTAMP); err != nil {
		return nil, err
	}
	if _, b.Snapshot, err = r.latest(metadata.SNAPSHOT); err != nil {
		return nil, err
	}
	if _, b.Roles[metadata.TARGETS], err = r.latest(metadata.TARGETS); err != nil {
		return nil, err
	}
	version, raw, err := r.latest(owner)
	if err != nil {
		return nil, err
	}
	if b.Timestamp == nil || b.Snapshot == nil || raw == nil {
		return nil, fault.New("listfeed.not_published", "%s has published nothing", owner)
	}
	b.Roles[owner] = raw
	if root, raw, err := r.root(); err != nil {
		return nil, err
	} else if root != nil && root.Signed.Version > 1 {
		b.Roots = append(b.Roots, raw)
	}
	now, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw)
	if err != nil {
		return nil, fault.New("listfeed.metadata", "the targets of %s: %w", owner, err)
	}
	before := map[string]*metadata.TargetFiles{}
	if raw, err := os.ReadFile(r.path(target.RoleName(owner, version-1))); err == nil {
		if m, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw); err == nil {
			before = m.Signed.Targets
		}
	}
	for name, f := range now.Signed.Targets {
		p, err := target.ParsePath(name)
		if err != nil || p.Kind != target.KindDevices && p.Kind != target.KindSegment {
			continue
		}
		if old := before[name]; old != nil && old.Equal(*f) {
			continue
		}
		if err := r.addTo(b, p, f); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (r *Repo) addTo(b *target.Bundle, p target.Path, f *metadata.TargetFiles) error {
	var sum target.Sum
	copy(sum[:], f.Hashes["sha256"])
	raw, err := r.Object(sum)
	if err != nil {
		return err
	}
	b.Objects = append(b.Objects, raw)
	if p.Kind != target.KindSegment {
		return nil
	}
	s, err := target.DecodeSegments(raw, p)
	if err != nil {
		return err
	}
	for _, g := range s.Segments[max(0, len(s.Segments)-1-lastSegments):] {
		if raw, err = r.Object(g.Sum); err != nil {
			return err
		}
		if !slices.ContainsFunc(b.Objects, func(o []byte) bool { return bytes.Equal(o, raw) }) {
			b.Objects = append(b.Objects, raw)
		}
	}
	return nil
}
