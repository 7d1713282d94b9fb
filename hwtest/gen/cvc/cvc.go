// Package cvc makes card verifiable certificates for terminals that do not
// exist: a country verifying authority (CVCA) with its link, a document
// verifier and an inspection system, of BSI TR-03110-3 (2016), C and D, which
// ICAO Doc 9303-11 and 9303-12 (8th edition, 2021) took over.
//
// Everything is a function of a seed, as in gen/pki, and worth nothing.
package cvc

import (
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

const codeSpec fault.Code = "cvc.spec"

// Roles: the two upper bits of the holder's authorization (BSI TR-03110-3
// (2016), C.4.1).
const (
	RoleInspection = 0x00 // inspection system
	RoleForeignDV  = 0x40 // document verifier of another state
	RoleDomesticDV = 0x80 // document verifier of the issuing state
	RoleCVCA       = 0xC0
)

// Rights of an inspection system, the lower bits.
const (
	RightFinger = 0x01 // DG3
	RightIris   = 0x02 // DG4
	allRights   = RightFinger | RightIris
)

// Object identifiers (BSI TR-03110-3 (2016), A.1.1.3 and C.4.1).
const (
	oidTerminal = "0.4.0.127.0.7.2.2.2"
	oidIS       = "0.4.0.127.0.7.3.1.2.1"
)

// arcs are the last arcs of id-TA by hash.
var (
	arcsPKCS1 = map[string]int{"sha1": 1, "sha256": 2, "sha512": 5}
	arcsPSS   = map[string]int{"sha1": 3, "sha256": 4, "sha512": 6}
	arcsECDSA = map[string]int{"sha1": 1, "sha224": 2, "sha256": 3, "sha384": 4, "sha512": 5}
)

// Algorithm is the identifier of terminal authentication with keys of this scheme.
func Algorithm(s pki.Scheme) (string, error) {
	family, arcs := 2, arcsECDSA
	if len(s.Key) > 4 && s.Key[:4] == "rsa-" {
		family, arcs = 1, arcsPKCS1
		if s.PSS {
			arcs = arcsPSS
		}
	}
	arc := arcs[s.Hash]
	if arc == 0 {
		return "", fault.New(codeSpec, "no terminal authentication with %s and %s", s.Key, s.Hash)
	}
	return fmt.Sprintf("%s.%d.%d", oidTerminal, family, arc), nil
}

// Template says what a certificate states.
type Template struct {
	Authority, Holder string
	Role, Rights      byte
	From, Until       time.Time // days
}

// Certificate is a certificate with its holder's private key.
type Certificate struct {
	Template Template
	Raw      []byte // tag 7F21
	Key      *pki.Key
}

// Issue makes the certificate of key, signed by issuer. Domain parameters of
// curves stand in the certificates of CVCAs only (BSI TR-03110-3 (2016), D.3.3).
func Issue(t Template, key, issuer *pki.Key, random io.Reader) (*Certificate, error) {
	public, err := PublicKey(key, t.Role == RoleCVCA)
	if err != nil {
		return nil, err
	}
	body := der.TLV(0x7F4E,
		der.TLV(0x5F29, []byte{0}),
		der.TLV(0x42, []byte(t.Authority)),
		public,
		der.TLV(0x5F20, []byte(t.Holder)),
		der.TLV(0x7F4C, der.OID(oidIS), der.TLV(0x53, []byte{t.Role | t.Rights})),
		der.TLV(0x5F25, day(t.From)),
		der.TLV(0x5F24, day(t.Until)))
	signature, err := Sign(issuer, random, body)
	if err != nil {
		return nil, err
	}
	return &Certificate{Template: t, Raw: der.TLV(0x7F21, body, der.TLV(0x5F37, signature)), Key: key}, nil
}

// day is YYMMDD, a digit an octet.
func day(t time.Time) []byte {
	digits := []byte(t.UTC().Format("060102"))
	for i := range digits {
		digits[i] -= '0'
	}
	return digits
}

// PublicKey is the data object 7F49 of a key, of a curve with or without its
// domain parameters.
func PublicKey(key *pki.Key, withDomain bool) ([]byte, error) {
	algorithm, err := Algorithm(key.Scheme)
	if err != nil {
		return nil, err
	}
	parts := [][]byte{der.OID(algorithm)}
	if key.RSA != nil {
		return der.TLV(0x7F49, append(parts, der.TLV(0x81, key.RSA.N.Bytes()), der.TLV(0x82, big.NewInt(int64(key.RSA.E)).Bytes()))...), nil
	}
	c := key.Curve
	element := func(v *big.Int) []byte { return v.FillBytes(make([]byte, c.Size())) }
	point := der.TLV(0x86, c.Encode(c.Public(key.D)))
	if !withDomain {
		return der.TLV(0x7F49, append(parts, point)...), nil
	}
	return der.TLV(0x7F49, append(parts, der.TLV(0x81, element(c.P)), der.TLV(0x82, element(c.A)), der.TLV(0x83, element(c.B)),
		der.TLV(0x84, c.Encode(c.G)), der.TLV(0x85, c.N.Bytes()), point, der.TLV(0x87, []byte{1}))...), nil
}

// Sign signs as terminals do: an RSA signature, or the plain pair of an ECDSA
// one (BSI TR-03111 (2018), 5.2.1).
func Sign(key *pki.Key, random io.Reader, message []byte) ([]byte, error) {
	if key.RSA != nil {
		return key.Sign(random, message)
	}
	digest, err := pki.Digest(key.Scheme.Hash, message)
	if err != nil {
		return nil, err
	}
	r, s, err := key.Curve.Sign(random, key.D, digest)
	if err != nil {
		return nil, err
	}
	size := (key.Curve.N.BitLen() + 7) / 8
	return slices.Concat(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))), nil
}
