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
	pairs := make([]float32, 2*len(src))
	Pair(pairs, src, stride)
	for n := range 30 {
		var filter []Tap
		for range n {
			filter = append(filter, Tap{Off: int32(2 * ((r.IntN(9)-4)*stride + r.IntN(9) - 4)), W: float32(r.NormFloat64())})
		}
		var got, plain [TapWidth]float32
		Taps(&got, pairs, 2*at, filter)
		plainTaps(&plain, pairs, 2*at, filter)
		for i, v := range got {
			var sums [2]float32
			for k, tap := range filter {
				product := tap.W * src[at+i/2+i%2*stride+int(tap.Off)/2]
				sums[k%2] += product
			}
			if want := sums[0] + sums[1]; v != want || plain[i] != want {
				t.Fatalf("%d taps, value %d: %v, plain %v, want %v", n, i, v, plain[i], want)
			}
		}
		Rest()
	}
}
