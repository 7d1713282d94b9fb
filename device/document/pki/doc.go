// Package pki reads and verifies what travel documents are signed with:
// X.509 certificates and CRLs (RFC 5280:2008, profiled by ICAO Doc 9303-12,
// 8th edition 2021) and CMS SignedData (RFC 5652:2009) as used by EF.SOD,
// master lists and deviation lists.
//
// The parsers are our own: crypto/x509 refuses more than a quarter of the CSCA
// certificates in use (explicit curve parameters, negative serial numbers,
// unusual exponents). They accept what states really issue, keep every signed
// byte as it came, and say what was odd in Deviations; nothing odd widens what
// a signature covers. What a finding is worth is the caller's policy: this
// package reports SHA-1 as weak and refuses MD2, MD4 and MD5.
//
// All input is treated as hostile: sizes and depth are bounded, malformed
// bytes give a coded error and never a panic. Parsed values are read-only and
// safe for concurrent use.
package pki

import "github.com/watchpost/watchpost/device/fault"

// Errors of parsing.
var (
	// ErrMalformed: the bytes are not the structure asked for.
	ErrMalformed = &fault.Error{Code: "pki.malformed"}
	// ErrTooLarge: the input is over the limit for its kind.
	ErrTooLarge = &fault.Error{Code: "pki.too_large"}
	// ErrContentType: a CMS message is not SignedData, or its content is not of the type asked for.
	ErrContentType = &fault.Error{Code: "pki.content_type"}
)

// Errors of algorithms and keys.
var (
	// ErrAlgorithm: the algorithm or its parameters are not supported.
	ErrAlgorithm = &fault.Error{Code: "pki.algorithm"}
	// ErrForbiddenHash: MD2, MD4 or MD5; never accepted.
	ErrForbiddenHash = &fault.Error{Code: "pki.forbidden_hash"}
	// ErrKey: a public key that is malformed or out of bounds.
	ErrKey = &fault.Error{Code: "pki.key"}
	// ErrCurve: explicit curve parameters that are not, in every value, a curve we know.
	ErrCurve = &fault.Error{Code: "pki.curve"}
	// ErrPoint: a public point that is infinity, out of range or off its curve.
	ErrPoint = &fault.Error{Code: "pki.point"}
)

// Errors of verification.
var (
	// ErrSignature: the signature does not verify.
	ErrSignature = &fault.Error{Code: "pki.signature"}
	// ErrDigest: the message-digest attribute is not the hash of the content.
	ErrDigest = &fault.Error{Code: "pki.digest"}
	// ErrAttributes: the signed attributes are missing, repeated, or contradict the content.
	ErrAttributes = &fault.Error{Code: "pki.attributes"}
	// ErrNoSigner: no certificate fits the signer identifier.
	ErrNoSigner = &fault.Error{Code: "pki.no_signer_certificate"}
)
