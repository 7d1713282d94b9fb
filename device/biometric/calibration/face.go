// Package calibration turns scores into error rates that mean the same for
// every engine: how often a comparison of two different people scores as high.
package calibration

import "math"

// point ties a cosine to a false match rate and a false non-match rate.
type point struct {
	cosine, log10FMR float64
	fnmr             float64 // share of mated comparisons below; NaN where not measured
}

// Fit says what a calibration was fitted on, to be shown with what it states.
type Fit struct {
	On       string // data set and engine
	People   int
	NonMated int    // comparisons of different people
	Mated    string // which comparisons of one person
	// LeastFMR is the lowest false match rate with measured comparisons behind
	// it; rates below are extrapolated by a fitted tail.
	LeastFMR float64
}

// faceFit is what facePoints was fitted on.
var faceFit = Fit{
	On:     "Labeled Faces in the Wild, dlib ResNet with the mirrored view averaged, 2026",
	People: 5041, NonMated: 12_700_000, Mated: "at most eight pictures a person", LeastFMR: 1e-6,
}

// FaceFit returns what the curve of faces was fitted on.
func FaceFit() Fit { return faceFit }

// facePoints is the measured curve of the dlib ResNet model with the mirrored
// view averaged: 12.7 million pairs of 5,041 people of Labeled Faces in the
// Wild, one template each, 1e-6 and below extrapolated by a fitted tail; the
// misses are of at most eight pictures a person (project measurement of 2026).
// The curve is of all pairs: for pairs of the same sex the rate was 1.3 to 3.2
// times as high. A deploying authority measures its own population with
// `watchpost face report` and puts the factor into its policy.
var facePoints = []point{
	{0.910, -2, 0.012}, {0.928, -3, 0.048}, {0.942, -4, 0.163}, {0.954, -5, 0.403},
	{0.963, -6, math.NaN()}, {0.971, -7, math.NaN()}, {0.978, -8, math.NaN()},
}

// FaceFloor is the lowest false match rate that the curve states. Scores
// beyond its end are not given a lower one: nothing measured supports it.
const FaceFloor = 1e-8

// FaceFMR returns the false match rate of a cosine, 1 down to FaceFloor,
// never rising with the cosine. Between the points it interpolates the
// logarithm; below the first it goes on with the first slope. NaN gives 1,
// the rate that says nothing.
func FaceFMR(cosine float64) float64 {
	if math.IsNaN(cosine) {
		return 1
	}
	last := facePoints[len(facePoints)-1]
	if cosine >= last.cosine {
		return FaceFloor
	}
	i := 0
	for i < len(facePoints)-2 && cosine >= facePoints[i+1].cosine {
		i++
	}
	a, b := facePoints[i], facePoints[i+1]
	exponent := a.log10FMR + (cosine-a.cosine)*(b.log10FMR-a.log10FMR)/(b.cosine-a.cosine)
	return min(1, math.Pow(10, exponent))
}

// FaceThreshold returns the lowest cosine whose false match rate is at most
// fmr, and false where the curve cannot promise it (below FaceFloor, not
// above 0, or NaN).
func FaceThreshold(fmr float64) (float64, bool) {
	if !(fmr >= FaceFloor) {
		return 0, false
	}
	want := math.Log10(min(1, fmr))
	i := 0
	for i < len(facePoints)-2 && want <= facePoints[i+1].log10FMR {
		i++
	}
	a, b := facePoints[i], facePoints[i+1]
	return a.cosine + (want-a.log10FMR)*(b.cosine-a.cosine)/(b.log10FMR-a.log10FMR), true
}

// FPIR returns the false positive identification rate of a search among n
// persons at the given false match rate: 1-(1-fmr)^n, taking comparisons as
// independent.
func FPIR(fmr float64, n int) float64 {
	return -math.Expm1(float64(n) * math.Log1p(-min(fmr, 1)))
}

// FMRFor returns the false match rate that keeps a search among n persons
// within a false positive identification rate.
func FMRFor(fpir float64, n int) float64 {
	if n < 1 {
		return fpir
	}
	return -math.Expm1(math.Log1p(-min(fpir, 1)) / float64(n))
}
