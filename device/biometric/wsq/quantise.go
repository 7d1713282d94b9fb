package wsq

import "math"

// step is the quantiser of a subband; width 0 drops it (section 2.4).
type step struct {
	width, zero decimal // of a bin, and of the bin around zero
}

// decimal is a number as the format writes it: mantissa / 10^exponent.
type decimal struct {
	mantissa uint16
	exponent uint8
}

func (d decimal) value() float64 {
	return float64(d.mantissa) / math.Pow10(int(d.exponent))
}

// newDecimal keeps as many digits of v, 0 <= v < 65535, as fit.
func newDecimal(v float64) decimal {
	if !(v > 0) {
		return decimal{}
	}
	d := decimal{}
	for v*10 < 65535 && d.exponent < 20 {
		v *= 10
		d.exponent++
	}
	d.mantissa = uint16(min(math.Round(v), 65535))
	return d
}

// levels returns the shift and scale that bring the pixels near -128 to 128
// (section 2.2).
func levels(pix []byte) (shift, scale decimal) {
	var sum int
	low, high := byte(255), byte(0)
	for _, p := range pix {
		sum += int(p)
		low, high = min(low, p), max(high, p)
	}
	mean := float64(sum) / float64(len(pix))
	r := max(mean-float64(low), float64(high)-mean) / 128
	if r == 0 {
		r = 1 // one grey all over
	}
	return newDecimal(mean), newDecimal(r)
}

// index returns the bin of a coefficient.
func index(v, width, halfZero float32) int {
	switch {
	case v > halfZero:
		return int((v-halfZero)/width) + 1
	case v < -halfZero:
		return -int((-v-halfZero)/width) - 1
	}
	return 0
}

// Constants of the reference encoder (specification, annex C): a subband of
// less variance than leastVariance is dropped; variances are taken in the
// middle of the image unless the lowest subbands' sum is below flatImage; the
// zero bin is zeroRatio times as wide; a bin reaches at most loading standard
// deviations.
const (
	leastVariance = 1.01
	flatImage     = 20000
	zeroRatio     = 1.2
	loading       = 5
)

// weight is A_k of annex C.
func weight(k int) float64 {
	switch k {
	case 52, 56:
		return 1.32
	case 53, 55, 58, 59:
		return 1.08
	case 54, 57:
		return 1.42
	}
	return 1
}

// share is 1/m_k of annex C, the part of all coefficients in subband k.
func share(k int) float64 {
	switch {
	case k < 4:
		return 1.0 / 1024
	case k < 51:
		return 1.0 / 256
	}
	return 1.0 / 16
}

// chooseSteps gives each subband its bins so that about rate bits a pixel are
// spent (annex C).
func chooseSteps(plane []float32, width int, leaves [subbands]band, rate float64) [subbands]step {
	variances := measure(plane, width, leaves)
	var q [sentBands]float64 // relative widths, before the common factor
	var wide []int           // subbands of any use
	for k, v := range variances {
		if v < leastVariance {
			continue
		}
		q[k] = 1
		if k >= 4 {
			q[k] = 10 / (weight(k) * math.Log(v))
		}
		wide = append(wide, k)
	}
	// The common factor follows from the subbands whose bins are no wider than
	// their content; the others, which then cost little, get it too.
	factor := 1.0
	for used := wide; len(used) > 0; {
		var s, logP float64
		for _, k := range used {
			s += share(k)
			logP += share(k) * math.Log(math.Sqrt(variances[k])/q[k])
		}
		factor = math.Exp2(rate/s-1) / 2.5 / math.Exp(logP/s)
		var kept []int
		for _, k := range used {
			if q[k]/factor < loading*math.Sqrt(variances[k]) {
				kept = append(kept, k)
			}
		}
		if len(kept) == len(used) {
			break
		}
		used = kept
	}
	var steps [subbands]step
	for _, k := range wide {
		w := q[k] / factor
		steps[k] = step{width: newDecimal(w), zero: newDecimal(zeroRatio * w)}
	}
	return steps
}

// measure returns the variance of each subband that may be sent.
func measure(plane []float32, width int, leaves [subbands]band) [sentBands]float64 {
	var out [sentBands]float64
	var sum float64
	for k := range 4 {
		out[k] = variance(plane, width, middle(leaves[k]))
		sum += out[k]
	}
	flat := sum < flatImage
	for k := range out {
		switch {
		case flat:
			out[k] = variance(plane, width, leaves[k])
		case k >= 4:
			out[k] = variance(plane, width, middle(leaves[k]))
		}
	}
	return out
}

// middle is the part of a subband in which the print is expected.
func middle(b band) band {
	return band{x: b.x + b.w/8, y: b.y + 9*b.h/32, w: 3 * b.w / 4, h: 7 * b.h / 16}
}

func variance(plane []float32, width int, b band) float64 {
	n := float64(b.w * b.h)
	if n < 2 {
		return 0
	}
	var sum, squares float64
	for y := b.y; y < b.y+b.h; y++ {
		for _, v := range plane[y*width+b.x:][:b.w] {
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
	}
	return (squares - sum*sum/n) / (n - 1)
}
