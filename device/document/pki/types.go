package pki

import (
	"crypto"
	"math/big"
	"time"

	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/document/pki/der"
)

// Deviation names something odd that was tolerated. The values are stable and
// may be shown in a verdict's reason.
type Deviation string

// Deviations that the parsers and the verifier report.
const (
	// DeviationIndefinite: indefinite lengths (BER) where DER is required.
	DeviationIndefinite Deviation = "ber.indefinite_length"
	// DeviationTrailing: bytes after the structure; they were not looked at.
	DeviationTrailing Deviation = "der.trailing_bytes"
	// DeviationNegativeSerial: certificate serial number below zero (RFC 5280 4.1.2.2).
	DeviationNegativeSerial Deviation = "certificate.negative_serial"
	// DeviationAlgorithmMismatch: inner and outer signature algorithm differ (RFC 5280 4.1.1.2).
	DeviationAlgorithmMismatch Deviation = "certificate.algorithm_mismatch"
	// DeviationExtension: a known, non-critical extension could not be read.
	DeviationExtension Deviation = "certificate.extension_malformed"
	// DeviationDuplicateExtension: an extension occurs twice; the first counts.
	DeviationDuplicateExtension Deviation = "certificate.extension_repeated"
	// DeviationTime: a date in a form that the standard does not allow.
	DeviationTime Deviation = "certificate.time_form"
	// DeviationExplicitCurve: the curve is given by parameters; all of them were checked.
	DeviationExplicitCurve Deviation = "key.explicit_curve"
	// DeviationSignerMismatch: the signer identifier names no embedded certificate, but exactly one verifies.
	DeviationSignerMismatch Deviation = "cms.signer_identifier"
	// DeviationPlainECDSA: an ECDSA value came as r||s where the algorithm asks for DER.
	DeviationPlainECDSA Deviation = "cms.plain_ecdsa"
	// DeviationAttributeOrder: signed attributes not in DER order; the bytes as they came were signed.
	DeviationAttributeOrder Deviation = "cms.attribute_order"
	// DeviationDigestAlgorithm: digestAlgorithm and the signature's hash differ; each was used in its place.
	DeviationDigestAlgorithm Deviation = "cms.digest_algorithm"
	// DeviationSignatureHash: the signature verifies with the digest's hash, not with the one that its algorithm names.
	DeviationSignatureHash Deviation = "cms.signature_hash"
	// DeviationSignerVersion: SignerInfo version does not fit the identifier's form (RFC 5652 5.3).
	DeviationSignerVersion Deviation = "cms.signer_version"
	// DeviationLegacyContentType: content type OID of before Doc 9303 7th edition.
	DeviationLegacyContentType Deviation = "cms.legacy_content_type"
	// DeviationContentNotOctets: the content is not wrapped in an OCTET STRING (PKCS #7 v1.5).
	DeviationContentNotOctets Deviation = "cms.content_not_octets"
	// DeviationUnparsedCertificate: an embedded certificate could not be read and was left out.
	DeviationUnparsedCertificate Deviation = "cms.unparsed_certificate"
)

// Scheme is a way of signing. Zero is unknown and verifies nothing.
type Scheme uint8

// Signature schemes.
const (
	SchemeUnknown    Scheme = 0
	SchemeRSAPKCS1   Scheme = 1 // RFC 8017:2016 8.2
	SchemeRSAPSS     Scheme = 2 // RFC 8017:2016 8.1, parameters of RFC 4055:2005
	SchemeECDSA      Scheme = 3 // DER value, RFC 3279:2002 2.2.3
	SchemePlainECDSA Scheme = 4 // r||s, BSI TR-03111 v2.10 5.2.1
	SchemeDSA        Scheme = 6 // DER value, RFC 3279:2002 2.2.2
	SchemeRSAUnbound Scheme = 5 // rsaEncryption in SignerInfo: PKCS #1 v1.5 with the digest algorithm named beside it
)

// Algorithm is a signature algorithm with its parameters resolved.
type Algorithm struct {
	OID        string      // dotted decimal, as found
	Scheme     Scheme      // zero when unknown
	Hash       crypto.Hash // zero when unknown or named elsewhere (SchemeRSAUnbound)
	MGFHash    crypto.Hash // RSA-PSS only
	SaltLength int         // bytes, RSA-PSS only
	Err        error       // ErrAlgorithm or ErrForbiddenHash when the algorithm cannot be used
}

// PublicKey is a subject public key. Exactly one of RSA, EC and DSA is set when
// Err is nil.
type PublicKey struct {
	OID      string // algorithm identifier, dotted decimal
	RSA      *RSAKey
	EC       *ECKey
	DSA      *DSAKey
	Explicit bool  // EC parameters were given in full (and checked in full)
	Err      error // why the key cannot be used: ErrKey, ErrCurve, ErrPoint or ErrAlgorithm
}

// RSAKey is an RSA public key: modulus 512 to 16384 bits, odd exponent of at least 3.
type RSAKey struct{ N, E *big.Int }

// ECKey is a public point, checked to be on its curve and not infinity.
type ECKey struct {
	Curve *curve.Curve
	Point curve.Point
}

// KeyUsage bits as in RFC 5280 4.2.1.3.
type KeyUsage uint16

