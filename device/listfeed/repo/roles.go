package repo

import (
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
)

// NextRoot returns the spec of the root that follows the published one, with
// its keys and thresholds and no expiry; of the first root, with nothing in
// it, where none is published.
func (r *Repo) NextRoot() (RootSpec, error) {
	now, _, err := r.root()
	if err != nil {
		return RootSpec{}, err
	}
	if now == nil {
		return RootSpec{Version: 1}, nil
	}
	s := RootSpec{Version: now.Signed.Version + 1}
	for role, into := range map[string]*[]ed25519.PublicKey{metadata.ROOT: &s.Root, metadata.TARGETS: &s.Targets} {
		if *into, err = keysOfRole(now.Signed.Keys, now.Signed.Roles[role].KeyIDs); err != nil {
			return s, err
		}
	}
	s.RootThreshold, s.TargetsThreshold = now.Signed.Roles[metadata.ROOT].Threshold, now.Signed.Roles[metadata.TARGETS].Threshold
	for role, into := range map[string]*ed25519.PublicKey{metadata.SNAPSHOT: &s.Snapshot, metadata.TIMESTAMP: &s.Timestamp} {
		one, err := keysOfRole(now.Signed.Keys, now.Signed.Roles[role].KeyIDs)
		if err != nil || len(one) == 0 {
			return s, fault.New("listfeed.metadata", "the published root names nobody for %s: %w", role, err)
		}
		*into = one[0]
	}
	return s, nil
}

func keysOfRole(keys map[string]*metadata.Key, ids []string) ([]ed25519.PublicKey, error) {
	var out []ed25519.PublicKey
	for _, id := range ids {
		k := keys[id]
		if k == nil {
			return nil, fault.New("listfeed.metadata", "a key is named and not there")
		}
		public, err := hex.DecodeString(k.Value.PublicKey)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return nil, fault.New("listfeed.metadata", "a key is not of Ed25519")
		}
		out = append(out, public)
	}
	return out, nil
}

// Owners returns the delegations, staged ones before published ones.
func (r *Repo) Owners() ([]Owner, error) {
	m, _, err := r.targetsOf(metadata.TARGETS)
	if err != nil || m == nil || m.Signed.Delegations == nil {
		return nil, err
	}
	var out []Owner
	for _, d := range m.Signed.Delegations.Roles {
		keys, err := keysOfRole(m.Signed.Delegations.Keys, d.KeyIDs)
		if err != nil {
			return nil, err
		}
		out = append(out, Owner{Name: d.Name, Keys: keys, Threshold: d.Threshold, Paths: d.Paths})
	}
	return out, nil
}

// StageOwner stages delegations with this owner in the place of the one of his
// name, or beside the others.
func (r *Repo) StageOwner(o Owner, expires time.Time) error {
	all, err := r.Owners()
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(all, func(one Owner) bool { return one.Name == o.Name }); i >= 0 {
		all[i] = o
	} else {
		all = append(all, o)
	}
	return r.stageOwners(all, expires)
}

// StageWithout stages delegations without an owner: posts withdraw what he
// published, with its keys. It fails with listfeed.no_owner.
func (r *Repo) StageWithout(name string, expires time.Time) error {
	all, err := r.Owners()
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(all), func(one Owner) bool { return one.Name == name })
	if len(left) == len(all) {
		return fault.New("listfeed.no_owner", "nothing is delegated to %s", name)
	}
	return r.stageOwners(left, expires)
}

func (r *Repo) stageOwners(all []Owner, expires time.Time) error {
	published, _, err := r.latest(metadata.TARGETS)
	if err != nil {
		return err
	}
	raw, err := Delegations(published+1, expires, all...)
	if err != nil {
		return err
	}
	return r.StageRaw(metadata.TARGETS, raw)
}
