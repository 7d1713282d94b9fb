package trust

import (
	"bytes"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// issuing reports whether c is meant to issue certificates. Basic constraints
// do not decide alone: link certificates of five states say CA:FALSE (or
// nothing) beside a key usage of certificate signing, and the oldest CSCAs have
// no extensions. A document signer has neither.
func issuing(c *pki.Certificate) bool {
	switch {
	case c.HasExtKeyUsage(pki.ExtKeyUsageMasterList), c.HasExtKeyUsage(pki.ExtKeyUsageDeviationList):
		return false
	case c.IsCA:
		return true
	case c.HasKeyUsage:
		return c.KeyUsage&pki.KeyUsageCertSign != 0
	}
	return c.SelfIssued()
}

// anchorKind tells a root from a link certificate. A name that issued itself
// is no proof: every fifth link keeps the name of its CSCA, so that key
// identifiers decide, and the signature where they do not. vouched is set for
// a certificate that a verified list vouches for: its own signature then adds
// nothing, and half a thousand of them would take longer than all else.
// The error tells a certificate that claims to be self-signed and is not; one
// that nobody vouches for claims it also where it names no other key (Doc
// 9303-12:2021 table 6 wants the authority key identifier in every link).
func anchorKind(c *pki.Certificate, vouched bool) (Kind, error) {
	if !c.SelfIssued() {
		return KindLink, nil
	}
	identified := c.AuthorityKeyID != nil && c.SubjectKeyID != nil
	claimed := identified && bytes.Equal(c.AuthorityKeyID, c.SubjectKeyID)
	if vouched && identified {
		if claimed {
			return KindCSCA, nil
		}
		return KindLink, nil
	}
	err := c.CheckSignatureFrom(c)
	switch {
	case err == nil:
		return KindCSCA, nil
	case c.Algorithm.Err != nil && (claimed || !identified):
		return KindCSCA, nil // an algorithm that is not judged here is no sign of a change
	case claimed, !vouched && !identified:
		return KindLink, err
	}
	return KindLink, nil
}

// takeCertificate takes a bare certificate: out of a certificate file (the
// operator vouches for a CSCA) or out of LDIF (nobody does).
func (b *batch) takeCertificate(c *pki.Certificate, entry string) error {
	from := Provenance{File: b.file, Kind: b.fileKind, Entry: entry}
	if b.store.Find(c) != nil {
		b.keep(c, "", from)
		return nil
	}
	if c.PublicKey.Err != nil {
		return c.PublicKey.Err
	}
	if !issuing(c) {
		if b.store.signedByAnchor(c) == nil {
			return fault.New(ErrUnanchored.Code, "no anchor held verifies this document signer")
		}
		b.keep(c, KindDS, from)
		return nil
	}
	kind, err := anchorKind(c, false)
	if err != nil && b.store.issuerOf(c, nil) == nil {
		return fault.New(ErrSelfSignature.Code, "claims to be self-signed: %v", err)
	}
	if b.store.Verify(newEntry(c, kind, c.Fingerprint(), nil)) == StandingBroken {
		return fault.New(ErrSignature.Code, "the issuer that it names is held and did not sign it")
	}
	if b.fileKind.directory() && b.store.issuerOf(c, nil) == nil {
		return fault.New(ErrUnanchored.Code, "CSCA out of an unsigned directory")
	}
	b.keep(c, kind, from)
	return nil
}

// signedByAnchor returns the anchor of the certificate's country that verifies it.
func (s *Store) signedByAnchor(c *pki.Certificate) *Entry {
	return s.Chain(c, c.NotBefore).Issuer
}

// keep puts c into the store, or adds a provenance to the entry held. kind is
// not used for one held.
func (b *batch) keep(c *pki.Certificate, kind Kind, from Provenance) {
	held := b.store.Find(c)
	if held == nil {
		b.store.add(newEntry(c, kind, c.Fingerprint(), []Provenance{from}))
		b.result.Added++
		b.changed = true
		return
	}
	for _, p := range held.Provenance {
		if p.File == from.File && p.Kind == from.Kind && p.List == from.List && p.Digest == from.Digest && p.Entry == from.Entry {
			return
		}
	}
	// Entries are shared with the store that readers hold: change a copy.
	next := *held
	next.Provenance = append(append([]Provenance(nil), held.Provenance...), from)
	b.store.replace(held, &next)
	b.changed = true
}

// replace puts next in the place of an entry with the same certificate.
func (s *Store) replace(held, next *Entry) {
	swap := func(list []*Entry) {
		for i, e := range list {
			if e == held {
				list[i] = next
			}
		}
	}
	s.byFingerprint[held.Fingerprint] = next
	swap(s.entries)
	swap(s.byCountry[held.country])
	swap(s.bySubject[held.subject])
	swap(s.byKeyID[held.keyID])
}
