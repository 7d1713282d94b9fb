package finger

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// goesAway is the rule of Guo and Hall for one pixel: on are its neighbours,
// north first, then clockwise.
func goesAway(on [8]int, second bool) bool {
	p := func(i int) int { return on[i-2] } // as the paper numbers them
	not := func(i int) int { return 1 - p(i) }
	crossed := not(2)&(p(3)|p(4)) + not(4)&(p(5)|p(6)) + not(6)&(p(7)|p(8)) + not(8)&(p(9)|p(2))
	n := min((p(9)|p(2))+(p(3)|p(4))+(p(5)|p(6))+(p(7)|p(8)), (p(2)|p(3))+(p(4)|p(5))+(p(6)|p(7))+(p(8)|p(9)))
	held := (p(2) | p(3) | not(5)) & p(4)
	if second {
		held = (p(6) | p(7) | not(9)) & p(8)
	}
	return crossed == 1 && n >= 2 && n <= 3 && held == 0
}

// thinned does the same as skeleton.thin, a pixel at a time.
func thinned(on []uint8, stride int) []int32 {
	for changed := true; changed; {
		changed = false
		for _, second := range []bool{false, true} {
			old := slices.Clone(on)
			for i, v := range old {
				if v == 0 {
					continue
				}
				var ring [8]int
				for k, d := range [8]int{-stride, -stride + 1, 1, stride + 1, stride, stride - 1, -1, -stride - 1} {
					ring[k] = int(old[i+d])
				}
				if goesAway(ring, second) {
					on[i], changed = 0, true
				}
			}
		}
	}
	var list []int32
	for i, v := range on {
		if v != 0 {
			list = append(list, int32(i))
		}
	}
	return list
}

func TestThin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var s skeleton
	for _, stride := range []int{66, 128, 161} {
		const rows = 60
		blobs := cloud(r, stride, rows, 3+stride/40)
		s.begin(stride, stride*rows)
		on := make([]uint8, stride*rows)
		for i, v := range blobs {
			if x, y := i%stride, i/stride; v > 0 && x > 0 && y > 0 && x < stride-1 && y < rows-1 {
				on[i] = 1
				word, mask := s.bit(i)
				s.bits[word] |= mask
			}
		}
		want := thinned(on, stride)
		s.thin()
		if !slices.Equal(s.list, want) || len(want) < 50 {
			t.Fatalf("stride %d: %d pixels left, not %d", stride, len(s.list), len(want))
		}
		// What is changed one by one has the codes that thin would give.
		for range 200 {
			i := (1+r.IntN(rows-2))*stride + 1 + r.IntN(stride-2)
			if r.IntN(2) == 0 {
				s.turnOn(i)
			} else {
				s.turnOff(int32(i))
			}
		}
		for i, v := range s.on {
			word, mask := s.bit(i)
			if (v != 0) != (s.bits[word]&mask != 0) {
				t.Fatalf("stride %d: pixel %d is on in one form only", stride, i)
			}
			code := 0
			for k, d := range s.ring() {
				if v != 0 && s.on[i+d] != 0 {
					code |= 1 << k
				}
			}
			if v != 0 && s.code(i) != code {
				t.Fatalf("stride %d: pixel %d has code %b, not %b", stride, i, s.code(i), code)
			}
		}
	}
}
