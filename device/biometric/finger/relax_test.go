package finger

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Keys come in the order of a sort, whatever their likeness, and end where the
// caller ends them.
func TestKeysInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	m := NewMatcher()
	for _, n := range []int{0, 1, 2, 100, 3000} {
		m.keys = m.keys[:0]
		for range n {
			s := leastAlike + (1-leastAlike)*r.Float32()
			switch r.IntN(20) {
			case 0:
				s = 1
			case 1:
				s = math.Nextafter32(leastAlike, 1)
			case 2:
				s = 0.5
			}
			m.keys = append(m.keys, uint64(^math.Float32bits(s))<<32|r.Uint64N(1<<32))
		}
		want := slices.Sorted(slices.Values(m.keys))
		for _, stop := range []int{n, n / 2} {
			var got []uint64
			m.inOrder(func(key uint64) bool {
				got = append(got, key)
				return len(got) < stop
			})
			if least := min(n, max(1, stop)); !slices.Equal(got, want[:least]) {
				t.Fatalf("%d keys, stopped after %d: not in order", n, stop)
			}
		}
	}
}
