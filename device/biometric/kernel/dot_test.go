package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func random(r *rand.Rand) *[Dims]float32 {
	var v [Dims]float32
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return &v
}

func TestDotAgainstFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		a, b := random(r), random(r)
		var want float64
		for i := range a {
			want += float64(a[i]) * float64(b[i])
		}
		if got := Dot(a, b); math.Abs(float64(got)-want) > 1e-4 {
			t.Fatalf("got %v, want %v", got, want)
		}
		if Dot(a, b) != Dot(b, a) {
			t.Fatal("not symmetric")
		}
	}
}

// The written-out order, as a plain loop.
func TestDotOrderOfAdditions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		a, b := random(r), random(r)
		var s [16]float32
		for i := range a {
			product := a[i] * b[i]
			s[i%16] += product
		}
		for i := range 8 {
			s[i] += s[i+8]
		}
		if want := ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])); Dot(a, b) != want {
			t.Fatalf("got %x, want %x", math.Float32bits(Dot(a, b)), math.Float32bits(want))
		}
	}
}

func TestDotRowsIsDot(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	probe := random(r)
	for n := range 5 {
		rows := make([]float32, 0, n*Dims)
		for range n {
			rows = append(rows, random(r)[:]...)
		}
		dst := make([]float32, n+1)
		if got := DotRows(dst, rows, probe); got != n {
			t.Fatalf("wrote %d of %d", got, n)
		}
		for i := range n {
			if dst[i] != Dot((*[Dims]float32)(rows[i*Dims:]), probe) {
				t.Errorf("row %d differs", i)
			}
		}
		if dst[n] != 0 {
			t.Error("wrote past the rows")
		}
	}
}

// Every kernel that this machine has, against plain Go.
func TestReachIsNotBelow(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	nan := float32(math.NaN())
	for n := range 70 {
		scores := make([]float32, n)
		for i := range scores {
			switch scores[i] = float32(r.IntN(5)); {
			case r.IntN(9) == 0:
				scores[i] = nan
			case r.IntN(9) == 0:
				scores[i] = float32(math.Copysign(0, -1))
			}
		}
		for _, least := range []float32{-2, 0, 2, 3, 9, nan, float32(math.Inf(1))} {
			want, got := make([]uint16, n/GroupRows+1), make([]uint16, n/GroupRows+1)
			for i, s := range scores {
				if !(s < least) {
					want[i/GroupRows] |= 1 << (i % GroupRows)
				}
			}
			if k := Reach(got, scores, least); k != (n+GroupRows-1)/GroupRows {
				t.Fatalf("%d scores: %d masks", n, k)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%d scores, least %v, mask %d: %016b, want %016b", n, least, i, got[i], want[i])
				}
			}
		}
	}
}

func BenchmarkDotRows(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	probe := random(r)
	rows := make([]float32, 1024*Dims)
	for i := range rows {
		rows[i] = float32(r.NormFloat64())
	}
	dst := make([]float32, 1024)
	b.SetBytes(int64(4 * len(rows)))
	for b.Loop() {
		DotRows(dst, rows, probe)
	}
}
