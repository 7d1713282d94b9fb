package kernel

// A paired plane has two values for every pixel: the pixel, and the one below
// it. Four neighbours and the four below them lie side by side.

// TapWidth is how many values of a paired plane Taps filters at once: four
// pixels of two rows.
const TapWidth = 8

// Pair writes the paired plane of src, whose rows are stride long, to dst, all
// but the last row, which has none below. dst has room for twice as many.
func Pair(dst, src []float32, stride int) {
	below := src[stride:]
	dst = dst[:2*len(below)]
	for i, v := range below {
		dst[2*i], dst[2*i+1] = src[i], v
	}
}

// Tap is one sample of a filter: where in a paired plane it lies from the
// pixel that is filtered, and its weight, once for each value.
type Tap struct {
	Off int
	W   [TapWidth]float32
}

// Taps filters four neighbouring pixels of two rows: out[x] is the sum over the
// taps, in their order, of W times pairs[at+Off+x]. Every kernel gives the same
// bits.
func Taps(out *[TapWidth]float32, pairs []float32, at int, filter []Tap) {
	taps(out, pairs, at, filter)
}

// The conversions forbid fused multiply-add, as in plainDot.
func plainTaps(out *[TapWidth]float32, pairs []float32, at int, filter []Tap) {
	for half := 0; half < TapWidth; half += 4 {
		var a, b, c, d float32
		for i := range filter {
			t := &filter[i]
			p := at + half + t.Off
			v := pairs[p : p+4 : p+4]
			a += float32(t.W[0] * v[0])
			b += float32(t.W[0] * v[1])
			c += float32(t.W[0] * v[2])
			d += float32(t.W[0] * v[3])
		}
		out[half], out[half+1], out[half+2], out[half+3] = a, b, c, d
	}
}
