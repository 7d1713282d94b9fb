package path

import (
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// validate is RFC 5280:2008 6.1.2 to 6.1.5 over a path from under the anchor
// to its end. passed counts the certificates that were in order.
func (s *search) validate(anchor *pki.Certificate, path []*pki.Certificate, nested int) (passed int, err error) {
	n := len(path)
	length := n
	policies := newPolicies(s.in, n)
	names := &constraints{}
	issuer := anchor
	for i, c := range path {
		last := i == n-1
		if err := s.basic(c, issuer, nested); err != nil {
			return i, err
		}
		if !c.SelfIssued() || last {
			if err := names.check(c); err != nil {
				return i, err
			}
		}
		x, err := readExtensions(c)
		if err != nil {
			return i, err
		}
		if err := policies.step(c, x, last); err != nil {
			return i, err
		}
		if last {
			break
		}
		// 6.1.4 (k) to (n)
		switch {
		case !c.HasBasicConstraints || !c.IsCA:
			return i, fault.New(ErrNotCA.Code, "%s is no authority", c.Subject)
		case !c.SelfIssued() && length <= 0:
			return i, fault.New(ErrLength.Code, "%s is one authority too many", c.Subject)
		case !c.HasUsage(pki.KeyUsageCertSign):
			return i, fault.New(ErrUsage.Code, "%s may not sign certificates", c.Subject)
		}
		if !c.SelfIssued() {
			length--
		}
		if c.MaxPathLen >= 0 {
			length = min(length, c.MaxPathLen)
		}
		names.add(x)
		issuer = c
	}
	return n, policies.end()
}

// basic is 6.1.3 (a) and 6.1.4 (o): signature, dates, revocation, name of the
// issuer, critical extensions.
func (s *search) basic(c, issuer *pki.Certificate, nested int) error {
	if !c.Issuer.Equal(issuer.Subject) {
		return fault.New(ErrNoPath.Code, "%s is not the issuer of %s", issuer.Subject, c.Subject)
	}
	if err := s.signed(signature{c, issuer}, func() error { return c.CheckSignatureFrom(issuer) }); err != nil {
		return fault.New(ErrSignature.Code, "%s: %v", c.Subject, err)
	}
	if s.in.At.Before(c.NotBefore) || s.in.At.After(c.NotAfter) {
		return fault.New(ErrValidity.Code, "%s is not valid at that time", c.Subject)
	}
	for _, oid := range c.UnknownCritical {
		if !processed[oid] {
			return fault.New(ErrCritical.Code, "%s has a critical extension %s", c.Subject, oid)
		}
	}
	if !s.in.RequireCRL {
		return nil
	}
	return s.revocation(c, issuer, nested)
}

// signed verifies a signature once.
func (s *search) signed(key signature, verify func() error) error {
	err, known := s.verified[key]
	if !known {
		err = verify()
		s.verified[key] = err
	}
	return err
}
