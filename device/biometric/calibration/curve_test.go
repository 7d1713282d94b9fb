package calibration

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLLRRisesAndIsClamped(t *testing.T) {
	var curve FaceCurve
	last := math.Inf(-1)
	for c := -1.2; c <= 1.2; c += 1e-4 {
		got := curve.At(c)
		if got.LLR < last || math.Abs(got.LLR) > 12 {
			t.Fatalf("LLR at %v is %v after %v", c, got.LLR, last)
		}
		if outside := c > 0.9631 || c < 0.9099; outside != got.Clamped && math.Abs(c-0.963) > 2e-4 && math.Abs(c-0.91) > 2e-4 {
			t.Fatalf("at %v clamped is %v", c, got.Clamped)
		}
		last = got.LLR
	}
	for _, odd := range []float64{math.NaN(), math.Inf(-1), -2} {
		if got := curve.At(odd); got.LLR > -4 || !got.Clamped || got.FMR != 1 {
			t.Errorf("at %v: %+v", odd, got)
		}
	}
	if a, b := curve.At(0.97), curve.At(math.Inf(1)); a.LLR != b.LLR || !b.Clamped {
		t.Errorf("beyond the measured: %+v, %+v", a, b)
	}
}

// Comparisons of two people, drawn from the curve: an LLR of t or more must
// come at most exp(-t) as often.
func TestLLRKeepsItsFalseRate(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 4))
	const n = 1_000_000
	var mean float64
	counts := map[float64]int{1: 0, 3: 0, 5: 0, 7: 0}
	for range n {
		// A false match rate of a true curve is uniform.
		cosine, ok := FaceThreshold(max(r.Float64(), FaceFloor))
		if !ok {
			t.Fatal("no cosine for a rate")
		}
		llr := FaceCurve{}.At(cosine).LLR
		mean += math.Exp(llr) / n
		for at := range counts {
			if llr >= at {
				counts[at]++
			}
		}
	}
	if mean > 1.2 { // its error is some 0.06
		t.Errorf("mean likelihood ratio of two people %v, at most 1 promised", mean)
	}
	for at, k := range counts {
		if bound := math.Exp(-at) * n; float64(k) > bound+4*math.Sqrt(bound) {
			t.Errorf("LLR %v: %d of %d, at most %.0f promised", at, k, n, bound)
		}
	}
}

func TestFactorHoldsTheGroup(t *testing.T) {
	plain, held := FaceCurve{}, FaceCurve{Factor: 3}
	for _, fmr := range []float64{1e-2, 1e-3, 1e-5, 1e-7} {
		if a, b := plain.ScoreAt(fmr), held.ScoreAt(fmr); b <= a || math.Abs(FaceFMR(b)*3/fmr-1) > 1e-6 {
			t.Errorf("threshold for %v: %v, held to a group %v", fmr, a, b)
		}
	}
	if held.ScoreAt(1e-8) <= 1 {
		t.Error("a rate below the held floor has a threshold")
	}
	if a, b := plain.At(0.95), held.At(0.95); math.Abs(a.LLR-b.LLR-math.Log(3)) > 1e-9 || math.Abs(b.FMR/a.FMR-3) > 1e-9 {
		t.Errorf("%+v, held %+v", a, b)
	}
	if a, b := plain.At(0.5), held.At(0.5); a.LLR != b.LLR {
		t.Error("evidence against is not made weaker or stronger by a group's factor")
	}
	for _, odd := range []float64{0, -3, 0.2, math.NaN()} {
		if (FaceCurve{Factor: odd}).FMRAt(0.95) != plain.FMRAt(0.95) {
			t.Errorf("factor %v states less than was measured", odd)
		}
	}
}

func TestFitSaysWhatItWasMadeOf(t *testing.T) {
	if f := FaceFit(); f.On == "" || f.People < 1000 || f.NonMated < 1_000_000 || f.Mated == "" || f.LeastFMR < FaceFloor {
		t.Errorf("%+v", f)
	}
}

func TestScoreOfLLR(t *testing.T) {
	for _, curve := range []FaceCurve{{}, {Factor: 2.5}} {
		for llr := -4.0; llr < 9; llr += 0.25 {
			c := curve.ScoreOfLLR(llr)
			if got := curve.At(c).LLR; math.Abs(got-llr) > 1e-9 && !(llr <= 0 && got >= llr) {
				t.Errorf("LLR %v: cosine %v has %v", llr, c, got)
			}
		}
		if curve.ScoreOfLLR(12) <= 1 || curve.ScoreOfLLR(math.NaN()) <= 1 || curve.ScoreOfLLR(-9) != -1 {
			t.Error("ends of the table")
		}
	}
}
