package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// wantMasks is Prune by its definition, in int64.
func wantMasks(codes []int8, probe *[CodeDims]int16, least int32) []uint16 {
	masks := make([]uint16, len(codes)/GroupSize)
	for g := range masks {
		for row := range GroupRows {
			var s int64
			for d := range CodeDims {
				s += int64(codes[g*GroupSize+CodeAt(row, d)]) * int64(probe[d])
			}
			if s >= int64(least) {
				masks[g] |= 1 << row
			}
		}
	}
	return masks
}

func checkPrune(t *testing.T, codes []int8, probe *[CodeDims]int16, least int32) {
	t.Helper()
	want := wantMasks(codes, probe, least)
	got := make([]uint16, len(want)+1)
	got[len(want)] = 0xBEEF
	if n := Prune(got, codes, NewCodeProbe(probe), least); n != len(want) || !slices.Equal(got[:n], want) {
		t.Fatalf("%s: least %d: got %x, want %x", Name(), least, got[:n], want)
	}
	if got[len(want)] != 0xBEEF {
		t.Fatal("wrote past the groups")
	}
	plainPrune(got[:len(want)], codes, probe, least)
	if !slices.Equal(got[:len(want)], want) {
		t.Fatalf("plain: least %d: got %x, want %x", least, got[:len(want)], want)
	}
}

func TestPruneRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for round := range 300 {
		codes := make([]int8, r.IntN(5)*GroupSize+r.IntN(GroupSize))
		for i := range codes {
			codes[i] = int8(r.IntN(2*CodeMax+1) - CodeMax)
		}
		var probe [CodeDims]int16
		for i := range probe {
			probe[i] = int16(r.IntN(2*ProbeMax+1) - ProbeMax)
		}
		least := int32(r.NormFloat64() * 1e7)
		if round%10 == 0 && len(codes) >= GroupSize { // exactly at a row's sum
			var s int32
			for d := range CodeDims {
				s += int32(codes[CodeAt(3, d)]) * int32(probe[d])
			}
			checkPrune(t, codes[:len(codes)/GroupSize*GroupSize], &probe, s)
			checkPrune(t, codes[:len(codes)/GroupSize*GroupSize], &probe, s+1)
		}
		checkPrune(t, codes[:len(codes)/GroupSize*GroupSize], &probe, least)
	}
}

// The largest sums in size that the bounds allow, both signs, and limits at
// the ends of int32.
func TestPruneExtremes(t *testing.T) {
	const most = CodeDims * CodeMax * ProbeMax
	for _, code := range []int8{CodeMax, -CodeMax, 0} {
		for _, value := range []int16{ProbeMax, -ProbeMax, 0, -1} {
			codes := slices.Repeat([]int8{code}, 2*GroupSize)
			var probe [CodeDims]int16
			for i := range probe {
				probe[i] = value
			}
			for _, least := range []int32{math.MinInt32, math.MaxInt32, most, most + 1, -most, -most + 1, -most - 1, 0, 1, -1} {
				checkPrune(t, codes, &probe, least)
			}
		}
	}
}

func TestCodeAtIsABijection(t *testing.T) {
	seen := map[int]bool{}
	for row := range GroupRows {
		for d := range CodeDims {
			seen[CodeAt(row, d)] = true
		}
	}
	if len(seen) != GroupSize || !seen[0] || !seen[GroupSize-1] {
		t.Errorf("%d places of %d", len(seen), GroupSize)
	}
}

// Vector kernels give the bits of the plain one, also where floats are odd.
func TestDotIsPlainDot(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	odd := []float32{0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32,
		1e-38, 1e-20, 3e38, -3e38, float32(math.Inf(1)), 1, -1, 1 + 1.0/(1<<23), 16777216, -16777215}
	for round := range 3000 {
		a, b := random(r), random(r)
		if round%3 == 0 {
			for range 1 + r.IntN(20) {
				a[r.IntN(Dims)], b[r.IntN(Dims)] = odd[r.IntN(len(odd))], odd[r.IntN(len(odd))]
			}
		}
		got, want := Dot(a, b), plainDot(a, b)
		if math.Float32bits(got) != math.Float32bits(want) && !(got != got && want != want) {
			t.Fatalf("round %d: %s %x, plain %x", round, Name(), math.Float32bits(got), math.Float32bits(want))
		}
	}
}

func TestSum(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 63, 64, 65, 200, 1023} {
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(i + 1)
		}
		want := float32(n * (n + 1) / 2) // exact: below 2^24
		if got, plain := Sum(values), plainSum(values); got != want || plain != want {
			t.Errorf("%d values: %v and %v, want %v", n, got, plain, want)
		}
	}
}

func BenchmarkPrune(b *testing.B) {
	r := rand.New(rand.NewPCG(15, 16))
	codes := make([]int8, 64*GroupSize)
	for i := range codes {
		codes[i] = int8(r.IntN(2*CodeMax+1) - CodeMax)
	}
	var probe [CodeDims]int16
	masks := make([]uint16, 64)
	with := NewCodeProbe(&probe)
	b.SetBytes(int64(len(codes)))
	for b.Loop() {
		Prune(masks, codes, with, 1)
	}
}
