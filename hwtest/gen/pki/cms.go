package pki

import (
	"bytes"
	"io"
	"math/big"
	"time"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// Object identifiers of CMS (RFC 5652 (2009)) and of the contents that Doc
// 9303-10 and 9303-12 (2021) sign.
const (
	oidSignedData    = "1.2.840.113549.1.7.2"
	oidContentType   = "1.2.840.113549.1.9.3"
	oidMessageDigest = "1.2.840.113549.1.9.4"
	oidSigningTime   = "1.2.840.113549.1.9.5"

	oidSecurityInfos = "0.4.0.127.0.7.3.2.1" // id-SecurityObject of EF.CardSecurity (Doc 9303-11 (2021), 9.2.11)

	OIDSecurityObject = "2.23.136.1.1.1" // LDS security object
	OIDMasterList     = "2.23.136.1.1.2" // CSCA master list
)

// Signature is how a CMS object is signed. The fields from BySKI on are
// choices and defects; their zero values make a sound object.
type Signature struct {
	Signer       *Certificate
	Time         time.Time
	Certificates [][]byte // beside the signer's own

	BySKI              bool     // the signer is named by its key identifier
	NoCertificate      bool     // the signer's certificate is not carried
	ForeignKey         *Key     // signs in the signer's place
	WrongMessageDigest bool     // the digest attribute is of something else
	WrongContentType   string   // the content type attribute says this
	NoSignedAttributes bool     // the signature is over the content itself
	Digest             string   // hash of the message digest attribute, else that of the signature
	NamedSerial        *big.Int // the signer is named by this serial number, not by its own
	Indefinite         bool     // the outer structures have indefinite lengths, the content comes in two pieces (BER)
}

// SignedData wraps and signs content of the type given: a ContentInfo.
func SignedData(contentType string, content []byte, s Signature, random io.Reader) ([]byte, error) {
	key := s.Signer.Key
	if s.ForeignKey != nil {
		key = s.ForeignKey
	}
	digestName := s.Digest
	if digestName == "" {
		digestName = key.Scheme.Hash
	}
	h, err := hashOf(digestName)
	if err != nil {
		return nil, err
	}
	info, err := s.signerInfo(contentType, content, key, h, random)
	if err != nil {
		return nil, err
	}
	wrap, octets := der.TLV, der.Octets(content)
	if s.Indefinite {
		half := len(content) / 2
		wrap, octets = der.Indefinite, der.Indefinite(0x24, der.Octets(content[:half]), der.Octets(content[half:]))
	}
	parts := [][]byte{
		der.SmallInt(3), // the content is not plain data (RFC 5652 (2009), 5.1)
		der.Set(h.identifier()),
		wrap(0x30, der.OID(contentType), wrap(0xA0, octets)),
	}
	certificates := s.Certificates
	if !s.NoCertificate {
		certificates = append([][]byte{s.Signer.DER}, certificates...)
	}
	if len(certificates) > 0 {
		parts = append(parts, der.Retag(0xA0, der.Set(certificates...)))
	}
	parts = append(parts, der.Set(info))
	return wrap(0x30, der.OID(oidSignedData), wrap(0xA0, wrap(0x30, parts...))), nil
}

func (s Signature) signerInfo(contentType string, content []byte, key *Key, h hashInfo, random io.Reader) ([]byte, error) {
	algorithm, err := key.SignatureAlgorithm()
	if err != nil {
		return nil, err
	}
	parts := [][]byte{der.SmallInt(1)}
	if s.BySKI {
		parts = [][]byte{der.SmallInt(3), der.ContextPrimitive(0, s.Signer.Key.identifier())}
	} else {
		serial := s.Signer.Template.Serial
		if s.NamedSerial != nil {
			serial = s.NamedSerial
		}
		parts = append(parts, der.Seq(s.Signer.Template.Issuer.Encode(), der.Int(serial)))
	}
	parts = append(parts, h.identifier())
	message := content
	if !s.NoSignedAttributes {
		attributes := s.attributes(contentType, h.sum(content))
		message = attributes // signed as a SET, carried as [0] (RFC 5652 (2009), 5.4)
		parts = append(parts, der.Retag(0xA0, attributes))
	}
	signature, err := key.Sign(random, message)
	if err != nil {
		return nil, err
	}
	return der.Seq(append(parts, algorithm, der.Octets(signature))...), nil
}

func (s Signature) attributes(contentType string, digest []byte) []byte {
	if s.WrongContentType != "" {
		contentType = s.WrongContentType
	}
	if s.WrongMessageDigest {
		digest = bytes.Clone(digest)
		digest[0] ^= 1
	}
	attribute := func(oid string, value []byte) []byte { return der.Seq(der.OID(oid), der.Set(value)) }
	return der.Set(
		attribute(oidContentType, der.OID(contentType)),
		attribute(oidMessageDigest, der.Octets(digest)),
		attribute(oidSigningTime, der.Time(s.Time)),
	)
}

// MasterList signs a list of CSCA certificates (Doc 9303-12 (2021), 8 and
// appendix D). The result is the ContentInfo that lists are published as.
func MasterList(certificates [][]byte, s Signature, random io.Reader) ([]byte, error) {
	content := der.Seq(der.SmallInt(0), der.Set(certificates...))
	return SignedData(OIDMasterList, content, s, random)
}
