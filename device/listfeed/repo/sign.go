// Package repo writes what a feed carries: it seals targets, stages metadata
// for their signers, takes signatures made elsewhere, and publishes a folder
// that any carrier can bring. It holds no approver's key; the keys of snapshot
// and timestamp are the publisher's, and prove freshness only.
package repo

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// RootSpec is who may sign the top of a repository.
type RootSpec struct {
	Version          int64
	Expires          time.Time
	Root             []ed25519.PublicKey // offline; RootThreshold of them sign the next root
	RootThreshold    int                 // at least 2
	Targets          []ed25519.PublicKey // sign the delegations
	TargetsThreshold int                 // at least 2
	Snapshot         ed25519.PublicKey   // online
	Timestamp        ed25519.PublicKey   // online
}

// Root returns unsigned root metadata.
func Root(s RootSpec) ([]byte, error) {
	m := metadata.Root(s.Expires.UTC().Truncate(time.Second))
	m.Signed.Version = s.Version
	add := func(role string, threshold int, keys ...ed25519.PublicKey) error {
		m.Signed.Roles[role].Threshold = threshold
		for _, k := range keys {
			key, err := metadata.KeyFromPublicKey(k)
			if err == nil {
				err = m.Signed.AddKey(key, role)
			}
			if err != nil {
				return fault.New("listfeed.publish", "a key of %s: %w", role, err)
			}
		}
		return nil
	}
	if err := add(metadata.ROOT, s.RootThreshold, s.Root...); err != nil {
		return nil, err
	}
	if err := add(metadata.TARGETS, s.TargetsThreshold, s.Targets...); err != nil {
		return nil, err
	}
	if err := add(metadata.SNAPSHOT, 1, s.Snapshot); err != nil {
		return nil, err
	}
	if err := add(metadata.TIMESTAMP, 1, s.Timestamp); err != nil {
		return nil, err
	}
	return encode(m)
}

// Owner is a delegation.
type Owner struct {
	Name      string
	Keys      []ed25519.PublicKey
	Threshold int      // at least 2
	Paths     []string // NAME/KIND/* or NAME/KIND/NAME
}

// Delegations returns unsigned top targets, which say who may sign what.
func Delegations(version int64, expires time.Time, owners ...Owner) ([]byte, error) {
	m := metadata.Targets(expires.UTC().Truncate(time.Second))
	m.Signed.Version = version
	m.Signed.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{}, Roles: []metadata.DelegatedRole{}}
	for _, o := range owners {
		r := metadata.DelegatedRole{Name: o.Name, Threshold: o.Threshold, Terminating: true, Paths: o.Paths, KeyIDs: []string{}}
		for _, k := range o.Keys {
			key, err := metadata.KeyFromPublicKey(k)
			if err != nil {
				return nil, fault.New("listfeed.publish", "a key of %s: %w", o.Name, err)
			}
			id, err := key.ID()
			if err != nil {
				return nil, fault.New("listfeed.publish", "a key of %s: %w", o.Name, err)
			}
			m.Signed.Delegations.Keys[id] = key
			r.KeyIDs = append(r.KeyIDs, id)
		}
		m.Signed.Delegations.Roles = append(m.Signed.Delegations.Roles, r)
	}
	return encode(m)
}

func encode[T metadata.Roles](m *metadata.Metadata[T]) ([]byte, error) {
	raw, err := m.ToBytes(false)
	return raw, fault.Wrap("listfeed.publish", err)
}

// envelope is metadata of any role.
type envelope struct {
	Signed     json.RawMessage      `json:"signed"`
	Signatures []metadata.Signature `json:"signatures"`
}

func open(raw []byte) (*envelope, error) {
	if len(raw) > target.MaxMetadata {
		return nil, fault.New("listfeed.too_large", "metadata of %d bytes, at most %d", len(raw), target.MaxMetadata)
	}
	if err := target.CheckPlain(raw); err != nil {
		return nil, err
	}
	e := &envelope{}
	if err := json.Unmarshal(raw, e); err != nil || len(e.Signed) == 0 {
		return nil, fault.New("listfeed.metadata", "not metadata")
	}
	return e, nil
}

// payload is what is signed: the canonical JSON of the signed part (TUF
// specification 1.0.31, section 4.2.1).
func (e *envelope) payload() ([]byte, error) {
	var v any
	if err := json.Unmarshal(e.Signed, &v); err != nil {
		return nil, fault.New("listfeed.metadata", "not metadata")
	}
	raw, err := cjson.EncodeCanonical(v)
	return raw, fault.Wrap("listfeed.metadata", err)
}

// Sign adds a signature to metadata of any role; signing again replaces the
// earlier one.
func Sign(raw []byte, key ed25519.PrivateKey) ([]byte, error) {
	e, err := open(raw)
	if err != nil {
		return nil, err
	}
	payload, err := e.payload()
	if err != nil {
		return nil, err
	}
	id, err := KeyID(key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	e.Signatures = slices.DeleteFunc(e.Signatures, func(s metadata.Signature) bool { return s.KeyID == id })
	e.Signatures = append(e.Signatures, metadata.Signature{KeyID: id, Signature: ed25519.Sign(key, payload)})
	return json.Marshal(e)
}

// KeyID is the id of a key in metadata.
func KeyID(k ed25519.PublicKey) (string, error) {
	key, err := metadata.KeyFromPublicKey(k)
	if err != nil {
		return "", fault.Wrap("listfeed.publish", err)
	}
	id, err := key.ID()
	return id, fault.Wrap("listfeed.publish", err)
}

// Merge puts the signatures of two copies of the same metadata together. It
// fails with listfeed.other_text where they differ in what is signed.
func Merge(a, b []byte) ([]byte, error) {
	x, err := open(a)
	if err != nil {
		return nil, err
	}
	y, err := open(b)
	if err != nil {
		return nil, err
	}
	p, err := x.payload()
	if err != nil {
		return nil, err
	}
	q, err := y.payload()
	if err != nil {
		return nil, err
	}
	if !slices.Equal(p, q) {
		return nil, fault.New("listfeed.other_text", "the copies differ in what is signed")
	}
	for _, s := range y.Signatures {
		if !slices.ContainsFunc(x.Signatures, func(o metadata.Signature) bool { return o.KeyID == s.KeyID }) {
			x.Signatures = append(x.Signatures, s)
		}
	}
	return json.Marshal(x)
}
