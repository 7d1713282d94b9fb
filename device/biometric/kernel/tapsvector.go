//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

func taps(out *[TapWidth]float32, pairs []float32, at int, filter []Tap) {
	if hasAVX2 {
		tapsAVX2(out, pairs, at, filter)
		return
	}
	plainTaps(out, pairs, at, filter)
}

func tapsAVX2(out *[TapWidth]float32, pairs []float32, at int, filter []Tap) {
	var sum archsimd.Float32x8
	for i := range filter {
		t := &filter[i]
		// A slice of three indexes: its bounds take half the instructions.
		p := at + t.Off
		v := archsimd.LoadFloat32x8((*[TapWidth]float32)(pairs[p : p+TapWidth : p+TapWidth]))
		sum = sum.Add(archsimd.LoadFloat32x8(&t.W).Mul(v))
	}
	sum.Store(out)
	archsimd.ClearAVXUpperBits()
}

// Rest gives the processor back the upper halves of its vector registers. This
// release's runtime leaves them in use after it has interrupted a goroutine,
// and then every instruction of the old encoding, such as all arithmetic of
// floats outside this package, waits for the one before it: five times as
// long. Long work on floats calls it now and then; it costs nothing.
func Rest() {
	if hasAVX2 {
		archsimd.ClearAVXUpperBits()
	}
}
