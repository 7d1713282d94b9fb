package curve

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"io"
	"math/big"
	"testing"
)

func TestParametersAreSound(t *testing.T) {
	paces := map[int]bool{}
	for _, name := range Names() {
		c, err := ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if !c.P.ProbablyPrime(10) || !c.N.ProbablyPrime(10) {
			t.Errorf("%s: field or order is not prime", name)
		}
		if !c.OnCurve(c.G) {
			t.Errorf("%s: the generator is not on the curve", name)
		}
		if !c.Mul(c.N, c.G).Infinite() {
			t.Errorf("%s: the order is wrong", name)
		}
		if c.PACE != 0 {
			paces[c.PACE] = true
			if again, err := ByPACE(c.PACE); err != nil || again.Name != name {
				t.Errorf("%s: not found by its PACE number", name)
			}
		}
	}
	for id := 8; id <= 18; id++ {
		if !paces[id] {
			t.Errorf("no curve has the PACE number %d", id)
		}
	}
}

func TestAgainstTheStandardLibrary(t *testing.T) {
	for name, std := range map[string]ecdh.Curve{"secp256r1": ecdh.P256(), "secp384r1": ecdh.P384(), "secp521r1": ecdh.P521()} {
		c, err := ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		mine, err := c.Scalar(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := std.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, ok := c.Decode(theirs.PublicKey().Bytes())
		if !ok {
			t.Fatalf("%s: the other side's key is refused", name)
		}
		remote, err := std.NewPublicKey(c.Encode(c.Public(mine)))
		if err != nil {
			t.Fatalf("%s: my key is refused: %v", name, err)
		}
		want, err := theirs.ECDH(remote)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Shared(mine, public); !bytes.Equal(got, want) {
			t.Errorf("%s: shared secrets differ", name)
		}
	}
}

func TestSignatureAgainstTheStandardLibrary(t *testing.T) {
	c, err := ByName("secp384r1")
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Scalar(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha512.Sum512([]byte("longer than the order")) // truncation counts
	r, s, err := c.Sign(rand.Reader, d, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	q := c.Public(d)
	std, err := ecdsa.ParseUncompressedPublicKey(elliptic.P384(), c.Encode(q))
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.Verify(std, digest[:], r, s) {
		t.Error("the standard library refuses the signature")
	}
	if !c.Verify(q, digest[:], r, s) {
		t.Error("the signature does not verify here")
	}
	digest[0] ^= 1
	if c.Verify(q, digest[:], r, s) {
		t.Error("a signature over something else verifies")
	}
	if c.Verify(q, digest[:], r, c.N) || c.Verify(q, digest[:], new(big.Int), s) || c.Verify(Point{}, digest[:], r, s) {
		t.Error("numbers out of range are accepted")
	}
}

func TestPointRefusals(t *testing.T) {
	c, err := ByName("brainpoolP256r1")
	if err != nil {
		t.Fatal(err)
	}
	good := c.Encode(c.G)
	off := bytes.Clone(good)
	off[len(off)-1] ^= 1
	over := append([]byte{4}, append(bytes.Repeat([]byte{0xFF}, 32), good[33:]...)...)
	for name, data := range map[string][]byte{
		"empty": {}, "infinity": {0}, "compressed": append([]byte{2}, good[1:33]...), "short": good[:64], "long": append(bytes.Clone(good), 0), "off the curve": off, "above the prime": over,
	} {
		if _, ok := c.Decode(data); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestGroupLaw(t *testing.T) {
	c, err := ByName("brainpoolP320r1")
	if err != nil {
		t.Fatal(err)
	}
	minus := Point{c.G.X, new(big.Int).Sub(c.P, c.G.Y)}
	if !c.Add(c.G, minus).Infinite() {
		t.Error("G + (-G) is not infinity")
	}
	two := c.Add(c.G, c.G)
	if want := c.Mul(big.NewInt(2), c.G); two.X.Cmp(want.X) != 0 || two.Y.Cmp(want.Y) != 0 {
		t.Error("G + G is not 2G")
	}
	if got := c.Add(Point{}, c.G); got.X.Cmp(c.G.X) != 0 {
		t.Error("infinity is not neutral")
	}
}

func TestUnknownCurves(t *testing.T) {
	if _, err := ByName("secp112r1"); err == nil {
		t.Error("an unknown name is accepted")
	}
	for _, id := range []int{0, 2, 7, 19} {
		if _, err := ByPACE(id); err == nil {
			t.Errorf("PACE number %d is accepted", id)
		}
	}
	if _, err := (&Curve{N: big.NewInt(251)}).Scalar(bytes.NewReader(nil)); !errors.Is(err, io.EOF) {
		t.Errorf("no random octets: got %v", err)
	}
}
