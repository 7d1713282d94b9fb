// Package pkitest makes certificates, CRLs and CMS messages for tests of the
// document packages, odd ones included. It builds DER by hand, so that a test
// can set any byte that an issuer may get wrong.
package pkitest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // key identifiers
	"math/big"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/document/pki/der"
)

// Key is a private key for tests: RSA or a point on any known curve.
type Key struct {
	RSA      *rsa.PrivateKey
	Curve    *curve.Curve
	D        *big.Int
	Explicit bool // write the curve's parameters in full
	// Parameters, when set, are written in the place of the curve's own.
	Parameters []byte
}

// NewRSA makes an RSA key.
func NewRSA(t testing.TB, bits int) *Key {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return &Key{RSA: k}
}

// NewEC makes a key on a named curve.
func NewEC(t testing.TB, name string) *Key {
	t.Helper()
	c := curve.ByName(name)
	if c == nil {
		t.Fatalf("no curve %s", name)
	}
	d, err := rand.Int(rand.Reader, new(big.Int).Sub(c.N, big.NewInt(1)))
	if err != nil {
		t.Fatal(err)
	}
	return &Key{Curve: c, D: d.Add(d, big.NewInt(1))}
}

// public returns the content of the subjectPublicKey bit string.
func (k *Key) public() []byte {
	if k.RSA != nil {
		return der.Marshal(der.Sequence, Int(k.RSA.N), Int(big.NewInt(int64(k.RSA.E))))
	}
	return k.Curve.Marshal(k.Curve.ScalarBaseMult(k.D))
}

// ID is the key identifier by method 1 of RFC 5280 4.2.1.2.
func (k *Key) ID() []byte {
	sum := sha1.Sum(k.public())
	return sum[:]
}

// SPKI returns the SubjectPublicKeyInfo.
func (k *Key) SPKI() []byte {
	bits := der.Marshal(der.BitString, []byte{0}, k.public())
	if k.RSA != nil {
		return der.Marshal(der.Sequence, der.Marshal(der.Sequence, OID(1, 2, 840, 113549, 1, 1, 1), Null), bits)
	}
	parameters := k.Parameters
	switch {
	case parameters != nil:
	case k.Explicit:
		parameters = ExplicitParameters(k.Curve.P, k.Curve.A, k.Curve.B, k.Curve.Marshal(k.Curve.G), k.Curve.N, big.NewInt(1))
	default:
		parameters = oidOf(k.Curve.OID)
	}
	return der.Marshal(der.Sequence, der.Marshal(der.Sequence, OID(1, 2, 840, 10045, 2, 1), parameters), bits)
}

// ExplicitParameters encodes ECParameters; h may be nil.
func ExplicitParameters(p, a, b *big.Int, g []byte, n, h *big.Int) []byte {
	size := (p.BitLen() + 7) / 8
	parts := [][]byte{Int(big.NewInt(1)), der.Marshal(der.Sequence, OID(1, 2, 840, 10045, 1, 1), Int(p)),
		der.Marshal(der.Sequence, der.Marshal(der.OctetString, a.FillBytes(make([]byte, size))), der.Marshal(der.OctetString, b.FillBytes(make([]byte, size)))),
		der.Marshal(der.OctetString, g), Int(n)}
	if h != nil {
		parts = append(parts, Int(h))
	}
	return der.Marshal(der.Sequence, parts...)
}

// Algorithm is a signature algorithm to sign with.
type Algorithm struct {
	Hash  crypto.Hash
	PSS   bool
	Salt  int         // bytes, PSS
	MGF   crypto.Hash // PSS; zero means Hash
	Plain bool        // ECDSA as r||s under its own OID
	Raw   []byte      // AlgorithmIdentifier to write in the place of the true one
}

// Identifier encodes the AlgorithmIdentifier for a key.
func (a Algorithm) Identifier(k *Key) []byte {
	if a.Raw != nil {
		return a.Raw
	}
	order := map[crypto.Hash]int{crypto.SHA1: 0, crypto.SHA224: 1, crypto.SHA256: 2, crypto.SHA384: 3, crypto.SHA512: 4}[a.Hash]
	switch {
	case a.PSS:
		return der.Marshal(der.Sequence, OID(1, 2, 840, 113549, 1, 1, 10), der.Marshal(der.Sequence,
			der.Marshal(der.ContextConstructed(0), HashIdentifier(a.Hash)),
			der.Marshal(der.ContextConstructed(1), der.Marshal(der.Sequence, OID(1, 2, 840, 113549, 1, 1, 8), HashIdentifier(a.mgf()))),
			der.Marshal(der.ContextConstructed(2), Int(big.NewInt(int64(a.Salt))))))
	case k.RSA != nil:
		return der.Marshal(der.Sequence, OID(1, 2, 840, 113549, 1, 1, []int{5, 14, 11, 12, 13}[order]), Null)
	case a.Plain:
		return der.Marshal(der.Sequence, OID(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 1+order))
	case a.Hash == crypto.SHA1:
		return der.Marshal(der.Sequence, OID(1, 2, 840, 10045, 4, 1))
	}
	return der.Marshal(der.Sequence, OID(1, 2, 840, 10045, 4, 3, order))
}

