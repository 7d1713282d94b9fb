// Package curve implements the elliptic curves over prime fields that travel
// documents use: NIST P-192 to P-521, brainpool r1 and t1 from 160 to 512
// bits, secp256k1 and FRP256v1.
//
// It runs in variable time. That is no loss when verifying signatures; a
// caller that does key agreement must use ephemeral scalars only.
package curve

import (
	"math/big"
	"sync"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrPoint: a point that is infinity, out of range, off the curve or badly encoded.
var ErrPoint = &fault.Error{Code: "curve.point"}

// Curve is a short Weierstrass curve y² = x³ + ax + b over a prime field, with
// cofactor 1. It is read-only and safe for concurrent use; callers must not
// change its numbers.
type Curve struct {
	Name    string // "P-256", "brainpoolP256r1", "secp256k1", "FRP256v1"
	OID     string // dotted decimal
	P, A, B *big.Int
	G       Point
	N       *big.Int // order of G, a prime

	field      *field
	a, b       element
	generators func() *window
}

// Point is an affine point. The zero value is the point at infinity.
type Point struct{ X, Y *big.Int }

// IsInfinity reports whether p is the neutral element.
func (p Point) IsInfinity() bool { return p.X == nil || p.Y == nil }

// Equal reports whether both are the same point.
func (p Point) Equal(q Point) bool {
	if p.IsInfinity() || q.IsInfinity() {
		return p.IsInfinity() && q.IsInfinity()
	}
	return p.X.Cmp(q.X) == 0 && p.Y.Cmp(q.Y) == 0
}

// known builds the table once, when it is first asked for.
var known = sync.OnceValue(func() []*Curve {
	all := make([]*Curve, len(table))
	for i, t := range table {
		all[i] = build(t)
	}
	return all
})

func build(t parameters) *Curve {
	c := &Curve{Name: t.name, OID: t.oid, P: number(t.p), A: number(t.a), B: number(t.b),
		G: Point{X: number(t.gx), Y: number(t.gy)}, N: number(t.n)}
	c.field = newField(c.P)
	c.a, c.b = c.field.fromBig(c.A), c.field.fromBig(c.B)
	c.generators = sync.OnceValue(func() *window {
		g := c.toJacobian(c.G)
		return c.newWindow(&g)
	})
	return c
}

func number(hex string) *big.Int {
	v, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic("curve: constant is not hexadecimal")
	}
	return v
}

// All returns every known curve, in a slice that the caller owns.
func All() []*Curve { return append([]*Curve(nil), known()...) }

// ByName returns the curve of that name, or nil.
func ByName(name string) *Curve {
	for _, c := range known() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// ByOID returns the curve of that dotted-decimal object identifier, or nil.
func ByOID(oid string) *Curve {
	for _, c := range known() {
		if c.OID == oid {
			return c
		}
	}
	return nil
}

// ByParameters returns the curve that equals every given value, or nil. A nil
// cofactor is taken as not stated. No value is left out of the comparison: a
// curve that shares only its prime with a known one is another curve, on which
// anyone could know the discrete logarithm of a chosen key (CVE-2020-0601).
func ByParameters(p, a, b *big.Int, g Point, n, cofactor *big.Int) *Curve {
	if cofactor != nil && cofactor.Cmp(big.NewInt(1)) != 0 {
		return nil
	}
	if p == nil || a == nil || b == nil || n == nil {
		return nil
	}
	for _, c := range known() {
		if c.P.Cmp(p) == 0 && c.A.Cmp(a) == 0 && c.B.Cmp(b) == 0 && c.N.Cmp(n) == 0 && c.G.Equal(g) {
			return c
		}
	}
	return nil
}

// FieldBytes is the length in bytes of one coordinate.
func (c *Curve) FieldBytes() int { return (c.P.BitLen() + 7) / 8 }

// OrderBytes is the length in bytes of a scalar.
func (c *Curve) OrderBytes() int { return (c.N.BitLen() + 7) / 8 }

// IsOnCurve reports whether p is a point of c other than infinity, with
// coordinates in range.
func (c *Curve) IsOnCurve(p Point) bool {
	if p.IsInfinity() || p.X.Sign() < 0 || p.Y.Sign() < 0 || p.X.Cmp(c.P) >= 0 || p.Y.Cmp(c.P) >= 0 {
		return false
	}
	f := c.field
	x, y := f.fromBig(p.X), f.fromBig(p.Y)
	var left, right element
	f.mul(&left, &y, &y)
	f.mul(&right, &x, &x)
	f.add(&right, &right, &c.a)
	f.mul(&right, &right, &x)
	f.add(&right, &right, &c.b)
	return left == right
}

// Marshal encodes p uncompressed, 04 || X || Y, each coordinate at its full
// length (SEC 1 v2.0:2009 2.3.3). It returns nil for infinity.
func (c *Curve) Marshal(p Point) []byte {
	if p.IsInfinity() {
		return nil
	}
	n := c.FieldBytes()
	out := make([]byte, 1+2*n)
	out[0] = 4
	p.X.FillBytes(out[1 : 1+n])
	p.Y.FillBytes(out[1+n:])
	return out
}

// CoordinateBytes encodes a field element at its full length, as a shared
// secret must be (Doc 9303-11:2021 9.7.1 takes the x coordinate with its
// leading zeros). v must be below P and not negative.
func (c *Curve) CoordinateBytes(v *big.Int) []byte {
	return v.FillBytes(make([]byte, c.FieldBytes()))
}

// Unmarshal decodes an uncompressed, hybrid or compressed point (SEC 1
// v2.0:2009 2.3.4) and checks that it is on the curve. Infinity is refused.
func (c *Curve) Unmarshal(b []byte) (Point, error) {
	n := c.FieldBytes()
	if len(b) == 0 {
		return Point{}, fault.New(ErrPoint.Code, "empty encoding")
	}
	switch {
	case (b[0] == 4 || b[0] == 6 || b[0] == 7) && len(b) == 1+2*n:
		p := Point{X: new(big.Int).SetBytes(b[1 : 1+n]), Y: new(big.Int).SetBytes(b[1+n:])}
		if !c.IsOnCurve(p) {
			return Point{}, fault.New(ErrPoint.Code, "not on %s", c.Name)
		}
		if b[0] != 4 && byte(p.Y.Bit(0)) != b[0]&1 {
			return Point{}, fault.New(ErrPoint.Code, "hybrid form contradicts itself")
		}
		return p, nil
	case (b[0] == 2 || b[0] == 3) && len(b) == 1+n:
		return c.decompress(new(big.Int).SetBytes(b[1:]), uint(b[0]&1))
	}
	return Point{}, fault.New(ErrPoint.Code, "form %#x of %d bytes on %s", b[0], len(b), c.Name)
}

func (c *Curve) decompress(x *big.Int, odd uint) (Point, error) {
	if x.Cmp(c.P) >= 0 {
		return Point{}, fault.New(ErrPoint.Code, "coordinate out of range")
	}
	y := new(big.Int).Mul(x, x)
	y.Add(y, c.A).Mul(y, x).Add(y, c.B).Mod(y, c.P)
	if y.ModSqrt(y, c.P) == nil {
		return Point{}, fault.New(ErrPoint.Code, "no point of %s has this coordinate", c.Name)
	}
	if y.Bit(0) != odd {
		y.Sub(c.P, y)
	}
	p := Point{X: x, Y: y}
	if !c.IsOnCurve(p) {
		return Point{}, fault.New(ErrPoint.Code, "not on %s", c.Name)
	}
	return p, nil
}
