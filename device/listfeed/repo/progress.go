package repo

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Progress is how far the signing of staged metadata has come.
type Progress struct {
	Role    string
	Version int64
	Signed  []string // ids of keys that have signed and may
	May     []string // ids of all keys that may
	Needed  int
}

// Progress judges the signatures of what is staged of a role.
func (r *Repo) Progress(role string) (Progress, error) {
	p := Progress{Role: role}
	raw, err := r.ReadStaged(role)
	if err != nil {
		return p, err
	}
	e, err := open(raw)
	if err != nil {
		return p, err
	}
	payload, err := e.payload()
	if err != nil {
		return p, err
	}
	keys, err := r.keysOf(role, raw, &p)
	if err != nil {
		return p, err
	}
	for _, s := range e.Signatures {
		k := keys[s.KeyID]
		if k == nil || !slices.Contains(p.May, s.KeyID) || slices.Contains(p.Signed, s.KeyID) {
			continue
		}
		public, err := hex.DecodeString(k.Value.PublicKey)
		if err == nil && len(public) == ed25519.PublicKeySize && ed25519.Verify(public, payload, s.Signature) {
			p.Signed = append(p.Signed, s.KeyID)
		}
	}
	return p, nil
}

// keysOf fills in who may sign the role, and returns the keys by id.
func (r *Repo) keysOf(role string, raw []byte, p *Progress) (map[string]*metadata.Key, error) {
	if role == metadata.ROOT {
		next, err := new(metadata.Metadata[metadata.RootType]).FromBytes(raw)
		if err != nil {
			return nil, fault.New("listfeed.metadata", "the staged root: %w", err)
		}
		p.Version = next.Signed.Version
		by := next // the first vouches for itself
		if old, _, err := r.root(); err != nil {
			return nil, err
		} else if old != nil {
			by = old
		}
		return by.Signed.Keys, p.by(by.Signed.Roles[metadata.ROOT])
	}
	m, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw)
	if err != nil {
		return nil, fault.New("listfeed.metadata", "the staged targets of %s: %w", role, err)
	}
	p.Version = m.Signed.Version
	if role == metadata.TARGETS {
		root, _, err := r.root()
		if err != nil || root == nil {
			return nil, errors.Join(err, fault.New("listfeed.root", "the repository has no root"))
		}
		return root.Signed.Keys, p.by(root.Signed.Roles[metadata.TARGETS])
	}
	_, raw, err = r.latest(metadata.TARGETS)
	if err != nil || raw == nil {
		return nil, errors.Join(err, fault.New("listfeed.no_target", "the repository delegates to nobody"))
	}
	top, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw)
	if err != nil || top.Signed.Delegations == nil {
		return nil, fault.New("listfeed.metadata", "the published delegations")
	}
	for i := range top.Signed.Delegations.Roles {
		if d := &top.Signed.Delegations.Roles[i]; d.Name == role {
			return top.Signed.Delegations.Keys, p.by(&metadata.Role{KeyIDs: d.KeyIDs, Threshold: d.Threshold})
		}
	}
	return nil, fault.New("listfeed.wrong_owner", "nothing is delegated to %s", role)
}

func (p *Progress) by(r *metadata.Role) error {
	if r == nil {
		return fault.New("listfeed.metadata", "nobody may sign this role")
	}
	p.May, p.Needed = r.KeyIDs, r.Threshold
	return nil
}

// Differences returns what the staged targets of an owner change against the
// published ones; nothing for other roles.
func (r *Repo) Differences(role string) (set, removed []target.Path, err error) {
	raw, err := r.ReadStaged(role)
	if err != nil || role == metadata.ROOT || role == metadata.TARGETS {
		return nil, nil, err
	}
	now, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw)
	if err != nil {
		return nil, nil, fault.New("listfeed.metadata", "the staged targets of %s: %w", role, err)
	}
	before := map[string]*metadata.TargetFiles{}
	if _, raw, err := r.latest(role); err != nil {
		return nil, nil, err
	} else if raw != nil {
		m, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw)
		if err != nil {
			return nil, nil, fault.New("listfeed.metadata", "the published targets of %s: %w", role, err)
		}
		before = m.Signed.Targets
	}
	for name, f := range now.Signed.Targets {
		if old := before[name]; old == nil || !old.Equal(*f) {
			if p, err := target.ParsePath(name); err == nil {
				set = append(set, p)
			}
		}
	}
	for name := range before {
		if now.Signed.Targets[name] == nil {
			if p, err := target.ParsePath(name); err == nil {
				removed = append(removed, p)
			}
		}
	}
	order := func(a, b target.Path) int { return strings.Compare(a.String(), b.String()) }
	slices.SortFunc(set, order)
	slices.SortFunc(removed, order)
	return set, removed, nil
}
