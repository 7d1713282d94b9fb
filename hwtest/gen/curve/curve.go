// Package curve is plain arithmetic on the elliptic curves of travel
// documents, for the side that plays the document: y² = x³ + ax + b over a
// prime field with any a, so that named, explicit, twisted and deliberately
// wrong parameters are all one case. It is slow, leaks timing, and must never
// guard anything but test documents.
//
// The product uses other code for the same curves on purpose.
package curve

import (
	"io"
	"math/big"

	"github.com/watchpost/watchpost/device/fault"
)

const codeCurve fault.Code = "curve.unknown"

type parameters struct {
	name, oid          string
	pace               int
	p, a, b, gx, gy, n string
}

// Curve is one set of domain parameters, cofactor 1. It is read only.
type Curve struct {
	Name string
	OID  string // of the named curve, "" for none
	PACE int    // standardised domain parameters of Doc 9303-11 (2021), table 8; 0 is none
	P    *big.Int
	A, B *big.Int
	G    Point
	N    *big.Int
}

// Point is an affine point; X nil is the point at infinity.
type Point struct{ X, Y *big.Int }

// Infinite reports whether p is the point at infinity.
func (p Point) Infinite() bool { return p.X == nil }

// ByName returns the curve of this name: secp192r1 to secp521r1, secp256k1,
// brainpoolP192r1 to brainpoolP512r1, brainpoolP256t1, brainpoolP384t1.
func ByName(name string) (*Curve, error) {
	for _, p := range table {
		if p.name == name {
			return p.curve(), nil
		}
	}
	return nil, fault.New(codeCurve, "no curve is named %q", name)
}

// ByPACE returns the curve with these standardised domain parameters, 8 to 18.
func ByPACE(id int) (*Curve, error) {
	for _, p := range table {
		if id != 0 && p.pace == id {
			return p.curve(), nil
		}
	}
	return nil, fault.New(codeCurve, "no curve has the PACE parameters %d", id)
}

// Names returns the names of all curves.
func Names() []string {
	var out []string
	for _, p := range table {
		out = append(out, p.name)
	}
	return out
}

func (p parameters) curve() *Curve {
	return &Curve{
		Name: p.name, OID: p.oid, PACE: p.pace,
		P: hex(p.p), A: hex(p.a), B: hex(p.b), G: Point{hex(p.gx), hex(p.gy)}, N: hex(p.n),
	}
}

func hex(s string) *big.Int {
	v, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("curve: a number of the table is not hexadecimal: " + s)
	}
	return v
}

// Size is the number of octets of a field element.
func (c *Curve) Size() int { return (c.P.BitLen() + 7) / 8 }

// OnCurve reports whether p is a point of c and not infinity.
func (c *Curve) OnCurve(p Point) bool {
	if p.Infinite() || p.X.Sign() < 0 || p.Y.Sign() < 0 || p.X.Cmp(c.P) >= 0 || p.Y.Cmp(c.P) >= 0 {
		return false
	}
	left := new(big.Int).Mul(p.Y, p.Y)
	right := new(big.Int).Mul(p.X, p.X)
	right.Add(right, c.A).Mul(right, p.X).Add(right, c.B)
	return left.Sub(left, right).Mod(left, c.P).Sign() == 0
}

// Encode writes a point uncompressed: 04, x and y at full length (SEC 1
// (2009), 2.3.3), and 00 for infinity.
func (c *Curve) Encode(p Point) []byte {
	if p.Infinite() {
		return []byte{0}
	}
	size := c.Size()
	out := make([]byte, 1+2*size)
	out[0] = 4
	p.X.FillBytes(out[1 : 1+size])
	p.Y.FillBytes(out[1+size:])
	return out
}

// Decode reads an uncompressed point and checks that it is on the curve.
func (c *Curve) Decode(data []byte) (Point, bool) {
	size := c.Size()
	if len(data) != 1+2*size || data[0] != 4 {
		return Point{}, false
	}
	p := Point{new(big.Int).SetBytes(data[1 : 1+size]), new(big.Int).SetBytes(data[1+size:])}
	return p, c.OnCurve(p)
}

// Scalar draws a private key from random, 1 to N-1. The same octets give the
// same key.
func (c *Curve) Scalar(random io.Reader) (*big.Int, error) {
	wide := make([]byte, (c.N.BitLen()+7)/8+8) // 64 bits more than N: no bias worth the name
	if _, err := io.ReadFull(random, wide); err != nil {
		return nil, err
	}
	k := new(big.Int).SetBytes(wide)
	k.Mod(k, new(big.Int).Sub(c.N, big.NewInt(1)))
	return k.Add(k, big.NewInt(1)), nil
}

// Shared is the x coordinate of k·p at the full length of a field element:
// leading zero octets stay (Doc 9303-11 (2021), 9.4.2).
func (c *Curve) Shared(k *big.Int, p Point) []byte {
	q := c.Mul(k, p)
	if q.Infinite() {
		return nil
	}
	return q.X.FillBytes(make([]byte, c.Size()))
}
