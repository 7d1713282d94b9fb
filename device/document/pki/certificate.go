package pki

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// MaxCertificateBytes bounds one certificate. The largest CSCA in the field
// takes under 4 KiB.
const MaxCertificateBytes = 64 << 10

// ParseCertificate reads one X.509 certificate (RFC 5280:2008 4.1), which must
// fill raw. It keeps raw. Errors: ErrMalformed, ErrTooLarge. An unusable key or
// algorithm is no parse error: see PublicKey.Err and Algorithm.Err.
func ParseCertificate(raw []byte) (*Certificate, error) {
	if len(raw) > MaxCertificateBytes {
		return nil, fault.New(ErrTooLarge.Code, "certificate of %d bytes", len(raw))
	}
	outer, rest, err := der.Parse(raw)
	if err != nil {
		return nil, asMalformed(err)
	}
	if len(rest) != 0 {
		return nil, malformedf("%d bytes after the certificate", len(rest))
	}
	c, err := parseCertificate(outer)
	if err != nil {
		return nil, asMalformed(err)
	}
	return c, nil
}

func parseCertificate(outer der.Element) (*Certificate, error) {
	if outer.ID != der.Sequence {
		return nil, malformedf("certificate is no sequence")
	}
	c := &Certificate{Raw: outer.Raw, MaxPathLen: -1}
	r := outer.Reader()
	tbs, err := r.Expect(der.Sequence)
	if err != nil {
		return nil, err
	}
	c.RawTBS = tbs.Raw
	alg, err := r.Next()
	if err != nil {
		return nil, err
	}
	if c.Algorithm, err = parseAlgorithm(alg); err != nil {
		return nil, err
	}
	signature, err := r.Expect(der.BitString)
	if err != nil {
		return nil, err
	}
	if c.Signature, _, err = signature.Bits(); err != nil {
		return nil, err
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	return c, c.parseTBS(tbs.Reader(), alg.Raw)
}

func (c *Certificate) parseTBS(r *der.Reader, outerAlgorithm []byte) error {
	c.Version = 1
	if e, ok, err := r.Optional(der.ContextConstructed(0)); err != nil {
		return err
	} else if ok {
		v, err := e.Reader().Expect(der.Integer)
		if err != nil {
			return err
		}
		if c.Version, err = v.SmallInt(2); err != nil {
			return err
		}
		c.Version++
	}
	serial, err := r.Expect(der.Integer)
	if err != nil {
		return err
	}
	c.RawSerial = serial.Content
	if c.Serial, err = serial.Int(); err != nil {
		return err
	}
	if c.Serial.Sign() < 0 {
		c.deviates(DeviationNegativeSerial)
	}
	inner, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	if !bytes.Equal(inner.Raw, outerAlgorithm) {
		if err := c.innerAlgorithm(inner); err != nil {
			return err
		}
	}
	issuer, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	c.RawIssuer = issuer.Raw
	if c.Issuer, err = parseName(issuer); err != nil {
		return err
	}
	if err := c.parseValidity(r); err != nil {
		return err
	}
	subject, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	c.RawSubject = subject.Raw
	if c.Subject, err = parseName(subject); err != nil {
		return err
	}
	spki, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	c.RawSPKI = spki.Raw
	if c.PublicKey, err = parseSPKI(spki); err != nil {
		return err
	}
	if c.PublicKey.Explicit {
		c.deviates(DeviationExplicitCurve)
	}
	for _, id := range [2]byte{1, 2} { // issuerUniqueID, subjectUniqueID: not used
		if _, _, err := r.Optional(der.Context(id)); err != nil {
			return err
		}
	}
	extensions, ok, err := r.Optional(der.ContextConstructed(3))
	if err != nil {
		return err
	}
	if ok {
		if c.Extensions, err = parseExtensions(extensions.Reader()); err != nil {
			return err
		}
		c.readExtensions()
	}
	return r.End()
}

// innerAlgorithm notes an inner algorithm that differs from the outer one in
// more than the form of its parameters. The outer one is what gets verified,
// but it is not signed: when the two name different algorithms none is used.
func (c *Certificate) innerAlgorithm(inner der.Element) error {
	a, err := parseAlgorithm(inner)
	if err != nil {
		return err
	}
	c.deviates(DeviationAlgorithmMismatch)
	o := c.Algorithm
	if a.Scheme != o.Scheme || a.Hash != o.Hash || a.MGFHash != o.MGFHash || a.SaltLength != o.SaltLength {
		c.Algorithm.Err = fault.New(ErrAlgorithm.Code, "signature algorithm %s outside and %s inside", o.OID, a.OID)
	}
	return nil
}

func (c *Certificate) parseValidity(r *der.Reader) error {
	validity, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	v := validity.Reader()
	from, err := v.Next()
	if err != nil {
		return err
	}
	until, err := v.Next()
	if err != nil {
		return err
	}
	var strictFrom, strictUntil bool
	if c.NotBefore, strictFrom, err = from.Time(); err != nil {
		return err
	}
	if c.NotAfter, strictUntil, err = until.Time(); err != nil {
		return err
	}
	if !strictFrom || !strictUntil {
		c.deviates(DeviationTime)
	}
	return v.End()
}

func (c *Certificate) deviates(d Deviation) { c.Deviations = appendDeviation(c.Deviations, d) }

// appendDeviation adds d once.
func appendDeviation(all []Deviation, d Deviation) []Deviation {
	for _, have := range all {
		if have == d {
			return all
		}
	}
	return append(all, d)
}

// Fingerprint is the SHA-256 of the whole certificate in lower-case hexadecimal.
func (c *Certificate) Fingerprint() string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// SelfIssued reports whether issuer and subject are the same name. It does not
// say that the certificate is signed with its own key: about every fifth link
// certificate is self-issued.
func (c *Certificate) SelfIssued() bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) || c.Issuer.Equal(c.Subject)
}

// SelfSigned reports whether the certificate's own key signed it. It verifies
// a signature unless names or key identifiers rule it out.
func (c *Certificate) SelfSigned() bool {
	if !c.SelfIssued() || (c.AuthorityKeyID != nil && c.SubjectKeyID != nil && !bytes.Equal(c.AuthorityKeyID, c.SubjectKeyID)) {
		return false
	}
	return c.CheckSignatureFrom(c) == nil
}

// CheckSignatureFrom verifies the certificate's signature with issuer's key.
// Names, dates and key usage are not judged. Errors as PublicKey.Verify.
func (c *Certificate) CheckSignatureFrom(issuer *Certificate) error {
	return issuer.PublicKey.Verify(c.Algorithm, c.RawTBS, c.Signature)
}

// HasUsage reports whether the key usage extension allows every bit of u, or
// is absent.
func (c *Certificate) HasUsage(u KeyUsage) bool { return !c.HasKeyUsage || c.KeyUsage&u == u }

// HasExtKeyUsage reports whether the extended key usage names oid.
func (c *Certificate) HasExtKeyUsage(oid string) bool {
	for _, have := range c.ExtKeyUsage {
		if have == oid {
			return true
		}
	}
	return false
}
