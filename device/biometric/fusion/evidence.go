package fusion

import "math"

// Scored is evidence whose likelihood ratio is known already: a face read
// through its calibration, or what another source has stated.
type Scored Part

// Part implements Evidence.
func (s Scored) Part() (Part, bool) { return Part(s), true }

// FaceScore is a face's calibrated log-likelihood ratio (calibration.FaceCurve).
type FaceScore struct{ LLR float64 }

// Part implements Evidence.
func (f FaceScore) Part() (Part, bool) { return Part{Kind: Face, LLR: f.LLR}, true }

const (
	// calibrator is k of the e-value k*p^(k-1) that a false match rate p is
	// made into; its mean over uniform p is 1 for every k between 0 and 1.
	// Near 0 it favours small rates.
	calibrator = 0.1
	// fingerSupport is the false match rate of one finger down to which the
	// fingers' calibration was measured (biometric/finger README).
	fingerSupport = 1e-4
)

// FingerScore is what a comparison of fingers says.
type FingerScore struct {
	LLR      float64 // sum of the fingers' scores
	FMR      float64 // false match rate of that sum
	Compared int     // fingers compared, from 1
	Agreeing int     // fingers that by themselves look like one
}

// Part implements Evidence. The engine's own ratio was fitted on few fingers;
// it counts as far as its measured false match rate bears it, and not beyond
// what was measured for each finger that agrees.
func (f FingerScore) Part() (Part, bool) {
	if f.Compared < 1 || !(f.FMR >= 0 && f.FMR <= 1) || math.IsNaN(f.LLR) {
		return Part{}, false
	}
	borne := FromRate(max(f.FMR, math.Pow(fingerSupport, float64(max(f.Agreeing, 1)))))
	return Part{Kind: Fingers, LLR: min(f.LLR, borne), Several: f.Agreeing > 1}, true
}

// FromRate is the log-likelihood ratio that a false match rate, above 0 to 1,
// bears.
func FromRate(fmr float64) float64 { return math.Log(calibrator) + (calibrator-1)*math.Log(fmr) }

// Agreement is how two values agree.
type Agreement uint8

// Agreements. Zero is unknown and says nothing.
const (
	Unknown Agreement = 0
	Differs Agreement = 1
	Partly  Agreement = 2 // a family name, a year of birth
	Whole   Agreement = 3 // all names, the day of birth
)

// biography gives each agreement its ratio: the share of subjects met under
// their record over the share of other people, for whom the highest value of a
// country is taken, so that the rate stated holds there too. One in five bears
// the most common family name of a country with few of them, one in a thousand
// the most common whole name; a day of birth is one of some 20,000, but
// unknown ones are written as the first of January; 4 % are of the most
// common year. Of subjects at least one in ten travels under another name or
// date. Set by us, not fitted.
var biography = [...]struct{ name, birth float64 }{
	Unknown: {0, 0},
	Differs: {ratio(0.1, 1), ratio(0.1, 1)},
	Partly:  {ratio(0.2, 0.2), ratio(0.2, 0.04)},
	Whole:   {ratio(0.5, 1e-3), ratio(0.5, 1e-3)},
}

// ratio is the log-likelihood ratio of what a share of subjects shows and a
// share of others.
func ratio(subjects, others float64) float64 { return math.Log(subjects / others) }

// biographyCap bounds what name and birth date say together: names tell the
// generation, twins share nearly all, and a forged document carries the
// biography of another: 1 in 10,000.
var biographyCap = math.Log(1e4)

// Biographic is how name and birth date of a traveller agree with a record's,
// and how many of each the record holds: the best of several is as much likelier
// to agree by accident.
type Biographic struct {
	Name, Birth   Agreement
	Names, Births int // 0 counts as 1
}

// Part implements Evidence.
func (b Biographic) Part() (Part, bool) {
	if int(b.Name) >= len(biography) || int(b.Birth) >= len(biography) || (b.Name == Unknown && b.Birth == Unknown) {
		return Part{}, false
	}
	llr := ofSeveral(biography[b.Name].name, b.Names) + ofSeveral(biography[b.Birth].birth, b.Births)
	return Part{Kind: Biography, LLR: min(llr, biographyCap)}, true
}

// ofSeveral is a ratio that is the best of n; evidence against stays as it is,
// for it is against all of them.
func ofSeveral(llr float64, n int) float64 {
	if llr <= 0 {
		return llr
	}
	return max(0, llr-math.Log(float64(max(n, 1))))
}

// Most is the largest LLR that name and birth date can give.
func (Biographic) Most() float64 { return biographyCap }
