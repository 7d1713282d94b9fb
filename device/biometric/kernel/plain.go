//go:build !(goexperiment.simd && amd64)

package kernel

// Name returns the kernel in use: plain, avx2 or avx512.
func Name() string { return "plain" }

func dot(a, b *[Dims]float32) float32 { return plainDot(a, b) }

func dotRows(dst, rows []float32, probe *[Dims]float32) { plainDotRows(dst, rows, probe) }

func reach(masks []uint16, scores []float32, least float32) { plainReach(masks, scores, least) }

func sum(values []float32) float32 { return plainSum(values) }

func prune(masks []uint16, codes []int8, probe *CodeProbe, least int32) {
	plainPrune(masks, codes, &probe.values, least)
}

func taps(out *[TapWidth]float32, pairs []float32, at int, filter []Tap) {
	plainTaps(out, pairs, at, filter)
}

// Rest gives the processor back what vector kernels hold of it: nothing here.
func Rest() {}
