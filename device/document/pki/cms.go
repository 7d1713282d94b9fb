package pki

import (
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// Bounds of one CMS message. A deviation list in the field takes 1.9 MiB.
const (
	MaxSignedDataBytes = 64 << 20
	maxSigners         = 16
	maxEmbedded        = 64 // certificates, and CRLs, beside the content
)

const (
	oidSignedData    = "1.2.840.113549.1.7.2"
	oidContentType   = "1.2.840.113549.1.9.3"
	oidMessageDigest = "1.2.840.113549.1.9.4"
	oidSigningTime   = "1.2.840.113549.1.9.5"
)

// ParseSignedData reads one CMS SignedData (RFC 5652:2009 5.1), given as a
// ContentInfo. EF.SOD's own tag 77 must be taken off before. Indefinite
// lengths are accepted. Bytes after the structure are left unread and noted.
// Errors: ErrMalformed, ErrTooLarge, ErrContentType.
func ParseSignedData(raw []byte) (*SignedData, error) {
	if len(raw) > MaxSignedDataBytes {
		return nil, fault.New(ErrTooLarge.Code, "CMS message of %d bytes", len(raw))
	}
	definite, rest, changed, err := der.Normalize(raw)
	if err != nil {
		return nil, asMalformed(err)
	}
	s := &SignedData{}
	if changed {
		s.Deviations = append(s.Deviations, DeviationIndefinite)
	}
	if len(rest) != 0 {
		s.Deviations = append(s.Deviations, DeviationTrailing)
	}
	content, err := der.NewReader(definite).Expect(der.Sequence)
	if err != nil {
		return nil, asMalformed(err)
	}
	r := content.Reader()
	id, err := r.Expect(der.ObjectID)
	if err != nil {
		return nil, asMalformed(err)
	}
	if oid, err := id.OID(); err != nil || oid != oidSignedData {
		return nil, fault.New(ErrContentType.Code, "content %q is not SignedData", oid)
	}
	wrapper, err := r.Expect(der.ContextConstructed(0))
	if err != nil {
		return nil, asMalformed(err)
	}
	inner, err := wrapper.Reader().Expect(der.Sequence)
	if err != nil {
		return nil, asMalformed(err)
	}
	if err := s.parse(inner.Reader()); err != nil {
		return nil, asMalformed(err)
	}
	return s, nil
}

func (s *SignedData) parse(r *der.Reader) error {
	version, err := r.Expect(der.Integer)
	if err != nil {
		return err
	}
	if s.Version, err = version.SmallInt(5); err != nil {
		return err
	}
	// digestAlgorithms is a hint for one-pass readers; each signer names its own.
	if _, err := r.Expect(der.Set); err != nil {
		return err
	}
	encapsulated, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	if err := s.parseContent(encapsulated.Reader()); err != nil {
		return err
	}
	if e, ok, err := r.Optional(der.ContextConstructed(0)); err != nil {
		return err
	} else if ok {
		if err := s.parseCertificates(e.Reader()); err != nil {
			return err
		}
	}
	if e, ok, err := r.Optional(der.ContextConstructed(1)); err != nil {
		return err
	} else if ok {
		if err := s.parseCRLs(e.Reader()); err != nil {
			return err
		}
	}
	signers, err := r.Expect(der.Set)
	if err != nil {
		return err
	}
	for sr := signers.Reader(); !sr.Empty(); {
		if len(s.Signers) == maxSigners {
			return malformedf("over %d signers", maxSigners)
		}
		e, err := sr.Expect(der.Sequence)
		if err != nil {
			return err
		}
		signer, err := parseSigner(e.Reader())
		if err != nil {
			return err
		}
		s.Signers = append(s.Signers, signer)
	}
	return r.End()
}

func (s *SignedData) parseContent(r *der.Reader) error {
	id, err := r.Expect(der.ObjectID)
	if err != nil {
		return err
	}
	if s.EContentType, err = id.OID(); err != nil {
		return err
	}
	if legacySecurityObjects[s.EContentType] {
		s.Deviations = append(s.Deviations, DeviationLegacyContentType)
	}
	wrapper, ok, err := r.Optional(der.ContextConstructed(0))
	if err != nil || !ok {
		return err
	}
	inner := wrapper.Reader()
	e, err := inner.Next()
	if err != nil {
		return err
	}
	if octets, err := e.Octets(); err == nil {
		s.EContent, s.digested = octets, octets
		return inner.End()
	}
	// PKCS #7 v1.5 (RFC 2315:1998 9.3) carries any type here and digests its
	// content octets without identifier and length. What the digest leaves out
	// must not be for others to choose: all that is read here is a sequence.
	if e.ID != der.Sequence {
		return malformedf("content is neither octets nor a sequence")
	}
	s.Deviations = append(s.Deviations, DeviationContentNotOctets)
	s.EContent, s.digested = e.Raw, e.Content
	return inner.End()
}

func (s *SignedData) parseCertificates(r *der.Reader) error {
	for n := 0; !r.Empty(); n++ {
		if n == maxEmbedded {
			return malformedf("over %d embedded certificates", maxEmbedded)
		}
		e, err := r.Next()
		if err != nil {
			return err
		}
		if e.ID != der.Sequence {
			continue // attribute certificates and other choices
		}
		c, err := ParseCertificate(e.Raw)
		if err != nil {
			s.Deviations = appendDeviation(s.Deviations, DeviationUnparsedCertificate)
			continue
		}
		s.Certificates = append(s.Certificates, c)
	}
	return nil
}

func (s *SignedData) parseCRLs(r *der.Reader) error {
	for n := 0; !r.Empty(); n++ {
		if n == maxEmbedded {
			return malformedf("over %d embedded CRLs", maxEmbedded)
		}
		e, err := r.Next()
		if err != nil {
			return err
		}
		if e.ID != der.Sequence {
			continue
		}
		if c, err := ParseCRL(e.Raw); err == nil {
			s.CRLs = append(s.CRLs, c)
		}
	}
	return nil
}

// parseSigner reads one SignerInfo (RFC 5652:2009 5.3).
func parseSigner(r *der.Reader) (*Signer, error) {
	s := &Signer{}
	version, err := r.Expect(der.Integer)
	if err != nil {
		return nil, err
	}
	if s.Version, err = version.SmallInt(5); err != nil {
		return nil, err
	}
	if err := s.parseIdentifier(r); err != nil {
		return nil, err
	}
	digest, err := r.Next()
	if err != nil {
		return nil, err
	}
	digestOID, _, _, err := algorithmIdentifier(digest)
	if err != nil {
		return nil, err
	}
	s.Digest, s.DigestErr = HashByOID(digestOID)
	if e, ok, err := r.Optional(der.ContextConstructed(0)); err != nil {
		return nil, err
	} else if ok {
		s.SignedAttributes = der.Marshal(der.Set, e.Content)
		s.AttributesErr = s.parseAttributes(e.Reader())
	}
	alg, err := r.Next()
	if err != nil {
		return nil, err
	}
	if s.Algorithm, err = parseAlgorithm(alg); err != nil {
		return nil, err
	}
	value, err := r.Next()
	if err != nil {
		return nil, err
	}
	if s.Signature, err = value.Octets(); err != nil {
		return nil, err
	}
	if _, _, err := r.Optional(der.ContextConstructed(1)); err != nil { // unsigned attributes prove nothing
		return nil, err
	}
	return s, r.End()
}

func (s *Signer) parseIdentifier(r *der.Reader) error {
	const versionByIssuer, versionByKey = 1, 3
	due := versionByIssuer
	switch {
	case r.Is(der.Context(0)):
		e, err := r.Next()
		if err != nil {
			return err
		}
		s.SubjectKeyID, due = e.Content, versionByKey
	case r.Is(der.ContextConstructed(0)):
		// Explicit tagging where implicit is due.
		e, err := r.Next()
		if err != nil {
			return err
		}
		id, err := e.Reader().Expect(der.OctetString)
		if err != nil {
			return err
		}
		s.SubjectKeyID, due = id.Content, versionByKey
	default:
		e, err := r.Expect(der.Sequence)
		if err != nil {
			return err
		}
		in := e.Reader()
		issuer, err := in.Expect(der.Sequence)
		if err != nil {
			return err
		}
		s.RawIssuer = issuer.Raw
		if s.Issuer, err = parseName(issuer); err != nil {
			return err
		}
		serial, err := in.Expect(der.Integer)
		if err != nil {
			return err
		}
		if s.Serial, err = serial.Int(); err != nil {
			return err
		}
		if err := in.End(); err != nil {
			return err
		}
	}
	if s.Version != due {
		s.Deviations = append(s.Deviations, DeviationSignerVersion)
	}
	return nil
}
