package curve

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"math/big"
	"math/rand"
	"testing"
)

// Every constant is pinned by the group law: p and n are prime, G is on the
// curve and n times G, computed without reducing n, is infinity.
func TestTableIsConsistent(t *testing.T) {
	for _, c := range All() {
		t.Run(c.Name, func(t *testing.T) {
			if !c.P.ProbablyPrime(20) || !c.N.ProbablyPrime(20) {
				t.Fatal("p or n is not prime")
			}
			if !c.IsOnCurve(c.G) {
				t.Fatal("generator is not on the curve")
			}
			g := c.toJacobian(c.G)
			p := c.combine([][]byte{c.N.Bytes()}, []*window{c.newWindow(&g)})
			if !p.IsInfinity() {
				t.Fatal("n times G is not infinity")
			}
			// Hasse: with h = 1, |n - (p+1)| <= 2 sqrt(p).
			d := new(big.Int).Sub(c.N, new(big.Int).Add(c.P, big.NewInt(1)))
			if d.Mul(d, d).Cmp(new(big.Int).Lsh(c.P, 2)) > 0 {
				t.Fatal("order is outside Hasse's interval for cofactor 1")
			}
			if ByName(c.Name) != c || ByOID(c.OID) != c {
				t.Fatal("not found under its name or OID")
			}
		})
	}
}

// The standard library is the second implementation for the NIST curves.
func TestAgreesWithStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	agreement := map[string]ecdh.Curve{"P-256": ecdh.P256(), "P-384": ecdh.P384(), "P-521": ecdh.P521()}
	for _, std := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		c := ByName(std.Params().Name)
		for range 5 {
			k, m := new(big.Int).Rand(r, c.N), new(big.Int).Rand(r, c.N)
			raw := func(v *big.Int) []byte { return v.FillBytes(make([]byte, c.OrderBytes())) }
			private, err := ecdsa.ParseRawPrivateKey(std, raw(k))
			if err != nil {
				t.Fatal(err)
			}
			want, err := private.PublicKey.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			p := c.ScalarBaseMult(k)
			if !bytes.Equal(c.Marshal(p), want) {
				t.Fatalf("%s: base multiplication differs", c.Name)
			}
			dh, ok := agreement[c.Name]
			if !ok {
				continue
			}
			peer, err := dh.NewPublicKey(want)
			if err != nil {
				t.Fatal(err)
			}
			own, err := dh.NewPrivateKey(raw(m))
			if err != nil {
				t.Fatal(err)
			}
			secret, err := own.ECDH(peer)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(c.CoordinateBytes(c.ScalarMult(p, m).X), secret) {
				t.Fatalf("%s: agreement differs", c.Name)
			}
		}
	}
}

func TestGroupLaw(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for _, c := range All() {
		u, v := new(big.Int).Rand(r, c.N), new(big.Int).Rand(r, c.N)
		p := c.ScalarBaseMult(v)
		sum := c.Add(c.ScalarBaseMult(u), c.ScalarMult(p, u))
		if !c.Combine(u, p, u).Equal(sum) {
			t.Errorf("%s: combined and separate sums differ", c.Name)
		}
		minus := Point{X: p.X, Y: new(big.Int).Sub(c.P, p.Y)}
		if !c.Add(p, minus).IsInfinity() || !c.Add(p, Point{}).Equal(p) || !c.Add(p, p).Equal(c.ScalarMult(p, big.NewInt(2))) {
			t.Errorf("%s: inverse, neutral element or doubling", c.Name)
		}
		if !c.ScalarMult(p, c.N).IsInfinity() || !c.ScalarMult(p, big.NewInt(-1)).Equal(minus) {
			t.Errorf("%s: scalars outside the order's range", c.Name)
		}
	}
}

func TestMarshalKeepsLengthAndRefusesBadPoints(t *testing.T) {
	for _, c := range All() {
		// Small multiples until a coordinate has a leading zero byte.
		p := c.G
		for i := 0; i < 2000 && p.X.BitLen() > 8*c.FieldBytes()-8; i++ {
			p = c.Add(p, c.G)
		}
		b := c.Marshal(p)
		if len(b) != 1+2*c.FieldBytes() {
			t.Fatalf("%s: %d bytes", c.Name, len(b))
		}
		if q, err := c.Unmarshal(b); err != nil || !q.Equal(p) {
			t.Fatalf("%s: round trip: %v", c.Name, err)
		}
		compressed := append([]byte{2 + byte(p.Y.Bit(0))}, b[1:1+c.FieldBytes()]...)
		if q, err := c.Unmarshal(compressed); err != nil || !q.Equal(p) {
			t.Fatalf("%s: compressed: %v", c.Name, err)
		}
		off := append([]byte(nil), b...)
		off[len(off)-1] ^= 1
		beyond := c.Marshal(Point{X: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*c.FieldBytes())), big.NewInt(1)), Y: p.Y})
		wrongHybrid := append([]byte{6 + byte(p.Y.Bit(0)^1)}, b[1:]...)
		for name, bad := range map[string][]byte{"empty": nil, "infinity": {0}, "short": b[:len(b)-1], "long": append(b[:len(b):len(b)], 0),
			"off": off, "beyond": beyond, "form": append([]byte{5}, b[1:]...), "hybrid": wrongHybrid} {
			if _, err := c.Unmarshal(bad); !errors.Is(err, ErrPoint) {
				t.Errorf("%s: %s point: %v", c.Name, name, err)
			}
		}
	}
}

func TestExplicitParametersMustAllAgree(t *testing.T) {
	one := big.NewInt(1)
	for _, c := range All() {
		if ByParameters(c.P, c.A, c.B, c.G, c.N, one) != c || ByParameters(c.P, c.A, c.B, c.G, c.N, nil) != c {
			t.Fatalf("%s: own parameters not recognised", c.Name)
		}
		plus := func(v *big.Int) *big.Int { return new(big.Int).Add(v, one) }
		minusG := Point{X: c.G.X, Y: new(big.Int).Sub(c.P, c.G.Y)}
		for name, got := range map[string]*Curve{
			"p":        ByParameters(plus(c.P), c.A, c.B, c.G, c.N, one),
			"a":        ByParameters(c.P, plus(c.A), c.B, c.G, c.N, one),
			"b":        ByParameters(c.P, c.A, plus(c.B), c.G, c.N, one),
			"G":        ByParameters(c.P, c.A, c.B, minusG, c.N, one),
			"infinity": ByParameters(c.P, c.A, c.B, Point{}, c.N, one),
			"n":        ByParameters(c.P, c.A, c.B, c.G, plus(c.N), one),
			"h":        ByParameters(c.P, c.A, c.B, c.G, c.N, big.NewInt(4)),
			"missing":  ByParameters(c.P, nil, c.B, c.G, c.N, one),
		} {
			if got != nil {
				t.Errorf("%s: accepted with another %s", c.Name, name)
			}
		}
	}
}

func BenchmarkCombine(b *testing.B) {
	for _, name := range []string{"P-256", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"} {
		c := ByName(name)
		u, v := new(big.Int).Sub(c.N, big.NewInt(12345)), new(big.Int).Sub(c.N, big.NewInt(6789))
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.Combine(u, c.G, v)
			}
		})
	}
}
