//go:build goexperiment.simd && amd64

package kernel

import (
	"math/rand/v2"
	"testing"
)

// Every kernel that this processor has gives the bits of plain Go.
func TestDotKernelsAgree(t *testing.T) {
	type kernel struct {
		name  string
		has   bool
		dot   func(a, b *[Dims]float32) float32
		rows  func(dst, rows []float32, probe *[Dims]float32)
		reach func(masks []uint16, scores []float32, least float32)
		sum   func(values []float32) float32
	}
	r := rand.New(rand.NewPCG(11, 12))
	const n = 37
	probe := random(r)
	var rows []float32
	for range n {
		rows = append(rows, random(r)[:]...)
	}
	want := make([]float32, n)
	plainDotRows(want, rows, probe)
	for _, k := range []kernel{
		{"avx2", hasAVX2, dotAVX2, dotRowsAVX2, reachAVX2, sumAVX2},
		{"avx512", hasAVX512, dotAVX512, dotRowsAVX512, reachAVX512, sumAVX512},
		{"avx512 touching", hasAVX512, dotAVX512, dotRowsTouched, reachAVX512, sumAVX512},
	} {
		t.Run(k.name, func(t *testing.T) {
			if !k.has {
				t.Skip("this processor has no " + k.name)
			}
			got := make([]float32, n)
			k.rows(got, rows, probe)
			for i := range want {
				if one := k.dot((*[Dims]float32)(rows[i*Dims:]), probe); got[i] != want[i] || one != want[i] {
					t.Fatalf("row %d: %v in rows, %v alone, want %v", i, got[i], one, want[i])
				}
			}
			masks, plain := make([]uint16, 3), make([]uint16, 3)
			k.reach(masks, want, want[3])
			plainReach(plain, want, want[3])
			if [3]uint16(masks) != [3]uint16(plain) || plain[0]&8 == 0 {
				t.Errorf("masks %b, want %b", masks, plain)
			}
			ones := make([]float32, 1000)
			for i := range ones {
				ones[i] = float32(i)
			}
			if s := k.sum(ones); s != 999*500 {
				t.Errorf("sum %v", s)
			}
		})
	}
}
