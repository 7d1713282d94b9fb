package curve

import "math/big"

// jacobian is (X/Z², Y/Z³); Z = 0 is infinity.
type jacobian struct{ x, y, z element }

func (c *Curve) toJacobian(p Point) jacobian {
	if p.IsInfinity() {
		return jacobian{}
	}
	return jacobian{x: c.field.fromBig(p.X), y: c.field.fromBig(p.Y), z: c.field.one}
}

func (c *Curve) toAffine(p *jacobian) Point {
	if p.z.isZero() {
		return Point{}
	}
	f := c.field
	z := f.toBig(&p.z)
	inv := f.fromBig(z.ModInverse(z, c.P))
	var inv2, inv3, x, y element
	f.mul(&inv2, &inv, &inv)
	f.mul(&inv3, &inv2, &inv)
	f.mul(&x, &p.x, &inv2)
	f.mul(&y, &p.y, &inv3)
	return Point{X: f.toBig(&x), Y: f.toBig(&y)}
}

// double sets r = 2p for any a (Bernstein and Lange, formulas dbl-2007-bl).
func (c *Curve) double(r, p *jacobian) {
	f := c.field
	if p.z.isZero() || p.y.isZero() {
		*r = jacobian{}
		return
	}
	var xx, yy, yyyy, zz, s, m, t, x3, y3, z3 element
	f.mul(&xx, &p.x, &p.x)
	f.mul(&yy, &p.y, &p.y)
	f.mul(&yyyy, &yy, &yy)
	f.mul(&zz, &p.z, &p.z)
	f.mul(&s, &p.x, &yy) // S = 4 X Y²
	f.add(&s, &s, &s)
	f.add(&s, &s, &s)
	f.mul(&m, &zz, &zz) // M = 3 X² + a Z⁴
	f.mul(&m, &m, &c.a)
	f.add(&m, &m, &xx)
	f.add(&m, &m, &xx)
	f.add(&m, &m, &xx)
	f.mul(&x3, &m, &m)
	f.sub(&x3, &x3, &s)
	f.sub(&x3, &x3, &s)
	f.sub(&t, &s, &x3)
	f.mul(&y3, &m, &t)
	f.add(&yyyy, &yyyy, &yyyy)
	f.add(&yyyy, &yyyy, &yyyy)
	f.add(&yyyy, &yyyy, &yyyy)
	f.sub(&y3, &y3, &yyyy)
	f.mul(&z3, &p.y, &p.z)
	f.add(&z3, &z3, &z3)
	r.x, r.y, r.z = x3, y3, z3
}

// add sets r = p + q, whatever they are (formulas add-1998-cmo-2).
func (c *Curve) add(r, p, q *jacobian) {
	if p.z.isZero() {
		*r = *q
		return
	}
	if q.z.isZero() {
		*r = *p
		return
	}
	f := c.field
	var z1z1, z2z2, u1, u2, s1, s2, h, d, hh, hhh, v, x3, y3, z3 element
	f.mul(&z1z1, &p.z, &p.z)
	f.mul(&z2z2, &q.z, &q.z)
	f.mul(&u1, &p.x, &z2z2)
	f.mul(&u2, &q.x, &z1z1)
	f.mul(&s1, &p.y, &q.z)
	f.mul(&s1, &s1, &z2z2)
	f.mul(&s2, &q.y, &p.z)
	f.mul(&s2, &s2, &z1z1)
	f.sub(&h, &u2, &u1)
	f.sub(&d, &s2, &s1)
	if h.isZero() {
		if d.isZero() {
			c.double(r, p)
			return
		}
		*r = jacobian{}
		return
	}
	f.mul(&hh, &h, &h)
	f.mul(&hhh, &hh, &h)
	f.mul(&v, &u1, &hh)
	f.mul(&x3, &d, &d)
	f.sub(&x3, &x3, &hhh)
	f.sub(&x3, &x3, &v)
	f.sub(&x3, &x3, &v)
	f.sub(&v, &v, &x3)
	f.mul(&y3, &d, &v)
	f.mul(&s1, &s1, &hhh)
	f.sub(&y3, &y3, &s1)
	f.mul(&z3, &p.z, &q.z)
	f.mul(&z3, &z3, &h)
	r.x, r.y, r.z = x3, y3, z3
}

// window holds 0 to 15 times a point.
type window [16]jacobian

func (c *Curve) newWindow(p *jacobian) *window {
	w := new(window)
	for i := 1; i < len(w); i++ {
		c.add(&w[i], &w[i-1], p)
	}
	return w
}

// combine returns the sum of scalar times point over the pairs; scalars are
// big-endian bytes of equal length.
func (c *Curve) combine(scalars [][]byte, tables []*window) Point {
	var acc jacobian
	for i := range scalars[0] {
		for _, shift := range [2]uint{4, 0} {
			for range 4 {
				c.double(&acc, &acc)
			}
			for k, w := range tables {
				if digit := scalars[k][i] >> shift & 15; digit != 0 {
					c.add(&acc, &acc, &w[digit])
				}
			}
		}
	}
	return c.toAffine(&acc)
}

// scalar reduces k modulo the order.
func (c *Curve) scalar(k *big.Int) []byte {
	return new(big.Int).Mod(k, c.N).FillBytes(make([]byte, c.OrderBytes()))
}

// Add returns p + q. Both must be on the curve or infinity.
func (c *Curve) Add(p, q Point) Point {
	a, b := c.toJacobian(p), c.toJacobian(q)
	c.add(&a, &a, &b)
	return c.toAffine(&a)
}

// ScalarMult returns k times p, which must be on the curve or infinity; k may
// be any integer.
func (c *Curve) ScalarMult(p Point, k *big.Int) Point {
	j := c.toJacobian(p)
	return c.combine([][]byte{c.scalar(k)}, []*window{c.newWindow(&j)})
}

// ScalarBaseMult returns k times the generator.
func (c *Curve) ScalarBaseMult(k *big.Int) Point {
	return c.combine([][]byte{c.scalar(k)}, []*window{c.generators()})
}

// Combine returns u times the generator plus v times p, as ECDSA verification
// needs it. p must be on the curve.
func (c *Curve) Combine(u *big.Int, p Point, v *big.Int) Point {
	j := c.toJacobian(p)
	return c.combine([][]byte{c.scalar(u), c.scalar(v)}, []*window{c.generators(), c.newWindow(&j)})
}
