// Package dh is the arithmetic of the multiplicative groups that chips agree
// keys in: RFC 5114 (2008). It is written apart from the product, so that an
// error there cannot cancel itself, and makes no attempt to hide its timing.
package dh

import (
	"fmt"
	"io"
	"math/big"
)

// Group is a subgroup of prime order Q of the numbers modulo P. It is read
// only.
type Group struct{ P, G, Q *big.Int }

// ByPACE returns the group of a parameter identifier of PACE, 0 to 2.
func ByPACE(id int) (*Group, error) {
	if id < 0 || id >= len(table) {
		return nil, fmt.Errorf("no group %d", id)
	}
	t := table[id]
	return &Group{P: hex(t.p), G: hex(t.g), Q: hex(t.q)}, nil
}

func hex(s string) *big.Int {
	v, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("dh: constant is not hexadecimal")
	}
	return v
}

// Size is the length of an element in octets.
func (g *Group) Size() int { return (g.P.BitLen() + 7) / 8 }

// Scalar draws a private key.
func (g *Group) Scalar(random io.Reader) (*big.Int, error) {
	buf := make([]byte, (g.Q.BitLen()+7)/8+8)
	if _, err := io.ReadFull(random, buf); err != nil {
		return nil, err
	}
	k := new(big.Int).SetBytes(buf)
	k.Mod(k, new(big.Int).Sub(g.Q, big.NewInt(1)))
	return k.Add(k, big.NewInt(1)), nil
}

// Power is base to the k-th.
func (g *Group) Power(base, k *big.Int) *big.Int { return new(big.Int).Exp(base, k, g.P) }

// Product is a times b.
func (g *Group) Product(a, b *big.Int) *big.Int {
	v := new(big.Int).Mul(a, b)
	return v.Mod(v, g.P)
}

// Encode writes an element at its full length.
func (g *Group) Encode(v *big.Int) []byte { return v.FillBytes(make([]byte, g.Size())) }

// Decode reads an element of the subgroup other than one. Leading zeros may be
// left out, as unsigned integers of BSI TR-03110-3 v2.21, D.2.1.1, are written.
func (g *Group) Decode(b []byte) (*big.Int, bool) {
	v := new(big.Int).SetBytes(b)
	one := big.NewInt(1)
	if len(b) > g.Size() || v.Cmp(one) <= 0 || v.Cmp(g.P) >= 0 || g.Power(v, g.Q).Cmp(one) != 0 {
		return nil, false
	}
	return v, true
}
