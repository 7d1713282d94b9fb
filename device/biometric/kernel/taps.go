package kernel

// TapWidth is how many pixels of each of two rows Taps filters at once.
const TapWidth = 4

// Tap is one sample of a filter: where in a plane it lies from the pixel that
// is filtered, and its weight, once for each pixel of a row.
type Tap struct {
	Off int
	W   [TapWidth]float32
}

// Taps filters TapWidth neighbouring pixels of two rows, the second one stride
// below the first: out[x] is the sum over the taps, in their order, of W times
// src[at+Off+x], and out[TapWidth+x] the same from at+stride. Every kernel
// gives the same bits.
func Taps(out *[2 * TapWidth]float32, src []float32, at, stride int, filter []Tap) {
	taps(out, src, at, stride, filter)
}

// The conversions forbid fused multiply-add, as in plainDot.
func plainTaps(out *[2 * TapWidth]float32, src []float32, at, stride int, filter []Tap) {
	for row := 0; row < len(out); row += TapWidth {
		var a, b, c, d float32
		for i := range filter {
			t := &filter[i]
			p := (*[TapWidth]float32)(src[at+t.Off:])
			a += float32(t.W[0] * p[0])
			b += float32(t.W[0] * p[1])
			c += float32(t.W[0] * p[2])
			d += float32(t.W[0] * p[3])
		}
		out[row], out[row+1], out[row+2], out[row+3] = a, b, c, d
		at += stride
	}
}
