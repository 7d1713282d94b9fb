//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

func taps(out *[2 * TapWidth]float32, src []float32, at, stride int, filter []Tap) {
	if hasAVX2 {
		tapsAVX(out, src, at, stride, filter)
		return
	}
	plainTaps(out, src, at, stride, filter)
}

func tapsAVX(out *[2 * TapWidth]float32, src []float32, at, stride int, filter []Tap) {
	var upper, lower archsimd.Float32x4
	below := src[stride:]
	for i := range filter {
		t := &filter[i]
		p, w := at+t.Off, archsimd.LoadFloat32x4(&t.W)
		// Slices of three indexes: their bounds take half the instructions.
		upper = upper.Add(w.Mul(archsimd.LoadFloat32x4((*[TapWidth]float32)(src[p : p+TapWidth : p+TapWidth]))))
		lower = lower.Add(w.Mul(archsimd.LoadFloat32x4((*[TapWidth]float32)(below[p : p+TapWidth : p+TapWidth]))))
	}
	upper.Store((*[TapWidth]float32)(out[:]))
	lower.Store((*[TapWidth]float32)(out[TapWidth:]))
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
