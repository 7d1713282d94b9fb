package pki

import (
	"bytes"
	"crypto/sha1" // key identifiers (RFC 5280:2008 4.2.1.2), not a signature
	"errors"
	"slices"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// maxAttributes bounds the signed attributes of one signer.
const maxAttributes = 64

// parseAttributes reads the signed attributes. Its error is a finding on the
// signer, not on the message.
func (s *Signer) parseAttributes(r *der.Reader) error {
	bad := func(err error) error { return fault.Wrap(ErrAttributes.Code, err) }
	seen := map[string]bool{}
	for !r.Empty() {
		if len(s.attributes) == maxAttributes {
			return fault.New(ErrAttributes.Code, "over %d signed attributes", maxAttributes)
		}
		e, err := r.Expect(der.Sequence)
		if err != nil {
			return bad(err)
		}
		if n := len(s.attributes); n > 0 && bytes.Compare(s.attributes[n-1].Raw, e.Raw) > 0 {
			s.Deviations = appendDeviation(s.Deviations, DeviationAttributeOrder)
		}
		s.attributes = append(s.attributes, e)
		in := e.Reader()
		id, err := in.Expect(der.ObjectID)
		if err != nil {
			return bad(err)
		}
		oid, err := id.OID()
		if err != nil {
			return bad(err)
		}
		values, err := in.Expect(der.Set)
		if err != nil {
			return bad(err)
		}
		if oid != oidContentType && oid != oidMessageDigest && oid != oidSigningTime {
			continue
		}
		if seen[oid] {
			return fault.New(ErrAttributes.Code, "signed attribute %s occurs twice", oid)
		}
		seen[oid] = true
		vr := values.Reader()
		value, err := vr.Next()
		if err != nil {
			return bad(err)
		}
		if err := vr.End(); err != nil {
			return fault.New(ErrAttributes.Code, "signed attribute %s has more than one value", oid)
		}
		if err := s.readAttribute(oid, value); err != nil {
			return bad(err)
		}
	}
	return nil
}

func (s *Signer) readAttribute(oid string, value der.Element) (err error) {
	switch oid {
	case oidContentType:
		s.ContentType, err = value.OID()
	case oidMessageDigest:
		s.MessageDigest, err = value.Octets()
	case oidSigningTime:
		s.SigningTime, _, err = value.Time()
	}
	return err
}

// VerifySigner checks signer i with the embedded certificates and extra ones
// (nil entries are skipped). The certificate is the one that the signer
// identifier names; where that one does not verify, exactly one other embedded
// certificate that does is taken and DeviationSignerMismatch noted. Chain and
// dates are not judged. An index out of range gives a result that is not OK.
func (s *SignedData) VerifySigner(i int, extra ...*Certificate) SignerResult {
	if i < 0 || i >= len(s.Signers) {
		err := fault.New(ErrNoSigner.Code, "no signer %d", i)
		return SignerResult{Checked: true, Format: err, Digest: err, Signature: err}
	}
	signer := s.Signers[i]
	r := SignerResult{Checked: true, DigestHash: signer.Digest, Algorithm: signer.Algorithm, SigningTime: signer.SigningTime,
		Deviations: slices.Clone(signer.Deviations)}
	if r.Algorithm.Hash == 0 && r.Algorithm.Err == nil {
		r.Algorithm.Hash = signer.Digest
	}
	if r.Algorithm.Hash != 0 && signer.Digest != 0 && r.Algorithm.Hash != signer.Digest {
		r.Deviations = append(r.Deviations, DeviationDigestAlgorithm)
	}
	r.WeakHash = IsWeakHash(signer.Digest) || r.Algorithm.WeakHash()
	r.Format = s.checkFormat(signer)
	r.Digest = s.checkDigest(signer)
	s.checkSignature(signer, &r, extra)
	return r
}

func (s *SignedData) checkFormat(signer *Signer) error {
	if signer.SignedAttributes == nil {
		// RFC 5652:2009 5.3; without this rule a set of attributes signed
		// elsewhere could be passed off as content.
		if s.EContentType != ContentData {
			return fault.New(ErrAttributes.Code, "no signed attributes with content type %s", s.EContentType)
		}
		return nil
	}
	switch {
	case signer.AttributesErr != nil:
		return signer.AttributesErr
	case signer.ContentType == "":
		return fault.New(ErrAttributes.Code, "content-type attribute is missing")
	case signer.ContentType != s.EContentType:
		return fault.New(ErrAttributes.Code, "content-type attribute %s, content %s", signer.ContentType, s.EContentType)
	case signer.MessageDigest == nil:
		return fault.New(ErrAttributes.Code, "message-digest attribute is missing")
	}
	return nil
}

func (s *SignedData) checkDigest(signer *Signer) error {
	if signer.DigestErr != nil {
		return signer.DigestErr
	}
	if s.EContent == nil {
		return fault.New(ErrDigest.Code, "message has no content")
	}
	if signer.SignedAttributes == nil {
		return nil // the signature covers the content itself
	}
	h := signer.Digest.New()
	h.Write(s.digested)
	if !bytes.Equal(h.Sum(nil), signer.MessageDigest) {
		return fault.New(ErrDigest.Code, "message-digest attribute is not the hash of the content")
	}
	return nil
}

func (s *SignedData) checkSignature(signer *Signer, r *SignerResult, extra []*Certificate) {
	r.Signature = fault.New(ErrNoSigner.Code, "no certificate fits the signer identifier")
	tried := map[*Certificate]bool{}
	for _, c := range slices.Concat(s.Certificates, extra) {
		if c == nil || tried[c] || !signer.names(c) {
			continue
		}
		tried[c] = true
		deviations, err := s.verifyWith(signer, r.Algorithm, c)
		r.Certificate, r.Signature = c, err
		if err == nil {
			r.Deviations = append(r.Deviations, deviations...)
			return
		}
	}
	var found *Certificate
	var foundDeviations []Deviation
	for _, c := range s.Certificates {
		if tried[c] {
			continue
		}
		tried[c] = true
		deviations, err := s.verifyWith(signer, r.Algorithm, c)
		if err != nil {
			continue
		}
		if found != nil {
			return // ambiguous
		}
		found, foundDeviations = c, deviations
	}
	if found != nil {
		r.Certificate, r.Signature = found, nil
		r.Deviations = append(append(r.Deviations, DeviationSignerMismatch), foundDeviations...)
	}
}

// names reports whether the signer identifier names c.
func (s *Signer) names(c *Certificate) bool {
	if s.SubjectKeyID != nil {
		if c.SubjectKeyID != nil {
			return bytes.Equal(c.SubjectKeyID, s.SubjectKeyID)
		}
		return bytes.Equal(c.keyHash(), s.SubjectKeyID)
	}
	return s.Serial != nil && s.Serial.Cmp(c.Serial) == 0 &&
		(bytes.Equal(s.RawIssuer, c.RawIssuer) || s.Issuer.Equal(c.Issuer))
}

// keyHash is the key identifier by method 1 of RFC 5280:2008 4.2.1.2.
func (c *Certificate) keyHash() []byte {
	r := der.NewReader(c.RawSPKI)
	spki, err := r.Expect(der.Sequence)
	if err != nil {
		return nil
	}
	in := spki.Reader()
	if _, err := in.Next(); err != nil {
		return nil
	}
	e, err := in.Expect(der.BitString)
	if err != nil {
		return nil
	}
	bits, _, err := e.Bits()
	if err != nil {
		return nil
	}
	sum := sha1.Sum(bits)
	return sum[:]
}

// verifyWith checks the signature with c's key, in the forms that are tolerated.
func (s *SignedData) verifyWith(signer *Signer, a Algorithm, c *Certificate) ([]Deviation, error) {
	message := signer.SignedAttributes
	if message == nil {
		if s.EContent == nil {
			return nil, fault.New(ErrSignature.Code, "message has no content")
		}
		message = s.digested
	}
	deviations, err := verifyForms(a, c, message, signer.Signature)
	if !errors.Is(err, ErrSignature) {
		return deviations, err
	}
	if slices.Contains(signer.Deviations, DeviationAttributeOrder) {
		// The attributes may have been signed in DER order and sent in another.
		if d, err := verifyForms(a, c, signer.sortedAttributes(), signer.Signature); err == nil {
			return d, nil
		}
	}
	if a.Scheme == SchemeECDSA && signer.Digest != 0 && signer.Digest != a.Hash {
		// The algorithm names one hash and the signer used the digest's.
		a.Hash = signer.Digest
		if d, err := verifyForms(a, c, message, signer.Signature); err == nil {
			return append(d, DeviationSignatureHash), nil
		}
	}
	return nil, err
}

func verifyForms(a Algorithm, c *Certificate, message, signature []byte) ([]Deviation, error) {
	err := c.PublicKey.Verify(a, message, signature)
	if err == nil || a.Scheme != SchemeECDSA || c.PublicKey.EC == nil || !errors.Is(err, ErrSignature) ||
		len(signature) != 2*c.PublicKey.EC.Curve.OrderBytes() {
		return nil, err
	}
	plain := a
	plain.Scheme = SchemePlainECDSA
	if c.PublicKey.Verify(plain, message, signature) == nil {
		return []Deviation{DeviationPlainECDSA}, nil
	}
	return nil, err
}

func (s *Signer) sortedAttributes() []byte {
	raw := make([][]byte, len(s.attributes))
	for i, e := range s.attributes {
		raw[i] = e.Raw
	}
	slices.SortFunc(raw, bytes.Compare)
	return der.Marshal(der.Set, raw...)
}
