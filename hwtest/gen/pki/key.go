// Package pki makes the certificates, lists and signed objects of travel
// document issuers that do not exist: CSCA and link certificates, document
// signers, CRLs, master lists and document security objects, of ICAO Doc
// 9303-12 and 9303-10 (8th edition, 2021), RFC 5280 (2008) and RFC 5652 (2009).
//
// Everything is a function of a seed, so that two processes that are given the
// same Spec have the same keys and the same octets. Defects are made on
// purpose and named. The package shares no code with the product's parsers.
// Keys made here are worth nothing: anyone can make them again.
package pki

import (
	"crypto/sha1"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

const codeSpec fault.Code = "pki.spec"

// Scheme is a kind of key and a way to sign with it.
type Scheme struct {
	Key      string `yaml:"key,omitempty" json:"key,omitempty"`           // "rsa-2048" (any even size from 1024), or a curve's name; brainpoolP256r1 by default
	Exponent int    `yaml:"exponent,omitempty" json:"exponent,omitempty"` // RSA public exponent, 65537 by default
	Hash     string `yaml:"hash,omitempty" json:"hash,omitempty"`         // sha1, sha224, sha256 (default), sha384, sha512
	PSS      bool   `yaml:"pss,omitempty" json:"pss,omitempty"`           // RSA with RSASSA-PSS, not PKCS #1 v1.5
	SaltLen  int    `yaml:"salt_len,omitempty" json:"salt_len,omitempty"` // PSS salt in octets, the hash's length by default
	MGFHash  string `yaml:"mgf_hash,omitempty" json:"mgf_hash,omitempty"` // hash of the PSS mask, the same as Hash by default
	Explicit bool   `yaml:"explicit,omitempty" json:"explicit,omitempty"` // domain parameters written out in place of the curve's name
}

func (s Scheme) withDefaults() Scheme {
	if s.Key == "" {
		s.Key = "brainpoolP256r1"
	}
	if s.Hash == "" {
		s.Hash = "sha256"
	}
	if s.Exponent == 0 {
		s.Exponent = 65537
	}
	if s.MGFHash == "" {
		s.MGFHash = s.Hash
	}
	return s
}

// Key is a private key with its scheme: RSA where RSA is set, else a scalar D
// on Curve.
type Key struct {
	Scheme Scheme
	RSA    *RSAKey
	Curve  *curve.Curve
	D      *big.Int
}

// NewKey makes the key of this scheme from random: the same octets give the
// same key.
func NewKey(s Scheme, random io.Reader) (*Key, error) {
	s = s.withDefaults()
	if _, err := hashOf(s.Hash); err != nil {
		return nil, err
	}
	if _, err := hashOf(s.MGFHash); err != nil {
		return nil, err
	}
	if bits, ok := strings.CutPrefix(s.Key, "rsa-"); ok {
		n, err := strconv.Atoi(bits)
		if err != nil || n < 1024 || n > 8192 || n%2 != 0 || s.Exponent < 3 || s.Exponent%2 == 0 {
			return nil, fault.New(codeSpec, "no RSA key of the kind %q with exponent %d", s.Key, s.Exponent)
		}
		key, err := newRSA(n, s.Exponent, random)
		if err != nil {
			return nil, err
		}
		return &Key{Scheme: s, RSA: key}, nil
	}
	c, err := curve.ByName(s.Key)
	if err != nil {
		return nil, fault.Wrap(codeSpec, err)
	}
	d, err := c.Scalar(random)
	if err != nil {
		return nil, err
	}
	return &Key{Scheme: s, Curve: c, D: d}, nil
}

// Object identifiers of keys (RFC 3279 (2002), 2.3; RFC 4055 (2005)).
const (
	oidRSA        = "1.2.840.113549.1.1.1"
	oidPSS        = "1.2.840.113549.1.1.10"
	oidMGF1       = "1.2.840.113549.1.1.8"
	oidECKey      = "1.2.840.10045.2.1"
	oidPrimeField = "1.2.840.10045.1.1"
)

// PublicKey is the encoded SubjectPublicKeyInfo.
func (k *Key) PublicKey() []byte {
	if k.RSA != nil {
		return der.Seq(der.Seq(der.OID(oidRSA), der.Null()), der.Bits(k.RSA.public()))
	}
	return der.Seq(der.Seq(der.OID(oidECKey), k.parameters()), der.Bits(k.point()))
}

func (k *Key) point() []byte { return k.Curve.Encode(k.Curve.Public(k.D)) }

// parameters is the curve by name, or written out.
func (k *Key) parameters() []byte {
	if !k.Scheme.Explicit {
		return der.OID(k.Curve.OID)
	}
	return ECParameters(k.Curve)
}

// ECParameters writes a curve's domain parameters out (RFC 3279 (2002), 2.3.5).
func ECParameters(c *curve.Curve) []byte {
	element := func(v *big.Int) []byte { return der.Octets(v.FillBytes(make([]byte, c.Size()))) }
	return der.Seq(
		der.SmallInt(1),
		der.Seq(der.OID(oidPrimeField), der.Int(c.P)),
		der.Seq(element(c.A), element(c.B)),
		der.Octets(c.Encode(c.G)),
		der.Int(c.N),
		der.SmallInt(1),
	)
}

// identifier is the key identifier of RFC 5280 (2008), 4.2.1.2, method 1.
func (k *Key) identifier() []byte {
	var content []byte
	if k.RSA != nil {
		content = k.RSA.public()
	} else {
		content = k.point()
	}
	sum := sha1.Sum(content)
	return sum[:]
}
