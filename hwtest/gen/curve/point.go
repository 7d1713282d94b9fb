package curve

import "math/big"

// jacobian is a point as x = X/Z², y = Y/Z³; Z zero is infinity.
type jacobian struct{ x, y, z *big.Int }

// Add returns p + q.
func (c *Curve) Add(p, q Point) Point {
	return c.affine(c.add(c.jacobian(p), c.jacobian(q)))
}

// window is how many bits of a scalar Mul takes at a time.
const window = 4

// Mul returns k·p for k not negative.
func (c *Curve) Mul(k *big.Int, p Point) Point {
	multiples := [1 << window]jacobian{c.jacobian(Point{}), c.jacobian(p)}
	for i := 2; i < len(multiples); i++ {
		multiples[i] = c.add(multiples[i-1], multiples[1])
	}
	acc := c.jacobian(Point{})
	for i := (k.BitLen() + window - 1) / window * window; i > 0; i -= window {
		digit := uint(0)
		for bit := i - 1; bit >= i-window; bit-- {
			acc = c.double(acc)
			digit = digit<<1 | k.Bit(bit)
		}
		if digit != 0 {
			acc = c.add(acc, multiples[digit])
		}
	}
	return c.affine(acc)
}

// Public returns k·G.
func (c *Curve) Public(k *big.Int) Point { return c.Mul(k, c.G) }

func (c *Curve) jacobian(p Point) jacobian {
	if p.Infinite() {
		return jacobian{big.NewInt(1), big.NewInt(1), new(big.Int)}
	}
	return jacobian{new(big.Int).Set(p.X), new(big.Int).Set(p.Y), big.NewInt(1)}
}

func (c *Curve) affine(j jacobian) Point {
	if j.z.Sign() == 0 {
		return Point{}
	}
	inv := new(big.Int).ModInverse(j.z, c.P)
	inv2 := c.mul(inv, inv)
	return Point{c.mul(j.x, inv2), c.mul(j.y, c.mul(inv2, inv))}
}

func (c *Curve) mul(a, b *big.Int) *big.Int {
	out := new(big.Int).Mul(a, b)
	return out.Mod(out, c.P)
}

func (c *Curve) sub(a, b *big.Int) *big.Int {
	out := new(big.Int).Sub(a, b)
	return out.Mod(out, c.P)
}

// double: S = 4XY², M = 3X² + aZ⁴, X' = M² - 2S, Y' = M(S - X') - 8Y⁴, Z' = 2YZ.
func (c *Curve) double(p jacobian) jacobian {
	if p.z.Sign() == 0 || p.y.Sign() == 0 {
		return c.jacobian(Point{})
	}
	yy := c.mul(p.y, p.y)
	s := c.mul(p.x, yy)
	s.Lsh(s, 2).Mod(s, c.P)
	zz := c.mul(p.z, p.z)
	m := c.mul(p.x, p.x)
	m.Mul(m, big.NewInt(3)).Add(m, c.mul(c.A, c.mul(zz, zz))).Mod(m, c.P)
	x := c.mul(m, m)
	x.Sub(x, new(big.Int).Lsh(s, 1)).Mod(x, c.P)
	y := c.mul(m, c.sub(s, x))
	eight := c.mul(yy, yy)
	y.Sub(y, eight.Lsh(eight, 3)).Mod(y, c.P)
	z := c.mul(p.y, p.z)
	z.Lsh(z, 1).Mod(z, c.P)
	return jacobian{x, y, z}
}

// add: U = XZ'², S = YZ'³ on both sides, H = U2 - U1, R = S2 - S1,
// X = R² - H³ - 2U1H², Y = R(U1H² - X) - S1H³, Z = HZ1Z2.
func (c *Curve) add(p, q jacobian) jacobian {
	if p.z.Sign() == 0 {
		return q
	}
	if q.z.Sign() == 0 {
		return p
	}
	pz2, qz2 := c.mul(p.z, p.z), c.mul(q.z, q.z)
	u1, u2 := c.mul(p.x, qz2), c.mul(q.x, pz2)
	s1, s2 := c.mul(p.y, c.mul(qz2, q.z)), c.mul(q.y, c.mul(pz2, p.z))
	h, r := c.sub(u2, u1), c.sub(s2, s1)
	if h.Sign() == 0 {
		if r.Sign() == 0 {
			return c.double(p)
		}
		return c.jacobian(Point{})
	}
	h2 := c.mul(h, h)
	h3 := c.mul(h2, h)
	v := c.mul(u1, h2)
	x := c.mul(r, r)
	x.Sub(x, h3).Sub(x, new(big.Int).Lsh(v, 1)).Mod(x, c.P)
	y := c.mul(r, c.sub(v, x))
	y.Sub(y, c.mul(s1, h3)).Mod(y, c.P)
	return jacobian{x, y, c.mul(h, c.mul(p.z, q.z))}
}
