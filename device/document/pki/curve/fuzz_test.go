package curve

import (
	"bytes"
	"math/big"
	"testing"
)

// Whatever bytes a key is made of, a point that is taken lies on its curve, is
// not infinity, and is written as it was read.
func FuzzUnmarshal(f *testing.F) {
	for i, c := range All() {
		f.Add(uint8(i), c.Marshal(c.G))
		f.Add(uint8(i), append([]byte{2 + byte(c.G.Y.Bit(0))}, c.CoordinateBytes(c.G.X)...))
	}
	f.Fuzz(func(t *testing.T, which uint8, raw []byte) {
		c := All()[int(which)%len(All())]
		p, err := c.Unmarshal(raw)
		if err != nil {
			return
		}
		if p.IsInfinity() || p.X.Cmp(c.P) >= 0 || p.Y.Cmp(c.P) >= 0 {
			t.Fatalf("%s: a point out of range", c.Name)
		}
		y2 := new(big.Int).Mul(p.Y, p.Y)
		right := new(big.Int).Exp(p.X, big.NewInt(3), nil)
		right.Add(right, new(big.Int).Mul(c.A, p.X)).Add(right, c.B)
		if y2.Sub(y2, right).Mod(y2, c.P).Sign() != 0 {
			t.Fatalf("%s: a point off the curve", c.Name)
		}
		if again, err := c.Unmarshal(c.Marshal(p)); err != nil || !again.Equal(p) {
			t.Fatalf("%s: a point that cannot be read again", c.Name)
		}
		if raw[0] == 4 && !bytes.Equal(c.Marshal(p), raw) {
			t.Fatalf("%s: two forms of one point", c.Name)
		}
	})
}
