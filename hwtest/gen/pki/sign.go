package pki

import (
	"crypto"
	_ "crypto/sha1"   // registered for use through crypto.Hash
	_ "crypto/sha256" // registered for use through crypto.Hash
	_ "crypto/sha512" // registered for use through crypto.Hash
	"io"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// hashInfo is one hash function with its identifiers.
type hashInfo struct {
	hash  crypto.Hash
	oid   string // of the function
	rsa   string // of PKCS #1 v1.5 signatures with it
	ecdsa string // of ECDSA signatures with it
}

// hashes are the identifiers of RFC 5754 (2010), RFC 4055 (2005) and RFC 5758
// (2010); SHA-1 is for documents that must be refused or tolerated by policy.
var hashes = map[string]hashInfo{
	"sha1":   {crypto.SHA1, "1.3.14.3.2.26", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"},
	"sha224": {crypto.SHA224, "2.16.840.1.101.3.4.2.4", "1.2.840.113549.1.1.14", "1.2.840.10045.4.3.1"},
	"sha256": {crypto.SHA256, "2.16.840.1.101.3.4.2.1", "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"},
	"sha384": {crypto.SHA384, "2.16.840.1.101.3.4.2.2", "1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"},
	"sha512": {crypto.SHA512, "2.16.840.1.101.3.4.2.3", "1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"},
}

func hashOf(name string) (hashInfo, error) {
	h, ok := hashes[name]
	if !ok {
		return hashInfo{}, fault.New(codeSpec, "no hash function is named %q", name)
	}
	return h, nil
}

func (h hashInfo) sum(data []byte) []byte {
	f := h.hash.New()
	f.Write(data)
	return f.Sum(nil)
}

// identifier is the hash's AlgorithmIdentifier, parameters absent (RFC 5754
// (2010), 2).
func (h hashInfo) identifier() []byte { return der.Seq(der.OID(h.oid)) }

// SignatureAlgorithm is the AlgorithmIdentifier of k's signatures.
func (k *Key) SignatureAlgorithm() ([]byte, error) {
	h, err := hashOf(k.Scheme.Hash)
	if err != nil {
		return nil, err
	}
	switch {
	case k.RSA == nil:
		return der.Seq(der.OID(h.ecdsa)), nil
	case !k.Scheme.PSS:
		return der.Seq(der.OID(h.rsa), der.Null()), nil
	}
	m, err := hashOf(k.Scheme.MGFHash)
	if err != nil {
		return nil, err
	}
	// RSASSA-PSS-params of RFC 4055 (2005), 3.1; defaults are left out as DER asks.
	var params [][]byte
	if k.Scheme.Hash != "sha1" {
		params = append(params, der.Context(0, der.Seq(der.OID(h.oid), der.Null())))
	}
	if k.Scheme.MGFHash != "sha1" {
		params = append(params, der.Context(1, der.Seq(der.OID(oidMGF1), der.Seq(der.OID(m.oid), der.Null()))))
	}
	if n := k.saltLen(h); n != 20 {
		params = append(params, der.Context(2, der.SmallInt(int64(n))))
	}
	return der.Seq(der.OID(oidPSS), der.Seq(params...)), nil
}

func (k *Key) saltLen(h hashInfo) int {
	if k.Scheme.SaltLen > 0 {
		return k.Scheme.SaltLen
	}
	return h.hash.Size()
}

// Sign signs a message under k's scheme: a PKCS #1 signature, or the encoded
// pair of an ECDSA one.
func (k *Key) Sign(random io.Reader, message []byte) ([]byte, error) {
	h, err := hashOf(k.Scheme.Hash)
	if err != nil {
		return nil, err
	}
	digest := h.sum(message)
	switch {
	case k.RSA == nil:
		r, s, err := k.Curve.Sign(random, k.D, digest)
		if err != nil {
			return nil, err
		}
		return der.Seq(der.Int(r), der.Int(s)), nil
	case !k.Scheme.PSS:
		return k.RSA.signPKCS1(h, digest)
	}
	m, err := hashOf(k.Scheme.MGFHash)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, k.saltLen(h))
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, err
	}
	return k.RSA.signPSS(h, m, digest, salt)
}

// Digest hashes data with the function of this name.
func Digest(name string, data []byte) ([]byte, error) {
	h, err := hashOf(name)
	if err != nil {
		return nil, err
	}
	return h.sum(data), nil
}