func (a Algorithm) mgf() crypto.Hash {
	if a.MGF != 0 {
		return a.MGF
	}
	return a.Hash
}

// HashIdentifier encodes a digest AlgorithmIdentifier.
func HashIdentifier(h crypto.Hash) []byte {
	if h == crypto.SHA1 {
		return der.Marshal(der.Sequence, OID(1, 3, 14, 3, 2, 26), Null)
	}
	last := map[crypto.Hash]int{crypto.SHA256: 1, crypto.SHA384: 2, crypto.SHA512: 3, crypto.SHA224: 4}[h]
	return der.Marshal(der.Sequence, OID(2, 16, 840, 1, 101, 3, 4, 2, last), Null)
}

// Sign signs message. PSS uses one hash for both purposes.
func (k *Key) Sign(t testing.TB, a Algorithm, message []byte) []byte {
	t.Helper()
	h := a.Hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	if k.RSA != nil {
		var s []byte
		var err error
		if a.PSS {
			s, err = rsa.SignPSS(rand.Reader, k.RSA, a.Hash, digest, &rsa.PSSOptions{SaltLength: a.Salt})
		} else {
			s, err = rsa.SignPKCS1v15(rand.Reader, k.RSA, a.Hash, digest)
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r, s := k.ecdsa(t, digest)
	if a.Plain {
		n := k.Curve.OrderBytes()
		return append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...)
	}
	return der.Marshal(der.Sequence, Int(r), Int(s))
}

func (k *Key) ecdsa(t testing.TB, digest []byte) (r, s *big.Int) {
	t.Helper()
	n := k.Curve.N
	e := new(big.Int).SetBytes(digest)
	if excess := 8*len(digest) - n.BitLen(); excess > 0 {
		e.Rsh(e, uint(excess))
	}
	for {
		nonce, err := rand.Int(rand.Reader, n)
		if err != nil {
			t.Fatal(err)
		}
		if nonce.Sign() == 0 {
			continue
		}
		r = new(big.Int).Mod(k.Curve.ScalarBaseMult(nonce).X, n)
		s = new(big.Int).Mul(r, k.D)
		s.Add(s, e).Mul(s, nonce.ModInverse(nonce, n)).Mod(s, n)
		if r.Sign() != 0 && s.Sign() != 0 {
			return r, s
		}
	}
}

// Null is the encoding of NULL.
var Null = []byte{5, 0}

// Int encodes an INTEGER of any sign.
func Int(v *big.Int) []byte {
	if v.Sign() >= 0 {
		return der.Marshal(der.Integer, append(make([]byte, 1-min(1, v.BitLen()%8)), v.Bytes()...))
	}
	size := v.BitLen()/8 + 1
	return der.Marshal(der.Integer, new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*size))).FillBytes(make([]byte, size)))
}

// OID encodes an object identifier.
func OID(arcs ...int) []byte {
	b := base128(nil, 40*arcs[0]+arcs[1])
	for _, a := range arcs[2:] {
		b = base128(b, a)
	}
	return der.Marshal(der.ObjectID, b)
}

func base128(b []byte, v int) []byte {
	var digits []byte
	for digits = []byte{byte(v & 0x7F)}; v > 0x7F; {
		v >>= 7
		digits = append([]byte{byte(v&0x7F) | 0x80}, digits...)
	}
	return append(b, digits...)
}

// oidOf encodes a dotted-decimal object identifier.
func oidOf(dotted string) []byte {
	var arcs []int
	v := 0
	for _, c := range dotted + "." {
		if c == '.' {
			arcs = append(arcs, v)
			v = 0
			continue
		}
		v = 10*v + int(c-'0')
	}
	return OID(arcs...)
}

// Time encodes a time as RFC 5280 4.1.2.5 asks.
func Time(v time.Time) []byte {
	if v.Year() < 2050 {
		return der.Marshal(der.UTCTime, []byte(v.UTC().Format("060102150405Z")))
	}
	return der.Marshal(der.GeneralizedTime, []byte(v.UTC().Format("20060102150405Z")))
}

// Name encodes a name of country, organisation and common name; empty parts are left out.
func Name(country, organization, common string) []byte {
	var rdns [][]byte
	for _, a := range []struct {
		last  int
		value string
	}{{6, country}, {10, organization}, {3, common}} {
		if a.value != "" {
			rdns = append(rdns, der.Marshal(der.Set, der.Marshal(der.Sequence, OID(2, 5, 4, a.last), der.Marshal(der.PrintableString, []byte(a.value)))))
		}
	}
	return der.Marshal(der.Sequence, rdns...)
}
