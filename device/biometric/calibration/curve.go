package calibration

import "math"

// FaceCurve is the curve of faces held to a group: where Factor is above 1,
// every false match rate is stated that many times as high, so that the group
// of people with the highest rate is held to what the policy states
// (ISO/IEC 19795-10). Zero counts as 1. It is safe for concurrent use.
type FaceCurve struct{ Factor float64 }

// factor is never below 1: a curve that states less than was measured would
// let people through.
func (c FaceCurve) factor() float64 {
	if !(c.Factor > 1) {
		return 1
	}
	return c.Factor
}

// FMRAt returns the false match rate of a cosine, Floor to 1.
func (c FaceCurve) FMRAt(cosine float64) float64 { return min(1, c.factor()*FaceFMR(cosine)) }

// ScoreAt returns the lowest cosine whose false match rate is at most fmr, and
// 2, above every cosine, where the curve cannot promise the rate: nothing then
// matches.
func (c FaceCurve) ScoreAt(fmr float64) float64 {
	if cosine, ok := FaceThreshold(fmr / c.factor()); ok {
		return cosine
	}
	return 2
}

// Floor is the lowest false match rate that the curve states.
func (c FaceCurve) Floor() float64 { return FaceFloor * c.factor() }

// FaceReading is what the calibration says of one cosine.
type FaceReading struct {
	FMR float64 // false match rate per comparison
	// LLR is the natural logarithm of how much likelier the cosine is for one
	// person than for two. Its false rate is bounded: of comparisons of two
	// people at most exp(-t) have an LLR of t or more.
	LLR float64
	// Clamped says that the cosine lies beyond what was measured: LLR stays at
	// the end of the table, and FMR comes of a fitted tail or its floor.
	Clamped bool
}

// At reads the curve.
func (c FaceCurve) At(cosine float64) FaceReading {
	llr, clamped := faceLLR(cosine)
	if llr > 0 {
		// Factor times as many of the worst group's pairs score as high.
		llr = max(0, llr-math.Log(c.factor()))
	}
	return FaceReading{FMR: c.FMRAt(cosine), LLR: llr, Clamped: clamped}
}

// llrPoint ties a cosine to a log-likelihood ratio.
type llrPoint struct{ cosine, llr float64 }

// faceLLRs are the knots of the log-likelihood ratio, made of facePoints: the
// share of mated over the share of non-mated comparisons between two points of
// the curve, and of all above the last that was measured, each put at the
// upper end of its range. In every range the value is then at most the ratio
// of the range, so that the mean of exp(LLR) over comparisons of two people is
// at most 1, which is what bounds its false rate (Markov's inequality).
var faceLLRs = func() []llrPoint {
	ratio := func(mated, other float64) float64 { return math.Log(mated / other) }
	p := facePoints
	out := []llrPoint{{p[0].cosine, ratio(p[0].fnmr, 1-math.Pow(10, p[0].log10FMR))}}
	last := 0
	for i := 1; !math.IsNaN(p[i].fnmr); i++ {
		out = append(out, llrPoint{p[i].cosine, ratio(p[i].fnmr-p[i-1].fnmr, math.Pow(10, p[i-1].log10FMR)-math.Pow(10, p[i].log10FMR))})
		last = i
	}
	return append(out, llrPoint{p[last+1].cosine, ratio(1-p[last].fnmr, math.Pow(10, p[last].log10FMR))})
}()

// faceLLR interpolates faceLLRs; outside it stays at the nearer end, clamped.
// NaN says the least: the lowest value.
func faceLLR(cosine float64) (llr float64, clamped bool) {
	k := faceLLRs
	if !(cosine > k[0].cosine) {
		return k[0].llr, true
	}
	for i := 1; i < len(k); i++ {
		if cosine <= k[i].cosine {
			t := (cosine - k[i-1].cosine) / (k[i].cosine - k[i-1].cosine)
			return k[i-1].llr + t*(k[i].llr-k[i-1].llr), false
		}
	}
	return k[len(k)-1].llr, true
}

// ScoreOfLLR returns the lowest cosine whose LLR is at least llr, and 2, above
// every cosine, where none has it.
func (c FaceCurve) ScoreOfLLR(llr float64) float64 {
	k := faceLLRs
	if llr <= k[0].llr {
		return -1
	}
	want := llr
	if llr > 0 {
		want += math.Log(c.factor())
	}
	for i := 1; i < len(k); i++ {
		if want <= k[i].llr {
			return k[i-1].cosine + (want-k[i-1].llr)/(k[i].llr-k[i-1].llr)*(k[i].cosine-k[i-1].cosine)
		}
	}
	return 2
}
