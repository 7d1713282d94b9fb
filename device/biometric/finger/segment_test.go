package finger

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// A print of fifteen grey levels is found by its direction; noise as faint is
// no print.
func TestFaint(t *testing.T) {
	img := drawn(1, 400, 400)
	whole := extracted(t, img)
	faint := Image{Pix: make([]byte, len(img.Pix)), Width: img.Width, Height: img.Height, DPI: img.DPI}
	r := rand.New(rand.NewPCG(1, 2))
	for i, v := range img.Pix {
		faint.Pix[i] = clip(100 + 0.06*float64(v) + 0.5*r.NormFloat64())
	}
	if p := extracted(t, faint); NewMatcher().Score(whole, p) < 6 {
		t.Errorf("%d minutiae of %d, score %.1f", len(p.Minutiae), len(whole.Minutiae), NewMatcher().Score(whole, p))
	}
	for i := range faint.Pix {
		faint.Pix[i] = clip(100 + 1.5*r.NormFloat64())
	}
	if _, err := NewExtractor().Extract(&faint); !errors.Is(err, ErrEnrol) {
		t.Errorf("noise: %v", err)
	}
}

// order finds what a look at all finds.
func TestOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		all := make([]Minutia, 1+r.IntN(90))
		for i := range all {
			all[i] = Minutia{X: 400 * r.Float32(), Y: 400 * r.Float32(), Angle: 6 * r.Float32()}
		}
		b := &Template{Minutiae: all}
		b.order.sort(all)
		p := &placed{x: 440*r.Float32() - 20, y: 400 * r.Float32(), angle: 6 * r.Float32()}
		want, least := -1, float32(unmatchable)
		for i := range all {
			if c := costOf(p, &all[i], wideReach, wideTurn); c < least {
				want, least = i, c
			}
		}
		if got, cost := nearest(p, b, wideReach, wideTurn); got != want || cost != least {
			t.Fatalf("%d for %v, not %d for %v", got, cost, want, least)
		}
	}
}
