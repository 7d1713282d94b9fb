package path

import (
	"slices"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// maxNested bounds lists that are signed by keys whose certificates need lists.
const maxNested = 4

// revocation is RFC 5280:2008 6.3 for complete lists. A list that names c
// counts whatever its age; to call c good it must be current.
func (s *search) revocation(c, issuer *pki.Certificate, nested int) error {
	err := error(fault.New(ErrNoCRL.Code, "no usable list of %s", c.Issuer))
	good := false
	for _, l := range s.in.CRLs {
		if !l.Issuer.Equal(c.Issuer) || !Covers(l, c) || !s.listSigned(l, issuer, nested) {
			continue
		}
		if _, revoked := l.Revoked(c.Serial); revoked {
			return fault.New(ErrRevoked.Code, "%s is revoked", c.Subject)
		}
		// A list that does not say when the next one comes cannot be shown to be
		// current (Doc 9303-12:2021 7.1.4).
		if s.in.At.Before(l.ThisUpdate) || l.NextUpdate.IsZero() || s.in.At.After(l.NextUpdate) {
			err = fault.New(ErrStaleCRL.Code, "the list of %s is out of date", c.Issuer)
			continue
		}
		good = true
	}
	if good {
		return nil
	}
	return err
}

// listSigned reports whether a list is signed by the issuer's key, or by
// another key of the same name that a path of its own vouches for.
func (s *search) listSigned(l *pki.CRL, issuer *pki.Certificate, nested int) bool {
	verifies := func(c *pki.Certificate) bool {
		return c.HasUsage(pki.KeyUsageCRLSign) && s.signed(signature{l, c}, func() error { return l.CheckSignatureFrom(c) }) == nil
	}
	if verifies(issuer) {
		return true
	}
	if nested == maxNested {
		return false
	}
	for _, c := range slices.Concat(s.in.Intermediates, s.in.Anchors) {
		if c == issuer || !c.Subject.Equal(l.Issuer) || slices.Contains(s.pending, c) || !verifies(c) {
			continue
		}
		if slices.Contains(s.in.Anchors, c) {
			return true
		}
		s.pending = append(s.pending, c)
		_, err := s.verify(c, nested+1)
		s.pending = s.pending[:len(s.pending)-1]
		if err == nil {
			return true
		}
	}
	return false
}
