//go:build goexperiment.simd && amd64

package kernel

import (
	"simd/archsimd"

	"github.com/klauspost/cpuid/v2"
)

// What the processor can do, asked once.
var (
	hasAVX2   = archsimd.X86.AVX2()
	hasAVX512 = archsimd.X86.AVX512()
	// touches: memory is read faster where every cache line is loaded from
	// twice, see touch.
	touches = hasAVX512 && cpuid.CPU.IsVendor(cpuid.AMD) && cpuid.CPU.Family == zen4
)

// zen4 is the family of AMD's processors that touch was measured on (AMD:
// Processor Programming Reference for Family 19h).
const zen4 = 0x19

// Name returns the kernel in use: plain, avx2 or avx512.
func Name() string {
	switch {
	case hasAVX512:
		return "avx512"
	case hasAVX2:
		return "avx2"
	}
	return "plain"
}

func dot(a, b *[Dims]float32) float32 {
	switch {
	case hasAVX512:
		return dotAVX512(a, b)
	case hasAVX2:
		return dotAVX2(a, b)
	}
	return plainDot(a, b)
}

func dotRows(dst, rows []float32, probe *[Dims]float32) {
	switch {
	case touches:
		dotRowsTouched(dst, rows, probe)
	case hasAVX512:
		dotRowsAVX512(dst, rows, probe)
	case hasAVX2:
		dotRowsAVX2(dst, rows, probe)
	default:
		plainDotRows(dst, rows, probe)
	}
}

func reach(masks []uint16, scores []float32, least float32) {
	switch {
	case hasAVX512:
		reachAVX512(masks, scores, least)
	case hasAVX2:
		reachAVX2(masks, scores, least)
	default:
		plainReach(masks, scores, least)
	}
}

func sum(values []float32) float32 {
	switch {
	case hasAVX512 && !touches: // two loads of 256 bits a line are as good as a touch
		return sumAVX512(values)
	case hasAVX2:
		return sumAVX2(values)
	}
	return plainSum(values)
}

func prune(masks []uint16, codes []int8, probe *CodeProbe, least int32) {
	switch {
	case hasAVX512:
		pruneAVX512(masks, codes, probe, least)
	case hasAVX2:
		pruneAVX2(masks, codes, probe, least)
	default:
		plainPrune(masks, codes, &probe.values, least)
	}
}
