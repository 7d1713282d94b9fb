package calibration

import (
	"math"
	"testing"
)

func TestFacePointsAreMet(t *testing.T) {
	for cosine, want := range map[float64]float64{0.910: 1e-2, 0.928: 1e-3, 0.942: 1e-4, 0.954: 1e-5, 0.963: 1e-6, 0.971: 1e-7, 0.978: 1e-8} {
		if got := FaceFMR(cosine); math.Abs(math.Log10(got/want)) > 1e-9 {
			t.Errorf("FaceFMR(%v) = %v, want %v", cosine, got, want)
		}
		if got, ok := FaceThreshold(want); !ok || math.Abs(got-cosine) > 1e-9 {
			t.Errorf("FaceThreshold(%v) = %v, %v, want %v", want, got, ok, cosine)
		}
	}
}

func TestFaceFMRFallsAndIsBounded(t *testing.T) {
	last := 1.0
	for c := -1.5; c <= 1.5; c += 1e-4 {
		fmr := FaceFMR(c)
		if fmr > last || fmr > 1 || fmr < FaceFloor {
			t.Fatalf("FaceFMR(%v) = %v after %v", c, fmr, last)
		}
		last = fmr
	}
	if FaceFMR(math.NaN()) != 1 || FaceFMR(math.Inf(-1)) != 1 || FaceFMR(math.Inf(1)) != FaceFloor {
		t.Error("odd scores must get the rate that claims least")
	}
}

func TestFaceThresholdPromisesNothingUnmeasured(t *testing.T) {
	for _, fmr := range []float64{0, -1, 1e-9, math.NaN()} {
		if c, ok := FaceThreshold(fmr); ok {
			t.Errorf("FaceThreshold(%v) = %v", fmr, c)
		}
	}
	for fmr := 1e-8; fmr < 1; fmr *= 1.7 {
		c, ok := FaceThreshold(fmr)
		if !ok || FaceFMR(c) > fmr*(1+1e-6) {
			t.Errorf("threshold %v for %v has rate %v", c, fmr, FaceFMR(c))
		}
	}
}

func TestFPIR(t *testing.T) {
	for _, n := range []int{1, 1000, 100_000, 1_000_000} {
		fmr := FMRFor(0.01, n)
		if got := FPIR(fmr, n); math.Abs(got-0.01) > 1e-9 {
			t.Errorf("n %d: rate %v", n, got)
		}
	}
	if got := FMRFor(0.01, 100_000); math.Abs(got-1.005e-7) > 1e-10 {
		t.Errorf("FMRFor(1%%, 100,000) = %v", got)
	}
	if FPIR(1, 5) != 1 || FPIR(0, 5) != 0 {
		t.Error("ends of the range")
	}
}
