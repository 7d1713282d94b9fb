package dh

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"testing"
)

func TestGroups(t *testing.T) {
	for id := range 3 {
		g, err := ByPACE(id)
		if err != nil {
			t.Fatal(err)
		}
		one := big.NewInt(1)
		if !g.P.ProbablyPrime(20) || !g.Q.ProbablyPrime(20) || g.Power(g.G, g.Q).Cmp(one) != 0 || g.G.Cmp(one) <= 0 {
			t.Errorf("group %d is not sound", id)
		}
		if rest := new(big.Int).Mod(new(big.Int).Sub(g.P, one), g.Q); rest.Sign() != 0 {
			t.Errorf("group %d: the order does not divide", id)
		}
		a, err := g.Scalar(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public := g.Encode(g.Power(g.G, a))
		if v, ok := g.Decode(public); !ok || !bytes.Equal(g.Encode(v), public) || len(public) != g.Size() {
			t.Errorf("group %d: an element does not come back", id)
		}
		minusOne := g.Encode(new(big.Int).Sub(g.P, one))
		for name, bad := range map[string][]byte{
			"one": g.Encode(one), "zero": g.Encode(new(big.Int)), "prime": g.Encode(g.P), "minus one": minusOne, "short": public[1:], "long": append([]byte{0}, public...), "nothing": nil,
		} {
			if _, ok := g.Decode(bad); ok {
				t.Errorf("group %d: %s is taken", id, name)
			}
		}
	}
	for _, id := range []int{-1, 3, 8} {
		if _, err := ByPACE(id); err == nil {
			t.Errorf("group %d is there", id)
		}
	}
}
