package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math/big"
	"testing"

	"github.com/watchpost/watchpost/device/document/pki/der"
)

// dsaGroup draws primes of 1024 and 160 bits and a generator.
func dsaGroup(t *testing.T) *DSAKey {
	t.Helper()
	q, err := rand.Prime(rand.Reader, 160)
	if err != nil {
		t.Fatal(err)
	}
	one := big.NewInt(1)
	double := new(big.Int).Lsh(q, 1)
	p, err := rand.Int(rand.Reader, new(big.Int).Lsh(one, 1022))
	if err != nil {
		t.Fatal(err)
	}
	p.SetBit(p, 1023, 1)
	for p.Sub(p, new(big.Int).Mod(p, double)).Add(p, one); !p.ProbablyPrime(10); p.Add(p, double) {
	}
	g := new(big.Int).Exp(big.NewInt(2), new(big.Int).Div(new(big.Int).Sub(p, one), q), p)
	return &DSAKey{P: p, Q: q, G: g}
}

func integer(v *big.Int) []byte {
	b := v.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return der.Marshal(der.Integer, b)
}

// spki encodes a key, without parameters where it inherits them.
func (k *DSAKey) spki() []byte {
	oid := der.Marshal(der.ObjectID, []byte{0x2A, 0x86, 0x48, 0xCE, 0x38, 0x04, 0x01})
	algorithm := der.Marshal(der.Sequence, oid)
	if k.P != nil {
		algorithm = der.Marshal(der.Sequence, oid, der.Marshal(der.Sequence, integer(k.P), integer(k.Q), integer(k.G)))
	}
	return der.Marshal(der.Sequence, algorithm, der.Marshal(der.BitString, []byte{0}, integer(k.Y)))
}

// TestDSA: a signature by FIPS 186-4 verifies, and nothing near it does; keys
// that are no element of their group are refused.
func TestDSA(t *testing.T) {
	k := dsaGroup(t)
	x := big.NewInt(0x5EC4E7)
	k.Y = new(big.Int).Exp(k.G, x, k.P)
	message := []byte("signed")
	digest := sha256.Sum256(message)
	e := new(big.Int).SetBytes(digest[:20]) // as long as the order
	nonce := big.NewInt(0xC0FFEE)
	r := new(big.Int).Exp(k.G, nonce, k.P)
	r.Mod(r, k.Q)
	s := new(big.Int).Mul(x, r)
	s.Add(s, e).Mul(s, new(big.Int).ModInverse(nonce, k.Q)).Mod(s, k.Q)
	value := func(r, s *big.Int) []byte { return der.Marshal(der.Sequence, integer(r), integer(s)) }
	a := Algorithm{Scheme: SchemeDSA, Hash: crypto.SHA256}

	key, err := ParsePublicKey(k.spki())
	if err != nil || key.Err != nil || key.String() != "DSA 1024" {
		t.Fatalf("%v, %v, %s", err, key.Err, key)
	}
	if err := key.Verify(a, message, value(r, s)); err != nil {
		t.Error(err)
	}
	zero, one := new(big.Int), big.NewInt(1)
	for name, signature := range map[string][]byte{
		"r of zero": value(zero, s), "s of zero": value(r, zero), "r over the order": value(new(big.Int).Add(r, k.Q), s), "s over the order": value(r, new(big.Int).Add(s, k.Q)),
		"another s": value(r, new(big.Int).Add(s, one)), "exchanged": value(s, r), "negative": der.Marshal(der.Sequence, []byte{2, 1, 0x81}, integer(s)), "empty": {},
		"bytes behind": append(value(r, s), 0),
	} {
		if err := key.Verify(a, message, signature); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := key.Verify(a, []byte("another"), value(r, s)); !errors.Is(err, ErrSignature) {
		t.Errorf("another message: %v", err)
	}
	if err := key.Verify(Algorithm{Scheme: SchemeECDSA, Hash: crypto.SHA256}, message, value(r, s)); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("as ECDSA: %v", err)
	}

	child, err := ParsePublicKey((&DSAKey{Y: k.Y}).spki())
	if err != nil || !child.Inherits() || !errors.Is(child.Err, ErrKey) {
		t.Fatalf("%v %+v", err, child)
	}
	if err := child.Verify(a, message, value(r, s)); !errors.Is(err, ErrKey) {
		t.Errorf("without parameters: %v", err)
	}
	if whole := child.WithParameters(key); whole.Err != nil || whole.Verify(a, message, value(r, s)) != nil {
		t.Errorf("with the issuer's parameters: %v", whole.Err)
	}
	if same := child.WithParameters(&PublicKey{}); same != child {
		t.Error("parameters of nobody")
	}
	for name, bad := range map[string]*DSAKey{
		"key of one": {k.P, k.Q, k.G, one}, "key over the prime": {k.P, k.Q, k.G, k.P}, "key of no group": {k.P, k.Q, k.G, new(big.Int).Sub(k.P, one)},
		"generator of one": {k.P, k.Q, one, k.Y}, "order of nothing": {k.P, new(big.Int).Add(k.Q, big.NewInt(2)), k.G, k.Y}, "even prime": {new(big.Int).Add(k.P, one), k.Q, k.G, k.Y},
		"short prime": {big.NewInt(23), big.NewInt(11), big.NewInt(2), big.NewInt(3)}, "long prime": {new(big.Int).SetBit(k.P, 5000, 1), k.Q, k.G, k.Y},
	} {
		if key, err := ParsePublicKey(bad.spki()); err != nil || !errors.Is(key.Err, ErrKey) {
			t.Errorf("%s: %v, %v", name, err, key)
		}
	}
}
