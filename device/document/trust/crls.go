package trust

import (
	"bytes"
	"cmp"
	"errors"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// takeCRL takes a revocation list that an anchor held has signed, in the place
// of the older one of the same issuer and key.
func (b *batch) takeCRL(c *pki.CRL) error {
	signer, err := b.store.crlSigner(c)
	if err != nil {
		return err
	}
	next := &heldCRL{crl: c, signer: signer, file: b.file, key: signer.Fingerprint}
	for i, h := range b.store.crls {
		if h.key != next.key || !h.crl.Issuer.Equal(c.Issuer) {
			continue
		}
		if bytes.Equal(h.crl.Raw, c.Raw) {
			return nil
		}
		if older(c, h.crl) {
			return fault.New(ErrRollback.Code, "CRL of %s, held %s", edition(c.ThisUpdate), edition(h.crl.ThisUpdate))
		}
		b.store.crls[i] = next
		b.changed = true
		return nil
	}
	b.store.crls = append(b.store.crls, next)
	b.changed = true
	return nil
}

// older compares by time and, at the same time, by number.
func older(a, b *pki.CRL) bool {
	if !a.ThisUpdate.Equal(b.ThisUpdate) {
		return a.ThisUpdate.Before(b.ThisUpdate)
	}
	return a.Number != nil && b.Number != nil && a.Number.Cmp(b.Number) < 0
}

// crlSigner returns the anchor whose key signed c.
func (s *Store) crlSigner(c *pki.CRL) (*Entry, error) {
	candidates := s.issuers(c.Issuer, c.AuthorityKeyID)
	if len(candidates) == 0 {
		return nil, fault.New(ErrUnanchored.Code, "no anchor held is the issuer of this CRL").
			WithHint("import the issuer's CSCA first")
	}
	var first error
	for i, e := range candidates {
		if i == maxTries {
			break
		}
		// A state revokes its own certificates alone, whatever name it writes.
		if e.country != c.Issuer.Country() {
			first = cmp.Or(first, error(fault.New(ErrUnanchored.Code, "CRL in the name of another country than its signer's")))
			continue
		}
		if !e.Certificate.HasUsage(pki.KeyUsageCRLSign) {
			continue
		}
		err := c.CheckSignatureFrom(e.Certificate)
		if err == nil {
			return e, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return nil, fault.New(ErrSignerUsage.Code, "the issuer's key is not meant to sign CRLs")
	}
	if errors.Is(first, ErrUnanchored) {
		return nil, first
	}
	return nil, fault.New(ErrSignature.Code, "CRL: %v", first)
}
