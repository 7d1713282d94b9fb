package pace

import (
	"crypto/sha1"
	"io"
	"math/big"
	"sync"

	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrKey: a public key of the chip that is no element of the group, or that
// is our own come back.
var ErrKey = &fault.Error{Code: "pace.key"}

// element is an element of a group: a point, or a number below the prime.
type element struct {
	point curve.Point
	value *big.Int
}

// group is a cyclic group of prime order in which keys are agreed. All
// methods are safe for concurrent use.
type group interface {
	name() string
	order() *big.Int
	generator() element
	power(base element, scalar *big.Int) element
	combine(a, b element) element
	// decode accepts exactly the elements of the prime order subgroup, the
	// neutral one excepted.
	decode(b []byte) (element, error)
	encode(e element) []byte
	// secret is what key agreement yields of e: field element or x
	// coordinate at its full length, leading zeros kept.
	secret(e element) []byte
	// compress is what stands for a public key in Terminal Authentication: the
	// x coordinate, or the SHA-1 of the number (BSI TR-03110-3 v2.21, A.2.2.3)
	// as it was sent.
	compress(e element, sent []byte) []byte
	// fieldBits is the length of the prime, for the integrated mapping.
	fieldBits() int
	// encodes reports whether embed is defined on this group.
	encodes() bool
	// embed turns a pseudo-random number into an element (Doc 9303-11, 4.4.3.3.2).
	embed(number *big.Int) (element, error)
	// keyTag is the tag of a public key in the authentication token (Doc 9303-11, 9.4).
	keyTag() uint16
}

// firstCurve is the lowest parameter id of an elliptic curve.
const firstCurve = 8

// curveNames are the curves of parameter ids 8 to 18 (Doc 9303-11, 9.5.1).
var curveNames = [...]string{
	"P-192", "brainpoolP192r1", "P-224", "brainpoolP224r1", "P-256", "brainpoolP256r1",
	"brainpoolP320r1", "P-384", "brainpoolP384r1", "brainpoolP512r1", "P-521",
}

// standardGroup returns the group of a standardized parameter id, or nil.
func standardGroup(id int) group {
	switch {
	case id >= 0 && id < len(modpTable):
		return modps()[id]
	case id >= firstCurve && id < firstCurve+len(curveNames):
		if c := curve.ByName(curveNames[id-firstCurve]); c != nil {
			return elliptic{c}
		}
	}
	return nil
}

// StandardCurve returns the curve of a standardized parameter id, nil where
// the id names none.
func StandardCurve(id int) *curve.Curve {
	if g, ok := standardGroup(id).(elliptic); ok {
		return g.c
	}
	return nil
}

// StandardGroup returns prime, generator and order of a standardized
// multiplicative group.
func StandardGroup(id int) (p, g, q *big.Int, ok bool) {
	m, ok := standardGroup(id).(modp)
	return m.p, m.g, m.q, ok
}

// Scalar draws a private key from 1 to order-1.
func Scalar(random io.Reader, order *big.Int) (*big.Int, error) {
	buf := make([]byte, (order.BitLen()+7)/8)
	defer clear(buf)
	for range 256 {
		if _, err := io.ReadFull(random, buf); err != nil {
			return nil, fault.Wrap("system.random", err)
		}
		if spare := uint(len(buf)*8 - order.BitLen()); spare > 0 {
			buf[0] &= 0xFF >> spare
		}
		if k := new(big.Int).SetBytes(buf); k.Sign() > 0 && k.Cmp(order) < 0 {
			return k, nil
		}
	}
	return nil, fault.New("system.random", "no scalar in 256 draws")
}

// elliptic is a curve as a group.
type elliptic struct{ c *curve.Curve }

func (g elliptic) name() string       { return g.c.Name }
func (g elliptic) order() *big.Int    { return g.c.N }
func (g elliptic) generator() element { return element{point: g.c.G} }
func (g elliptic) fieldBits() int     { return g.c.P.BitLen() }
func (g elliptic) keyTag() uint16     { return 0x86 }
func (g elliptic) encodes() bool      { return g.c.P.Bit(1) == 1 } // p = 3 mod 4, p being odd

func (g elliptic) power(base element, k *big.Int) element {
	return element{point: g.c.ScalarMult(base.point, k)}
}

func (g elliptic) combine(a, b element) element {
	return element{point: g.c.Add(a.point, b.point)}
}

func (g elliptic) decode(b []byte) (element, error) {
	if len(b) == 0 || b[0] != 4 {
		return element{}, fault.New(ErrKey.Code, "point of %d octets is not in uncompressed form", len(b))
	}
	p, err := g.c.Unmarshal(b)
	if err != nil {
		return element{}, fault.Wrap(ErrKey.Code, err)
	}
	return element{point: p}, nil
}

func (g elliptic) encode(e element) []byte { return g.c.Marshal(e.point) }

func (g elliptic) secret(e element) []byte { return g.c.CoordinateBytes(e.point.X) }

func (g elliptic) compress(e element, _ []byte) []byte { return g.secret(e) }

// embed is the point encoding of Doc 9303-11, appendix B.2, in its steps; the
// curves have cofactor 1.
func (g elliptic) embed(t *big.Int) (element, error) {
	p, a, b := g.c.P, g.c.A, g.c.B
	mod := func(v *big.Int) *big.Int { return v.Mod(v, p) }
	mul := func(x, y *big.Int) *big.Int { return mod(new(big.Int).Mul(x, y)) }
	cubic := func(x *big.Int) *big.Int {
		v := mul(mul(x, x), x)
		return mod(v.Add(v, mul(a, x)).Add(v, b))
	}
	alpha := mod(new(big.Int).Neg(mul(t, t)))
	sum := mod(new(big.Int).Add(alpha, mul(alpha, alpha)))
	inverse := new(big.Int).ModInverse(sum, p)
	inverseA := new(big.Int).ModInverse(a, p)
	if inverse == nil || inverseA == nil {
		return element{}, fault.New(ErrNonce.Code, "nonces have no point")
	}
	x2 := mul(mul(new(big.Int).Neg(b), inverseA), inverse.Add(inverse, big.NewInt(1)))
	x3 := mul(alpha, x2)
	h2 := cubic(x2)
	u := mul(mul(mul(t, t), t), h2)
	exponent := new(big.Int).Add(p, big.NewInt(1))
	exponent.Rsh(exponent, 2)
	exponent.Sub(new(big.Int).Sub(p, big.NewInt(1)), exponent)
	r := new(big.Int).Exp(h2, exponent, p)
	point := curve.Point{X: x3, Y: mul(r, u)}
	if mul(mul(r, r), h2).Cmp(big.NewInt(1)) == 0 {
		point = curve.Point{X: x2, Y: mul(r, h2)}
	}
	if !g.c.IsOnCurve(point) {
		return element{}, fault.New(ErrNonce.Code, "nonces have no point")
	}
	return element{point: point}, nil
}

// modp is the subgroup of order q of the numbers modulo p.
type modp struct {
	label   string
	p, g, q *big.Int
}

var modps = sync.OnceValue(func() []modp {
	all := make([]modp, len(modpTable))
	for i, t := range modpTable {
		all[i] = modp{t.name, hex(t.p), hex(t.g), hex(t.q)}
	}
	return all
})

func hex(s string) *big.Int {
	v, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("pace: constant is not hexadecimal")
	}
	return v
}

