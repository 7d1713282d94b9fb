package curve

import (
	"io"
	"math/big"
)

// Sign makes an ECDSA signature over a digest (FIPS 186-5 (2023), 6.4.1). The
// nonce comes from random: the same octets give the same signature.
func (c *Curve) Sign(random io.Reader, d *big.Int, digest []byte) (r, s *big.Int, err error) {
	e := c.truncate(digest)
	for {
		k, err := c.Scalar(random)
		if err != nil {
			return nil, nil, err
		}
		r = new(big.Int).Mod(c.Public(k).X, c.N)
		if r.Sign() == 0 {
			continue
		}
		s = new(big.Int).Mul(r, d)
		s.Add(s, e).Mul(s, new(big.Int).ModInverse(k, c.N)).Mod(s, c.N)
		if s.Sign() != 0 {
			return r, s, nil
		}
	}
}

// Verify checks a signature (FIPS 186-5 (2023), 6.4.2).
func (c *Curve) Verify(public Point, digest []byte, r, s *big.Int) bool {
	if !c.OnCurve(public) || r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(c.N) >= 0 || s.Cmp(c.N) >= 0 {
		return false
	}
	w := new(big.Int).ModInverse(s, c.N)
	u := new(big.Int).Mul(c.truncate(digest), w)
	v := new(big.Int).Mul(r, w)
	p := c.Add(c.Public(u.Mod(u, c.N)), c.Mul(v.Mod(v, c.N), public))
	return !p.Infinite() && new(big.Int).Mod(p.X, c.N).Cmp(r) == 0
}

// truncate takes the leftmost bits of a digest, as many as N has.
func (c *Curve) truncate(digest []byte) *big.Int {
	e := new(big.Int).SetBytes(digest)
	if over := 8*len(digest) - c.N.BitLen(); over > 0 {
		e.Rsh(e, uint(over))
	}
	return e
}
