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
	src = src[:len(below)]
	dst = dst[:2*len(below)]
	for i, v := range below {
		d := dst[2*i : 2*i+2 : 2*i+2]
		d[0], d[1] = src[i], v
	}
}

// Tap is one sample of a filter: where in a paired plane it lies from the
// pixel that is filtered, and its weight. It is small, so that a bank of many
// filters stays in the cache.
type Tap struct {
	Off int32
	W   float32
}

// Taps filters four neighbouring pixels of two rows: out[x] is the sum over the
// even taps, in their order, of W times pairs[at+Off+x], plus that over the odd
// ones: two sums, so that one need not wait for the other. Every kernel gives
// the same bits.
func Taps(out *[TapWidth]float32, pairs []float32, at int, filter []Tap) {
	taps(out, pairs, at, filter)
}

// The conversions forbid fused multiply-add, as in plainDot.
func plainTaps(out *[TapWidth]float32, pairs []float32, at int, filter []Tap) {
	for half := 0; half < TapWidth; half += 2 {
		var a, b, c, d float32 // of two values the even taps, then the odd ones
		rest := filter
		for len(rest) >= 2 {
			t, u := rest[0], rest[1]
			p, q := at+half+int(t.Off), at+half+int(u.Off)
			v, w := pairs[p:p+2:p+2], pairs[q:q+2:q+2]
			a += float32(t.W * v[0])
			b += float32(t.W * v[1])
			c += float32(u.W * w[0])
			d += float32(u.W * w[1])
			rest = rest[2:]
		}
		if len(rest) == 1 {
			p := at + half + int(rest[0].Off)
			a += float32(rest[0].W * pairs[p])
			b += float32(rest[0].W * pairs[p+1])
		}
		out[half], out[half+1] = a+c, b+d
	}
}
