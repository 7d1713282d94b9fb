package fusion

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/calibration"
)

// others draws what comparisons of two different people say, by the error
// rates that the engines state: a true false match rate is uniform.
type others struct{ *rand.Rand }

func (r others) face() FaceScore {
	cosine, _ := calibration.FaceThreshold(max(r.Float64(), calibration.FaceFloor))
	return FaceScore{calibration.FaceCurve{}.At(cosine).LLR}
}

func (r others) fingers() FingerScore {
	p := r.Float64()
	// An engine that thinks far too much of itself.
	return FingerScore{LLR: -5 * math.Log(p), FMR: p, Compared: 2, Agreeing: 2}
}

// biographic draws from the country with the most common names.
func (r others) biographic() Biographic {
	draw := func(whole, partly float64) Agreement {
		switch p := r.Float64(); {
		case p < whole:
			return Whole
		case p < whole+partly:
			return Partly
		}
		return Differs
	}
	return Biographic{Name: draw(1e-3, 0.2), Birth: draw(1e-3, 0.04)}
}

// The rate stated for a sum must hold over simulated comparisons of different
// people, whichever parts there are.
func TestStatedRateHolds(t *testing.T) {
	const n = 200_000
	r := others{rand.New(rand.NewPCG(1, 19795))}
	for _, c := range []struct {
		name string
		draw func() Result
	}{
		{"face alone", func() Result { return Fuse(r.face()) }},
		{"fingers alone", func() Result { return Fuse(r.fingers()) }},
		{"name and birth date alone", func() Result { return Fuse(r.biographic()) }},
		{"face and fingers", func() Result { return Fuse(r.face(), r.fingers()) }},
		{"all", func() Result { return Fuse(r.face(), r.fingers(), r.biographic()) }},
		// The same camera, the same model: two sources state the same.
		{"one face told twice, fingers", func() Result { f := r.face(); return Fuse(f, f, r.fingers()) }},
		{"face of two models, name", func() Result { return Fuse(r.face(), r.face(), r.biographic()) }},
	} {
		at := []float64{1, 2, 4, 6, 8, 10}
		counts := make([]int, len(at))
		for range n {
			res := c.draw()
			for i, a := range at {
				if res.FMR() <= math.Exp(-a) {
					counts[i]++
				}
			}
		}
		for i, a := range at {
			bound := n * math.Exp(-a)
			if float64(counts[i]) > bound+5*math.Sqrt(bound) {
				t.Errorf("%s: rate %.2g promised, %.2g measured", c.name, math.Exp(-a), float64(counts[i])/n)
			}
		}
		t.Logf("%-30s measured / promised at %.2g: %.2g, at %.2g: %.2g", c.name,
			math.Exp(-at[2]), float64(counts[2])/n/math.Exp(-at[2]), math.Exp(-at[4]), float64(counts[4])/n/math.Exp(-at[4]))
	}
}

// Adding is worth it: people who are the same reach sums that no part reaches
// alone.
func TestMatesGain(t *testing.T) {
	face, fingers, bio := FaceScore{7.9}, FingerScore{LLR: 30, FMR: 1e-9, Compared: 2, Agreeing: 2}, Biographic{Name: Whole, Birth: Whole}
	if all := Fuse(face, fingers, bio); all.FPIR(1_000_000) > 1e-3 {
		t.Errorf("everything agrees and a million people still give %v", all.FPIR(1_000_000))
	}
	if alone := Fuse(face); alone.FPIR(1_000_000) != 1 {
		t.Errorf("a face alone among a million: %v", alone.FPIR(1_000_000))
	}
	if a, b := Fuse(face, bio).LLR, Fuse(face, Biographic{Name: Whole, Birth: Differs}).LLR; b >= a {
		t.Errorf("another birth date does not weigh: %v, %v", a, b)
	}
}

func TestMissingSaysNothing(t *testing.T) {
	alone := Fuse(FaceScore{5})
	for name, e := range map[string]Evidence{
		"no biography": Biographic{}, "no fingers": FingerScore{LLR: 9, FMR: 1e-6}, "odd rate": FingerScore{LLR: 9, FMR: math.NaN(), Compared: 1},
		"odd agreement": Biographic{Name: 77}, "not a number": FaceScore{math.NaN()}, "a rate above 1": FingerScore{LLR: 9, FMR: 3, Compared: 1},
	} {
		if got := Fuse(FaceScore{5}, e); got.LLR != alone.LLR || len(got.Parts) != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if none := Fuse(); none.LLR != 0 || none.FMR() != 1 || none.FPIR(5) != 1 || none.MayAlarm() {
		t.Errorf("no evidence: %+v", none)
	}
}

func TestCaps(t *testing.T) {
	if p, _ := (Biographic{Name: Whole, Birth: Whole}).Part(); p.LLR > math.Log(1e4) || p.LLR != (Biographic{}).Most() {
		t.Errorf("name and birth date together: %v", p.LLR)
	}
	one, _ := FingerScore{LLR: 80, FMR: 1e-30, Compared: 1, Agreeing: 1}.Part()
	two, _ := FingerScore{LLR: 80, FMR: 1e-30, Compared: 2, Agreeing: 2}.Part()
	if one.LLR > math.Log(1/1e-4) || two.LLR <= one.LLR || two.LLR > 2*math.Log(1/1e-4) {
		t.Errorf("one finger %v, two %v: beyond what was measured", one.LLR, two.LLR)
	}
	alone, _ := Biographic{Name: Whole}.Part()
	alias, _ := Biographic{Name: Whole, Names: 10}.Part()
	if math.Abs(alone.LLR-alias.LLR-math.Log(10)) > 1e-9 {
		t.Errorf("one of ten names weighs %v, the only one %v", alias.LLR, alone.LLR)
	}
	if p, _ := (FingerScore{LLR: 0.5, FMR: 1e-6, Compared: 1, Agreeing: 1}).Part(); p.LLR != 0.5 {
		t.Errorf("a rate made more of a score than the engine does: %v", p.LLR)
	}
}

func TestAlarmNeedsTwo(t *testing.T) {
	one := FingerScore{LLR: 40, FMR: 1e-20, Compared: 1, Agreeing: 1}
	two := FingerScore{LLR: 40, FMR: 1e-20, Compared: 3, Agreeing: 2}
	bio := Biographic{Name: Whole, Birth: Whole}
	for _, c := range []struct {
		name string
		of   []Evidence
		want bool
	}{
		{"nothing", nil, false},
		{"a face", []Evidence{FaceScore{11}}, false},
		{"a face told by two sources", []Evidence{FaceScore{11}, FaceScore{11}}, false},
		{"one finger", []Evidence{one}, false},
		{"one finger told by two sources", []Evidence{one, one}, false},
		{"name and birth date", []Evidence{bio}, false},
		{"one finger and a face that says little", []Evidence{one, FaceScore{1}}, false},
		{"a face and another birth date", []Evidence{FaceScore{11}, Biographic{Name: Partly, Birth: Differs}}, false},
		{"two fingers", []Evidence{two}, true},
		{"a face and a finger", []Evidence{FaceScore{6}, one}, true},
		{"a face, name and birth date", []Evidence{FaceScore{6}, bio}, true},
	} {
		if got := Fuse(c.of...).MayAlarm(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