func (g modp) name() string       { return g.label }
func (g modp) order() *big.Int    { return g.q }
func (g modp) generator() element { return element{value: g.g} }
func (g modp) fieldBits() int     { return g.p.BitLen() }
func (g modp) keyTag() uint16     { return 0x84 }
func (g modp) encodes() bool      { return true }

func (g modp) power(base element, k *big.Int) element {
	return element{value: new(big.Int).Exp(base.value, k, g.p)}
}

func (g modp) combine(a, b element) element {
	v := new(big.Int).Mul(a.value, b.value)
	return element{value: v.Mod(v, g.p)}
}

func (g modp) decode(b []byte) (element, error) {
	if len(b) == 0 || len(b) > (g.p.BitLen()+7)/8 {
		return element{}, fault.New(ErrKey.Code, "key of %d octets", len(b))
	}
	v := new(big.Int).SetBytes(b)
	one := big.NewInt(1)
	if v.Cmp(one) <= 0 || v.Cmp(g.p) >= 0 || new(big.Int).Exp(v, g.q, g.p).Cmp(one) != 0 {
		return element{}, fault.New(ErrKey.Code, "number is not of the group")
	}
	return element{value: v}, nil
}

func (g modp) encode(e element) []byte {
	return e.value.FillBytes(make([]byte, (g.p.BitLen()+7)/8))
}

func (g modp) secret(e element) []byte { return g.encode(e) }

func (g modp) compress(_ element, sent []byte) []byte {
	sum := sha1.Sum(sent)
	return sum[:]
}

// embed raises the number to the cofactor (Doc 9303-11, 4.4.3.3.2, DH).
func (g modp) embed(t *big.Int) (element, error) {
	cofactor := new(big.Int).Sub(g.p, big.NewInt(1))
	cofactor.Div(cofactor, g.q)
	v := new(big.Int).Exp(t, cofactor, g.p)
	if v.Cmp(big.NewInt(1)) <= 0 {
		return element{}, fault.New(ErrNonce.Code, "nonces have no generator")
	}
	return element{value: v}, nil
}
