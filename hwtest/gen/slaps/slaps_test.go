package slaps

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

func sketches(n int) []*Print {
	out := make([]*Print, n)
	for i := range out {
		out[i] = NewPrint(Sketch(uint64(i)), DPI)
	}
	return out
}

func TestSameSeedSameSlap(t *testing.T) {
	pool := sketches(4)
	l := Draw(rand.New(rand.NewPCG(4, 2)))
	a, ta := Compose(pool, l, 9)
	b, tb := Compose(pool, l, 9)
	if !bytes.Equal(a.Pix, b.Pix) || len(ta.Fingers) != len(tb.Fingers) {
		t.Error("one seed, two slaps")
	}
	c, _ := Compose(pool, l, 10)
	if bytes.Equal(a.Pix, c.Pix) {
		t.Error("two seeds, one slap")
	}
}

// The truth agrees with itself and with the picture: fingers stand in the order
// of the hand, on the platen, and ink lies in their boxes.
func TestTruth(t *testing.T) {
	pool := sketches(6)
	for seed := range uint64(12) {
		l := Draw(rand.New(rand.NewPCG(seed, 2)))
		g, tr := Compose(pool, l, seed)
		want := map[int][]int{RightFour: {2, 3, 4, 5}, LeftFour: {10, 9, 8, 7}, TwoThumbs: {6, 1}}[l.Code]
		var got []int
		for _, p := range want {
			if p != l.Missing {
				got = append(got, p)
			}
		}
		if len(tr.Fingers) != len(got) {
			t.Fatalf("slap %d: %d fingers, %d asked for", seed, len(tr.Fingers), len(got))
		}
		for i, f := range tr.Fingers {
			if f.Position != got[i] {
				t.Errorf("slap %d: finger %d in place %d", seed, f.Position, i)
			}
			for _, c := range f.Box.Corners() {
				if c[0] < -60 || c[1] < -60 || c[0] > Width+60 || c[1] > Height+60 {
					t.Errorf("slap %d: finger %d off the platen at %.0f", seed, f.Position, c)
				}
			}
			var dark, n int
			for y := -30; y <= 30; y++ {
				for x := -30; x <= 30; x++ {
					n++
					if g.GrayAt(int(f.Box.X)+x, int(f.Box.Y)+y).Y < 150 {
						dark++
					}
				}
			}
			if dark*10 < n {
				t.Errorf("slap %d: no ink where finger %d lies", seed, f.Position)
			}
			if math.Abs(f.Box.Angle-l.Rotation) > 20 {
				t.Errorf("slap %d: finger %d at %.0f degrees in a hand at %.0f", seed, f.Position, f.Box.Angle, l.Rotation)
			}
		}
	}
}

func BenchmarkCompose(b *testing.B) {
	pool := sketches(4)
	for i := range b.N {
		Compose(pool, Draw(rand.New(rand.NewPCG(uint64(i), 2))), uint64(i))
	}
}
