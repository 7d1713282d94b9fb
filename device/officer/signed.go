package officer

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// SignedFormat is the version of the form of a signed accounts file.
const SignedFormat = 1

// needed is how many different owners must have signed.
const needed = 2

// signedPrefix keeps a signature over accounts from being one over anything
// else, a provisioning folder's for one.
const signedPrefix = "watchpost/accounts/1\n"

// createdSlack is how far a target's date may lie ahead of the post's clock.
const createdSlack = 10 * time.Minute

// Signed is an accounts file that may travel by any way: two persons named in
// the post's configuration have signed the bytes of Target, as they sign a
// provisioning folder (device/provision).
type Signed struct {
	Format     int         `json:"format"`
	Target     []byte      `json:"target"` // a Target in JSON, base64
	Signatures []Signature `json:"signatures"`
}

// Signature is one owner's, Ed25519 (RFC 8032, 2017) over the prefix
// "watchpost/accounts/1\n" and Target's bytes.
type Signature struct {
	Owner     string `json:"owner"`
	Signature []byte `json:"signature"`
}

// Target is what is signed. Its edition is that of the accounts, and only
// rises.
type Target struct {
	Site     string    `json:"site"` // the post that it is for
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"` // after this the file is not accepted any more
	Accounts Accounts  `json:"accounts"`
}

// Owner is a person whose signature counts.
type Owner struct {
	ID  string
	Key ed25519.PublicKey
}

// Trust is what a signed file is judged by.
type Trust struct {
	Site        string
	Owners      []Owner
	LastEdition int // highest edition taken in, 0 for none
	Now         time.Time
}

// OpenSigned judges a signed accounts file and returns what it holds. Each way
// of failing has its own code:
//
//	officer.too_large, officer.signed_format   it cannot be read
//	officer.owners            fewer than two owners with two keys are named
//	officer.unknown_owner     a signature by someone who is not named
//	officer.same_owner        one owner has signed twice
//	officer.signature         a signature that does not verify
//	officer.too_few           fewer than two have signed
//	officer.site              for another post
//	officer.signed_expired    run out
//	officer.not_yet           made in the future: one of the clocks is wrong
//	officer.rollback          of an older edition than was taken in
//
// and those of Decode.
func OpenSigned(raw []byte, t Trust) (*Accounts, error) {
	if len(raw) > 2*MaxBytes {
		return nil, fault.New("officer.too_large", "%d bytes, at most %d", len(raw), 2*MaxBytes)
	}
	var s Signed
	if err := strict(raw, &s); err != nil {
		return nil, err
	}
	if s.Format != SignedFormat {
		return nil, fault.New("officer.signed_format", "form %d, this program reads %d", s.Format, SignedFormat)
	}
	if err := checkOwners(t.Owners); err != nil {
		return nil, err
	}
	// Signatures first: nothing of the target is looked at before.
	if err := checkSignatures(&s, t.Owners); err != nil {
		return nil, err
	}
	return openTarget(s.Target, t)
}

func openTarget(raw []byte, t Trust) (*Accounts, error) {
	var target struct {
		Site     string          `json:"site"`
		Created  time.Time       `json:"created"`
		Expires  time.Time       `json:"expires"`
		Accounts json.RawMessage `json:"accounts"`
	}
	if err := strict(raw, &target); err != nil {
		return nil, err
	}
	a, err := Decode(target.Accounts)
	if err != nil {
		return nil, err
	}
	switch {
	case target.Site == "" || target.Site != t.Site:
		return nil, fault.New("officer.site", "the accounts are for another post")
	case !t.Now.Before(target.Expires):
		return nil, fault.New("officer.signed_expired", "the accounts ran out on %s", target.Expires.Format(time.RFC3339))
	case target.Created.After(t.Now.Add(createdSlack)):
		return nil, fault.New("officer.not_yet", "the accounts are dated %s", target.Created.Format(time.RFC3339)).WithHint("check the post's clock")
	}
	if err := a.Follows(t.LastEdition); err != nil {
		return nil, err
	}
	return a, nil
}

// Follows returns officer.rollback if a is of an older edition than last.
func (a *Accounts) Follows(last int) error {
	if a.Edition < last {
		return fault.New("officer.rollback", "edition %d, taken in was %d", a.Edition, last).
			WithHint("an older edition would bring back accounts that were revoked: publish a newer one")
	}
	return nil
}

func checkOwners(owners []Owner) error {
	if len(owners) < needed {
		return fault.New("officer.owners", "%d owners are named, at least %d are needed", len(owners), needed)
	}
	for i, o := range owners {
		if o.ID == "" || len(o.Key) != ed25519.PublicKeySize {
			return fault.New("officer.owners", "owner %d has no name or no Ed25519 key", i)
		}
		for _, p := range owners[:i] {
			if p.ID == o.ID || bytes.Equal(p.Key, o.Key) {
				return fault.New("officer.owners", "owner %d has the name or key of another", i)
			}
		}
	}
	return nil
}

func checkSignatures(s *Signed, owners []Owner) error {
	var by []string
	for i, sig := range s.Signatures {
		at := slices.IndexFunc(owners, func(o Owner) bool { return o.ID == sig.Owner })
		switch {
		case at < 0:
			return fault.New("officer.unknown_owner", "signature %d is by nobody named in the configuration", i)
		case slices.Contains(by, sig.Owner):
			return fault.New("officer.same_owner", "one owner has signed twice")
		case !ed25519.Verify(owners[at].Key, signedBytes(s.Target), sig.Signature):
			return fault.New("officer.signature", "signature %d does not verify", i)
		}
		by = append(by, sig.Owner)
	}
	if len(by) < needed {
		return fault.New("officer.too_few", "%d of %d signatures", len(by), needed)
	}
	return nil
}

func signedBytes(target []byte) []byte { return append([]byte(signedPrefix), target...) }

// Publish returns a signed accounts file without signatures yet.
func Publish(t Target) ([]byte, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, fault.Wrap("officer.signed_format", err)
	}
	accounts, err := json.Marshal(t.Accounts)
	if err != nil {
		return nil, fault.Wrap("officer.signed_format", err)
	}
	if _, err := Decode(accounts); err != nil {
		return nil, err
	}
	if t.Site == "" || !t.Expires.After(t.Created) || t.Accounts.Edition < 1 {
		return nil, fault.New("officer.signed_format", "a target names a post, an edition from 1, a date and a later expiry")
	}
	return json.Marshal(Signed{Format: SignedFormat, Target: raw, Signatures: []Signature{}})
}

// Sign adds an owner's signature; signing again replaces the earlier one.
func Sign(raw []byte, owner string, key ed25519.PrivateKey) ([]byte, error) {
	var s Signed
	if err := strict(raw, &s); err != nil {
		return nil, err
	}
	if s.Format != SignedFormat || owner == "" || len(key) != ed25519.PrivateKeySize {
		return nil, fault.New("officer.signed_format", "an unsigned file of form %d, an owner's name and an Ed25519 key are needed", SignedFormat)
	}
	s.Signatures = slices.DeleteFunc(s.Signatures, func(o Signature) bool { return o.Owner == owner })
	s.Signatures = append(s.Signatures, Signature{owner, ed25519.Sign(key, signedBytes(s.Target))})
	return json.Marshal(s)
}

// strict reads JSON with the keys of its form and no others.
func strict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fault.New("officer.signed_format", "unknown key or malformed JSON near byte %d", dec.InputOffset())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New("officer.signed_format", "something follows the end")
	}
	return nil
}
