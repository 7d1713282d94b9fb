package kernel

import (
	"math/rand/v2"
	"testing"
)

func TestTaps(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const stride, at = 20, 5*20 + 6
	src := make([]float32, 12*stride)
	for i := range src {
		src[i] = float32(r.NormFloat64())
	}
	for n := range 30 {
		var filter []Tap
		for range n {
			w := float32(r.NormFloat64())
			filter = append(filter, Tap{Off: (r.IntN(9)-4)*stride + r.IntN(9) - 4, W: [TapWidth]float32{w, w, w, w}})
		}
		var got [2 * TapWidth]float32
		Taps(&got, src, at, stride, filter)
		for i, v := range got {
			want := float32(0)
			for _, tap := range filter {
				product := tap.W[0] * src[at+i/TapWidth*stride+i%TapWidth+tap.Off]
				want += product
			}
			if v != want {
				t.Fatalf("%d taps, value %d: %v, want %v", n, i, v, want)
			}
		}
		Rest()
	}
}
