package repo

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
)

// Signature is key's signature over metadata of any role, as Sign adds it.
func Signature(raw []byte, key ed25519.PrivateKey) ([]byte, error) {
	e, err := open(raw)
	if err != nil {
		return nil, err
	}
	payload, err := e.payload()
	if err != nil {
		return nil, err
	}
	return ed25519.Sign(key, payload), nil
}

// CheckSignature reports whether signature is key's over metadata.
func CheckSignature(raw []byte, key ed25519.PublicKey, signature []byte) bool {
	e, err := open(raw)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return false
	}
	payload, err := e.payload()
	return err == nil && ed25519.Verify(key, payload, signature)
}

// AddSignature puts a signature that was made elsewhere to metadata.
func AddSignature(raw []byte, key ed25519.PublicKey, signature []byte) ([]byte, error) {
	e, err := open(raw)
	if err != nil {
		return nil, err
	}
	id, err := KeyID(key)
	if err != nil {
		return nil, err
	}
	e.Signatures = slices.DeleteFunc(e.Signatures, func(s metadata.Signature) bool { return s.KeyID == id })
	e.Signatures = append(e.Signatures, metadata.Signature{KeyID: id, Signature: signature})
	out, err := json.Marshal(e)
	return out, fault.Wrap("listfeed.metadata", err)
}

// SignatureOf returns the signature that metadata bear of key, nil for none.
func SignatureOf(raw []byte, key ed25519.PublicKey) ([]byte, error) {
	e, err := open(raw)
	if err != nil {
		return nil, err
	}
	id, err := KeyID(key)
	if err != nil {
		return nil, err
	}
	for _, s := range e.Signatures {
		if s.KeyID == id {
			return s.Signature, nil
		}
	}
	return nil, nil
}

// SameText reports whether two copies of metadata say the same, whoever has
// signed them.
func SameText(a, b []byte) bool {
	_, err := Merge(a, b)
	return err == nil
}

// IsPublished reports whether metadata are the newest published ones of a role.
func (r *Repo) IsPublished(role string, raw []byte) (bool, error) {
	_, latest, err := r.latest(role)
	return err == nil && latest != nil && SameText(latest, raw), err
}

// TargetsOf says in words what metadata would put in force: for targets each
// path with the beginning of its hash, with the version and the role's kind
// before.
func TargetsOf(raw []byte) ([]string, error) {
	e, err := open(raw)
	if err != nil {
		return nil, err
	}
	var s struct {
		Type    string `json:"_type"`
		Version int64  `json:"version"`
		Targets map[string]struct {
			Hashes map[string]string `json:"hashes"`
		} `json:"targets"`
	}
	if err := json.Unmarshal(e.Signed, &s); err != nil {
		return nil, fault.New("listfeed.metadata", "not metadata")
	}
	out := []string{fmt.Sprintf("%s, version %d", s.Type, s.Version)}
	for _, name := range slices.Sorted(maps.Keys(s.Targets)) {
		out = append(out, fmt.Sprintf("%s %.16s", name, s.Targets[name].Hashes["sha256"]))
	}
	return out, nil
}
