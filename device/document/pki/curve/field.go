package curve

import (
	"math/big"
	"math/bits"
)

// maxLimbs holds 576 bits, enough for P-521.
const maxLimbs = 9

// element is a residue in Montgomery form, little-endian limbs; limbs at and
// above field.limbs are zero.
type element [maxLimbs]uint64

// field does arithmetic modulo an odd prime in Montgomery form with
// R = 2^(64*limbs). It is read-only after newField and safe for concurrent
// use. It runs in variable time.
type field struct {
	limbs   int
	p       element
	inverse uint64 // -p^-1 mod 2^64
	square  element
	one     element
	modulus *big.Int
}

func newField(p *big.Int) *field {
	f := &field{limbs: (p.BitLen() + 63) / 64, modulus: p}
	f.p = limbs(p)
	// Newton's iteration doubles the correct bits: 5 rounds from 5 bits give 64.
	inv := f.p[0]
	for range 5 {
		inv *= 2 - f.p[0]*inv
	}
	f.inverse = -inv
	r := new(big.Int).Lsh(big.NewInt(1), uint(64*f.limbs))
	f.one = limbs(new(big.Int).Mod(r, p))
	f.square = limbs(new(big.Int).Mod(r.Mul(r, r), p))
	return f
}

func limbs(v *big.Int) element {
	var e element
	var buf [8 * maxLimbs]byte
	v.FillBytes(buf[:])
	for i := range e {
		for _, c := range buf[len(buf)-8*i-8 : len(buf)-8*i] {
			e[i] = e[i]<<8 | uint64(c)
		}
	}
	return e
}

// fromBig takes 0 <= v < p.
func (f *field) fromBig(v *big.Int) element {
	e := limbs(v)
	f.mul(&e, &e, &f.square)
	return e
}

func (f *field) toBig(e *element) *big.Int {
	var plain element
	unit := element{1}
	f.mul(&plain, e, &unit)
	var buf [8 * maxLimbs]byte
	for i, limb := range plain {
		for j := range 8 {
			buf[len(buf)-8*i-1-j] = byte(limb >> (8 * j))
		}
	}
	return new(big.Int).SetBytes(buf[:])
}

// mul sets z = x*y/R mod p (Koç, Acar, Kaliski 1996, method CIOS). z may alias
// x and y.
func (f *field) mul(z, x, y *element) {
	n := f.limbs
	var t [maxLimbs + 2]uint64
	for i := range n {
		var carry, c uint64
		yi := y[i]
		for j := range n {
			hi, lo := bits.Mul64(x[j], yi)
			lo, c = bits.Add64(lo, t[j], 0)
			hi += c
			lo, c = bits.Add64(lo, carry, 0)
			t[j], carry = lo, hi+c
		}
		t[n], c = bits.Add64(t[n], carry, 0)
		t[n+1] = c

		m := t[0] * f.inverse
		hi, lo := bits.Mul64(m, f.p[0])
		_, c = bits.Add64(lo, t[0], 0)
		carry = hi + c
		for j := 1; j < n; j++ {
			hi, lo = bits.Mul64(m, f.p[j])
			lo, c = bits.Add64(lo, t[j], 0)
			hi += c
			lo, c = bits.Add64(lo, carry, 0)
			t[j-1], carry = lo, hi+c
		}
		t[n-1], c = bits.Add64(t[n], carry, 0)
		t[n] = t[n+1] + c
	}
	var r element
	copy(r[:n], t[:n])
	f.reduce(z, &r, t[n])
}

// reduce sets z = x - p if x, with the carry above it, is at least p, else x.
func (f *field) reduce(z, x *element, carry uint64) {
	var d element
	var borrow uint64
	for i := range f.limbs {
		d[i], borrow = bits.Sub64(x[i], f.p[i], borrow)
	}
	if carry != 0 || borrow == 0 {
		*z = d
		return
	}
	*z = *x
}

func (f *field) add(z, x, y *element) {
	var s element
	var carry uint64
	for i := range f.limbs {
		s[i], carry = bits.Add64(x[i], y[i], carry)
	}
	f.reduce(z, &s, carry)
}

func (f *field) sub(z, x, y *element) {
	var d element
	var borrow, carry uint64
	for i := range f.limbs {
		d[i], borrow = bits.Sub64(x[i], y[i], borrow)
	}
	if borrow != 0 {
		for i := range f.limbs {
			d[i], carry = bits.Add64(d[i], f.p[i], carry)
		}
	}
	*z = d
}

func (e *element) isZero() bool { return *e == element{} }
