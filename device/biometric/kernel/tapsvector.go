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
	var even, odd archsimd.Float32x8
	for len(filter) >= 2 {
		t, u := filter[0], filter[1]
		// Slices of three indexes: their bounds take half the instructions.
		p, q := at+int(t.Off), at+int(u.Off)
		v := archsimd.LoadFloat32x8((*[TapWidth]float32)(pairs[p : p+TapWidth : p+TapWidth]))
		w := archsimd.LoadFloat32x8((*[TapWidth]float32)(pairs[q : q+TapWidth : q+TapWidth]))
		even = even.Add(archsimd.BroadcastFloat32x8(t.W).Mul(v))
		odd = odd.Add(archsimd.BroadcastFloat32x8(u.W).Mul(w))
		filter = filter[2:]
	}
	if len(filter) == 1 {
		p := at + int(filter[0].Off)
		v := archsimd.LoadFloat32x8((*[TapWidth]float32)(pairs[p : p+TapWidth : p+TapWidth]))
		even = even.Add(archsimd.BroadcastFloat32x8(filter[0].W).Mul(v))
	}
	even.Add(odd).Store(out)
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
