package face

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
)

// mixed is a crowd in which a third is alike to everybody.
func mixed(seed uint64, n int) []template.Face {
	return append(crowd(seed, n/3, 0.25), crowd(seed+100, n-n/3, 0.7)...)
}

// A scaled score is reached by as many pairs of strangers as the cosine that
// it stands for.
func TestScaleKeepsTheRate(t *testing.T) {
	s, err := NewScale(mixed(1, 600))
	if err != nil || s == nil || s.Members() != 600 {
		t.Fatal(s, err)
	}
	others := mixed(2, 600)
	placed := make([]Subject, len(others))
	for i := range others {
		if placed[i], err = s.Place(&others[i]); err != nil {
			t.Fatal(err)
		}
	}
	var plain, scaled []float64
	for i := range placed {
		for j := i + 1; j < len(placed); j++ {
			c, _ := template.Cosine(&others[i], &others[j])
			x, err := s.Score(placed[i], placed[j])
			if err != nil || math.IsNaN(x) {
				t.Fatal(x, err)
			}
			plain, scaled = append(plain, c), append(scaled, x)
		}
	}
	slices.Sort(plain)
	for _, fmr := range []float64{5e-2, 1e-2, 2e-3} {
		at := plain[len(plain)-1-int(fmr*float64(len(plain)))]
		above := 0
		for _, x := range scaled {
			if x > at {
				above++
			}
		}
		if rate := float64(above) / float64(len(scaled)); rate > 1.6*fmr || rate < fmr/2 {
			t.Errorf("cosine %.4f: strangers reach it at %.2g, scaled at %.2g", at, fmr, rate)
		}
	}
}

func TestScaleRisesAndEnds(t *testing.T) {
	s, err := NewScale(mixed(3, 300))
	if err != nil || s == nil {
		t.Fatal(s, err)
	}
	last := math.Inf(-1)
	end := s.knots[len(s.knots)-1]
	for x := -2.0; x < end.normalised; x += 1e-3 {
		got := s.read(x, 0.5)
		if got < last || got > end.cosine || got < -1 {
			t.Fatalf("read(%v) = %v after %v", x, got, last)
		}
		last = got
	}
	// Beyond what was measured a score is the likeness, no more.
	if got := s.read(end.normalised+5, 0.5); got != end.cosine {
		t.Errorf("far beyond, low likeness: %v", got)
	}
	if got := s.read(end.normalised+5, 0.9999); got != 0.9999 {
		t.Errorf("far beyond, high likeness: %v", got)
	}
	if got := s.read(math.NaN(), 0.9); got != -1 {
		t.Errorf("not a number reads %v", got)
	}
}

func TestScaleRefuses(t *testing.T) {
	if s, err := NewScale(crowd(1, MinScale-1, 0.5)); s != nil || err != nil {
		t.Errorf("of %d members: %v, %v", MinScale-1, s, err)
	}
	same := make([]template.Face, 200)
	for i := range same {
		same[i] = crowd(1, 1, 0.5)[0]
	}
	if s, err := NewScale(same); s != nil || err != nil {
		t.Errorf("of one face two hundred times: %v, %v", s, err)
	}
	two := crowd(1, 200, 0.5)
	two[7].Model = "other"
	if _, err := NewScale(two); !errors.Is(err, template.ErrModel) {
		t.Errorf("two models: %v", err)
	}
	s, err := NewScale(crowd(1, 200, 0.5))
	if err != nil || s == nil {
		t.Fatal(err)
	}
	if _, err := s.Score(Subject{}, Subject{}); fault.CodeOf(err) != "face.subject" {
		t.Errorf("nobody scored: %v", err)
	}
}