// Key usage bits.
const (
	KeyUsageDigitalSignature KeyUsage = 1
	KeyUsageNonRepudiation   KeyUsage = 2
	KeyUsageKeyEncipherment  KeyUsage = 4
	KeyUsageDataEncipherment KeyUsage = 8
	KeyUsageKeyAgreement     KeyUsage = 16
	KeyUsageCertSign         KeyUsage = 32
	KeyUsageCRLSign          KeyUsage = 64
	KeyUsageEncipherOnly     KeyUsage = 128
	KeyUsageDecipherOnly     KeyUsage = 256
)

// Extension is one certificate or CRL extension, undecoded.
type Extension struct {
	OID      string
	Critical bool
	Value    []byte // content of extnValue
}

// Certificate is a parsed X.509 certificate. All byte slices alias Raw.
type Certificate struct {
	Raw, RawTBS, RawIssuer, RawSubject, RawSPKI, RawSerial []byte

	Version             int // 1, 2 or 3
	Serial              *big.Int
	Issuer, Subject     Name
	NotBefore, NotAfter time.Time // UTC
	Algorithm           Algorithm // outer signatureAlgorithm
	Signature           []byte
	PublicKey           *PublicKey // never nil; see its Err

	Extensions            []Extension
	SubjectKeyID          []byte // nil when absent
	AuthorityKeyID        []byte // nil when absent
	HasKeyUsage           bool
	KeyUsage              KeyUsage
	ExtKeyUsage           []string // OIDs, nil when absent
	HasBasicConstraints   bool
	IsCA                  bool
	MaxPathLen            int // -1 when not limited
	CRLDistributionPoints []string
	PrivateKeyUsageFrom   time.Time // zero when not stated
	PrivateKeyUsageUntil  time.Time // zero when not stated
	DocumentTypes         []string  // documentTypeList 2.23.136.1.1.6.2, nil when absent
	NameChange            bool      // 2.23.136.1.1.6.1
	UnknownCritical       []string  // critical extensions that this package does not know
	Deviations            []Deviation
}

// SignedData is a parsed CMS SignedData. Slices alias the input, or a copy of
// it with definite lengths where it came with indefinite ones.
type SignedData struct {
	Version      int
	EContentType string // OID, see ContentType constants
	EContent     []byte // octets of the content; nil when detached
	Certificates []*Certificate
	CRLs         []*CRL
	Signers      []*Signer
	Deviations   []Deviation

	digested []byte // what the message digest covers; EContent but for PKCS #7 v1.5
}

// Signer is one SignerInfo. Either SubjectKeyID or RawIssuer and Serial name the certificate.
type Signer struct {
	Version      int
	RawIssuer    []byte // DER Name, nil with SubjectKeyID
	Issuer       Name
	Serial       *big.Int
	SubjectKeyID []byte
	Digest       crypto.Hash // digestAlgorithm; zero with DigestErr set
	DigestErr    error       // ErrAlgorithm or ErrForbiddenHash
	Algorithm    Algorithm   // signatureAlgorithm
	Signature    []byte

	SignedAttributes []byte // as they came but re-tagged as SET (0x31): what is signed; nil when absent
	ContentType      string // attribute; "" when absent
	MessageDigest    []byte // attribute; nil when absent
	SigningTime      time.Time
	AttributesErr    error // attributes malformed, repeated or with more than one value
	Deviations       []Deviation

	attributes []der.Element // in encoded order
}

// SignerResult is what verification of one signer found, part by part. A nil
// error means that the part was checked and passed; the zero value of the
// struct is not a pass: use OK.
type SignerResult struct {
	Checked     bool         // set by VerifySigner
	Certificate *Certificate // the certificate the signature was checked with; nil when none fits
	Format      error        // attributes present and consistent with the content type
	Digest      error        // message digest attribute against the content
	Signature   error        // signature over the attributes (or content) under Certificate
	DigestHash  crypto.Hash
	Algorithm   Algorithm // with the hash resolved
	WeakHash    bool      // SHA-1 was used somewhere in this signer's digest or signature
	SigningTime time.Time // the signer's own claim, zero when absent; not to be trusted for validity
	Deviations  []Deviation
}

// OK reports whether every part was checked and passed.
func (r SignerResult) OK() bool {
	return r.Checked && r.Certificate != nil && r.Format == nil && r.Digest == nil && r.Signature == nil
}

// Content types.
const (
	ContentData          = "1.2.840.113549.1.7.1"
	ContentSecurity      = "2.23.136.1.1.1" // LDS security object
	ContentMasterList    = "2.23.136.1.1.2" // CSCA master list
	ContentDeviationList = "2.23.136.1.1.7" // deviation list
)

// legacySecurityObjects are content types of security objects issued before
// Doc 9303 settled on ContentSecurity: ICAO's former arc and the first Dutch
// passports.
var legacySecurityObjects = map[string]bool{"1.3.27.1.1.1": true, "1.2.528.1.1006.1.20.1": true}

// IsSecurityObject reports whether oid is the content type of an LDS security
// object, a legacy one included.
func IsSecurityObject(oid string) bool { return oid == ContentSecurity || legacySecurityObjects[oid] }
