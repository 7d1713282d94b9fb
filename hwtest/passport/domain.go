package passport

import (
	"crypto/sha1"
	"io"
	"math/big"

	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/dh"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

// element is an element of a domain: a point, or a number.
type element struct {
	point  curve.Point
	number *big.Int
}

// domain is a group in which keys are agreed.
type domain interface {
	scalar(random io.Reader) (*big.Int, error)
	order() *big.Int
	generator() element
	mul(k *big.Int, e element) element // k times a point, a number to the k-th
	add(a, b element) element
	neutral(e element) bool
	encode(e element) []byte
	decode(data []byte) (element, bool)
	secret(e element) []byte // of a shared element, at full length
	// compress is what stands for a public key in terminal authentication: the
	// x coordinate, or the SHA-1 of the number (BSI TR-03110-3 (2016), A.2.2.3).
	compress(e element, sent []byte) []byte
	algorithm() []byte // AlgorithmIdentifier with the parameters written out
	bits() int         // of the prime
	keyTag() uint32    // of a public key in an authentication token
	// embed makes an element of a pseudo-random number (Doc 9303-11 (2021), 4.4.3.3.2).
	embed(number *big.Int) (element, bool)
}

// firstCurve and lastCurve bound the parameter identifiers of curves (Doc
// 9303-11 (2021), 9.5.1).
const (
	firstCurve = 8
	lastCurve  = 18
)

func domainByPACE(id int) (domain, error) {
	if id >= firstCurve {
		c, err := curve.ByPACE(id)
		return elliptic{c}, err
	}
	g, err := dh.ByPACE(id)
	return finite{g}, err
}

type elliptic struct{ c *curve.Curve }

func (d elliptic) scalar(random io.Reader) (*big.Int, error) { return d.c.Scalar(random) }
func (d elliptic) order() *big.Int                           { return d.c.N }
func (d elliptic) generator() element                        { return element{point: d.c.G} }
func (d elliptic) mul(k *big.Int, e element) element         { return element{point: d.c.Mul(k, e.point)} }
func (d elliptic) add(a, b element) element                  { return element{point: d.c.Add(a.point, b.point)} }
func (d elliptic) neutral(e element) bool                    { return e.point.Infinite() }
func (d elliptic) encode(e element) []byte                   { return d.c.Encode(e.point) }
func (d elliptic) bits() int                                 { return d.c.P.BitLen() }
func (d elliptic) keyTag() uint32                            { return 0x86 }

func (d elliptic) decode(data []byte) (element, bool) {
	p, ok := d.c.Decode(data)
	return element{point: p}, ok
}

func (d elliptic) secret(e element) []byte {
	if e.point.Infinite() {
		return nil
	}
	return e.point.X.FillBytes(make([]byte, d.c.Size()))
}

func (d elliptic) algorithm() []byte { return der.Seq(der.OID(oidECKey), pki.ECParameters(d.c)) }

func (d finite) algorithm() []byte {
	return der.Seq(der.OID(oidDH), der.Seq(der.Int(d.g.P), der.Int(d.g.G), der.Int(d.g.Q)))
}

func (d elliptic) compress(e element, _ []byte) []byte { return d.secret(e) }

// embed is the encoding of Doc 9303-11 (2021), appendix B.1, by solving for a
// square: x is tried where f(x2) is one, else x3 = -t² x2, whose f is one then.
func (d elliptic) embed(t *big.Int) (element, bool) {
	p, a, b := d.c.P, d.c.A, d.c.B
	if p.Bit(1) == 0 {
		return element{}, false // needs p = 3 mod 4
	}
	alpha := new(big.Int).Mul(t, t)
	alpha.Neg(alpha).Mod(alpha, p)
	denominator := new(big.Int).Mul(alpha, alpha)
	denominator.Add(denominator, alpha).Mod(denominator, p)
	if denominator.Sign() == 0 || a.Sign() == 0 {
		return element{}, false
	}
	x2 := new(big.Int).ModInverse(denominator, p)
	x2.Add(x2, big.NewInt(1)).Mul(x2, b).Neg(x2).Mul(x2, new(big.Int).ModInverse(a, p)).Mod(x2, p)
	f := func(x *big.Int) *big.Int {
		v := new(big.Int).Mul(x, x)
		v.Add(v, a).Mul(v, x).Add(v, b)
		return v.Mod(v, p)
	}
	h2 := f(x2)
	// The root is chosen as the appendix computes it: A = h2^(p-1-(p+1)/4), y
	// is A h2 where A² h2 is one, else A t³ h2.
	exponent := new(big.Int).Add(p, big.NewInt(1))
	exponent.Rsh(exponent, 2)
	exponent.Sub(new(big.Int).Sub(p, big.NewInt(1)), exponent)
	root := new(big.Int).Exp(h2, exponent, p)
	square := new(big.Int).Mul(root, root)
	square.Mul(square, h2).Mod(square, p)
	x, y := x2, new(big.Int).Mul(root, h2)
	if square.Cmp(big.NewInt(1)) != 0 {
		x = new(big.Int).Mul(alpha, x2)
		x.Mod(x, p)
		y.Mul(y, new(big.Int).Exp(t, big.NewInt(3), p))
	}
	y.Mod(y, p)
	out := curve.Point{X: x, Y: y}
	return element{point: out}, d.c.OnCurve(out)
}

type finite struct{ g *dh.Group }

func (d finite) scalar(random io.Reader) (*big.Int, error) { return d.g.Scalar(random) }
func (d finite) order() *big.Int                           { return d.g.Q }
func (d finite) generator() element                        { return element{number: d.g.G} }
func (d finite) mul(k *big.Int, e element) element         { return element{number: d.g.Power(e.number, k)} }
func (d finite) add(a, b element) element                  { return element{number: d.g.Product(a.number, b.number)} }
func (d finite) neutral(e element) bool                    { return e.number.Cmp(big.NewInt(1)) == 0 }
func (d finite) bits() int                                 { return d.g.P.BitLen() }
func (d finite) keyTag() uint32                            { return 0x84 }
func (d finite) secret(e element) []byte                   { return d.g.Encode(e.number) }

func (d finite) encode(e element) []byte {
	if e.number == nil {
		return []byte{0}
	}
	return d.g.Encode(e.number)
}

func (d finite) compress(_ element, sent []byte) []byte {
	sum := sha1.Sum(sent)
	return sum[:]
}

func (d finite) decode(data []byte) (element, bool) {
	v, ok := d.g.Decode(data)
	return element{number: v}, ok
}

func (d finite) embed(t *big.Int) (element, bool) {
	cofactor := new(big.Int).Sub(d.g.P, big.NewInt(1))
	v := d.g.Power(t, cofactor.Div(cofactor, d.g.Q))
	return element{number: v}, v.Cmp(big.NewInt(1)) > 0
}
