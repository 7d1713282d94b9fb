package pki

import (
	"math/big"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

const oidDSAKey = "1.2.840.10040.4.1"

// DSAKey is a DSA public key (FIPS 186-4:2013, section 4), which Doc
// 9303-12:2021 4.1.6.2 lets states use. P, Q and G are nil where the
// certificate leaves them to its issuer's (RFC 3279:2002 2.3.2).
type DSAKey struct{ P, Q, G, Y *big.Int }

// Bounds of DSA keys: FIPS 186-2 allowed primes of 512 bits, FIPS 186-4 has up
// to 3072.
const (
	minDSABits   = 512
	maxDSABits   = 4096
	minOrderBits = 160
	maxOrderBits = 256
)

// parseDSA reads a key with its Dss-Parms (RFC 3279:2002 2.3.2). The parameters
// are checked in full but for primality.
func parseDSA(parameters der.Element, has bool, key []byte) (*DSAKey, error) {
	bad := func(err error) (*DSAKey, error) { return nil, fault.Wrap(ErrKey.Code, err) }
	e, rest, err := der.Parse(key)
	if err != nil || e.ID != der.Integer || len(rest) != 0 {
		return nil, fault.New(ErrKey.Code, "DSA key is no integer")
	}
	y, err := e.Int()
	if err != nil {
		return bad(err)
	}
	k := &DSAKey{Y: y}
	if !has || parameters.ID == der.Null {
		return k, fault.New(ErrKey.Code, "DSA parameters are the issuer's")
	}
	if parameters.ID != der.Sequence {
		return nil, fault.New(ErrKey.Code, "DSA parameters are no sequence")
	}
	r := parameters.Reader()
	for _, to := range []**big.Int{&k.P, &k.Q, &k.G} {
		e, err := r.Expect(der.Integer)
		if err != nil {
			return bad(err)
		}
		if *to, err = e.Int(); err != nil {
			return bad(err)
		}
	}
	return k, k.check()
}

func (k *DSAKey) check() error {
	one := big.NewInt(1)
	between := func(v *big.Int) bool { return v.Cmp(one) > 0 && v.Cmp(k.P) < 0 }
	p, q := k.P.BitLen(), k.Q.BitLen()
	switch {
	case k.P.Sign() <= 0 || k.P.Bit(0) == 0 || p < minDSABits || p > maxDSABits || k.Q.Sign() <= 0 || k.Q.Bit(0) == 0 || q < minOrderBits || q > maxOrderBits:
		return fault.New(ErrKey.Code, "DSA primes of %d and %d bits", p, q)
	case new(big.Int).Mod(new(big.Int).Sub(k.P, one), k.Q).Sign() != 0:
		return fault.New(ErrKey.Code, "DSA order divides no order of its field")
	case !between(k.G) || !between(k.Y):
		return fault.New(ErrKey.Code, "DSA generator or key out of range")
	case new(big.Int).Exp(k.G, k.Q, k.P).Cmp(one) != 0 || new(big.Int).Exp(k.Y, k.Q, k.P).Cmp(one) != 0:
		return fault.New(ErrKey.Code, "DSA generator or key is not of the group")
	}
	return nil
}

// Inherits reports whether the key takes its parameters from its issuer's.
func (k *PublicKey) Inherits() bool { return k.DSA != nil && k.DSA.P == nil }

// WithParameters returns the key with the parameters of its issuer's, the key
// itself where it needs none or the issuer's has none.
func (k *PublicKey) WithParameters(issuer *PublicKey) *PublicKey {
	if !k.Inherits() || issuer.DSA == nil || issuer.Err != nil {
		return k
	}
	from := issuer.DSA
	whole := &DSAKey{P: from.P, Q: from.Q, G: from.G, Y: k.DSA.Y}
	return &PublicKey{OID: k.OID, DSA: whole, Err: whole.check()}
}

// verify is FIPS 186-4:2013, 4.7.
func (k *DSAKey) verify(digest []byte, r, s *big.Int) error {
	bad := fault.New(ErrSignature.Code, "DSA signature does not verify")
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(k.Q) >= 0 || s.Cmp(k.Q) >= 0 {
		return bad
	}
	w := new(big.Int).ModInverse(s, k.Q)
	if w == nil {
		return bad // the order is no prime
	}
	e := new(big.Int).SetBytes(digest)
	if excess := 8*len(digest) - k.Q.BitLen(); excess > 0 {
		e.Rsh(e, uint(excess))
	}
	u1 := e.Mul(e, w).Mod(e, k.Q)
	u2 := w.Mul(r, w).Mod(w, k.Q)
	v := new(big.Int).Exp(k.G, u1, k.P)
	v.Mul(v, new(big.Int).Exp(k.Y, u2, k.P)).Mod(v, k.P).Mod(v, k.Q)
	if v.Cmp(r) != 0 {
		return bad
	}
	return nil
}
