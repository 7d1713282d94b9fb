// Package chipauth is Chip Authentication version 1, the inspection system's
// side (Doc 9303-11, 8th edition 2021, 6.2): a key agreement with the chip's
// static key, over elliptic curves and over multiplicative groups. Its keys
// replace those of access control; that the chip can answer under them is the
// proof that it holds the private key.
package chipauth

import (
	"crypto/sha1"
	"io"
	"math/big"

	"github.com/watchpost/watchpost/device/document/emrtd/pace"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrKey: a static key that cannot be used.
var ErrKey = &fault.Error{Code: "ca.key"}

// Object identifiers of public keys.
const (
	oidStandardized = "0.4.0.127.0.7.1.2"    // standardizedDomainParameters, BSI TR-03110-3 v2.21, A.2.1.1
	oidPKCS3        = "1.2.840.113549.1.3.1" // dhKeyAgreement: p, g
	oidX942         = "1.2.840.10046.2.1"    // dhPublicNumber: p, g, q
)

// Bounds of multiplicative groups in bits: under 1024 a key proves nothing,
// over 8192 it costs a reader seconds.
const (
	minPrimeBits = 1024
	maxPrimeBits = 8192
	blindBits    = 512 // private exponent where the order is not known
)

// Key is a static public key of a chip, on a curve or in a group.
type Key struct {
	curve *curve.Curve
	point curve.Point

	p, g, q, y *big.Int // q may be nil
}

// ParseKey reads a SubjectPublicKeyInfo.
func ParseKey(spki []byte) (*Key, error) {
	outer, err := der.ParseStrict(spki)
	if err != nil || outer.ID != der.Sequence {
		return nil, fault.New(ErrKey.Code, "not a public key")
	}
	r := outer.Reader()
	algorithm, err := r.Expect(der.Sequence)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	bits, err := r.Expect(der.BitString)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	key, unused, err := bits.Bits()
	if err != nil || unused != 0 {
		return nil, fault.New(ErrKey.Code, "key is not a string of octets")
	}
	a := algorithm.Reader()
	name, err := a.Expect(der.ObjectID)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	oid, err := name.OID()
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	switch oid {
	case oidStandardized:
		return standardized(a, key)
	case oidPKCS3, oidX942:
		return finite(a, key, oid == oidX942)
	}
	k, err := pki.ParsePublicKey(spki)
	switch {
	case err != nil:
		return nil, fault.Wrap(ErrKey.Code, err)
	case k.Err != nil:
		return nil, fault.Wrap(ErrKey.Code, k.Err)
	case k.EC == nil:
		return nil, fault.New(ErrKey.Code, "%s agrees no keys", k)
	}
	return &Key{curve: k.EC.Curve, point: k.EC.Point}, nil
}

// standardized reads a key under a parameter id of Doc 9303-11, 9.5.1.
func standardized(parameters *der.Reader, key []byte) (*Key, error) {
	number, err := parameters.Expect(der.Integer)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	id, err := number.SmallInt(31)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	if c := pace.StandardCurve(id); c != nil {
		p, err := c.Unmarshal(key)
		if err != nil {
			return nil, fault.Wrap(ErrKey.Code, err)
		}
		return &Key{curve: c, point: p}, nil
	}
	p, g, q, ok := pace.StandardGroup(id)
	if !ok {
		return nil, fault.New(ErrKey.Code, "domain parameters %d", id)
	}
	return publicNumber(&Key{p: p, g: g, q: q}, key)
}

// finite reads a Diffie-Hellman key with its own group.
func finite(parameters *der.Reader, key []byte, ordered bool) (*Key, error) {
	sequence, err := parameters.Expect(der.Sequence)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	var k Key
	numbers := []**big.Int{&k.p, &k.g}
	if ordered {
		numbers = append(numbers, &k.q)
	}
	r := sequence.Reader()
	for _, n := range numbers {
		e, err := r.Expect(der.Integer)
		if err != nil {
			return nil, fault.Wrap(ErrKey.Code, err)
		}
		if *n, err = e.StrictUint(); err != nil {
			return nil, fault.Wrap(ErrKey.Code, err)
		}
	}
	one := big.NewInt(1)
	if k.p.BitLen() < minPrimeBits || k.p.BitLen() > maxPrimeBits || k.p.Bit(0) == 0 ||
		k.g.Cmp(one) <= 0 || k.g.Cmp(k.p) >= 0 || k.q != nil && (k.q.BitLen() < 160 || k.q.Cmp(k.p) >= 0) {
		return nil, fault.New(ErrKey.Code, "group of %d bits out of bounds", k.p.BitLen())
	}
	return publicNumber(&k, key)
}

// publicNumber takes the INTEGER in key as the public number of k.
func publicNumber(k *Key, key []byte) (*Key, error) {
	e, err := der.ParseStrict(key)
	if err != nil || e.ID != der.Integer {
		return nil, fault.New(ErrKey.Code, "public number is no INTEGER")
	}
	if k.y, err = e.StrictUint(); err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	one := big.NewInt(1)
	if k.y.Cmp(one) <= 0 || k.y.Cmp(new(big.Int).Sub(k.p, one)) >= 0 {
		return nil, fault.New(ErrKey.Code, "public number out of range")
	}
	if k.q != nil && new(big.Int).Exp(k.y, k.q, k.p).Cmp(one) != 0 {
		return nil, fault.New(ErrKey.Code, "public number is not of the group")
	}
	return k, nil
}

// Elliptic returns curve and point, nil and the zero point for other keys.
func (k *Key) Elliptic() (*curve.Curve, curve.Point) { return k.curve, k.point }

// Domain names curve or group.
func (k *Key) Domain() string {
	if k.curve != nil {
		return k.curve.Name
	}
	return "modp" + big.NewInt(int64(k.p.BitLen())).String()
}

// agreed is a key agreement with the chip.
type agreed struct {
	public     []byte // our ephemeral key, encoded
	compressed []byte // the same as Terminal Authentication names it
	secret     []byte // x coordinate or number at full length
}

// maxRedraws bounds the draws of an ephemeral number without a leading zero;
// one in 256 has one.
const maxRedraws = 16

// agree draws an ephemeral key and agrees.
func (k *Key) agree(random io.Reader) (agreed, error) {
	if k.curve != nil {
		private, err := pace.Scalar(random, k.curve.N)
		if err != nil {
			return agreed{}, err
		}
		own := k.curve.ScalarBaseMult(private)
		return agreed{
			public: k.curve.Marshal(own), compressed: k.curve.CoordinateBytes(own.X),
			secret: k.curve.CoordinateBytes(k.curve.ScalarMult(k.point, private).X),
		}, nil
	}
	order := k.q
	if order == nil {
		order = new(big.Int).Lsh(big.NewInt(1), blindBits)
	}
	full := func(v *big.Int) []byte { return v.FillBytes(make([]byte, (k.p.BitLen()+7)/8)) }
	var private *big.Int
	var own []byte
	// A number without leading zeros is the same whether they are sent or not.
	for redraws := maxRedraws; own == nil || own[0] == 0 && redraws > 0; redraws-- {
		var err error
		if private, err = pace.Scalar(random, order); err != nil {
			return agreed{}, err
		}
		own = full(new(big.Int).Exp(k.g, private, k.p))
	}
	sum := sha1.Sum(own) // BSI TR-03110-3 v2.21, A.2.2.3
	return agreed{public: own, compressed: sum[:], secret: full(new(big.Int).Exp(k.y, private, k.p))}, nil
}
