package patch

import (
	"math"
	"testing"
)

func halves(w, h int) Picture {
	p := Picture{Pix: make([]byte, 3*w*h), Width: w, Height: h, Stride: 3 * w}
	for y := range h {
		for x := range w {
			i := 3 * (y*w + x)
			if x < w/2 {
				p.Pix[i] = 200
			} else {
				p.Pix[i+2] = 100
			}
		}
	}
	return p
}

func TestAxesTurnAndReturn(t *testing.T) {
	a, ok := AxesOf(Point{40, 60}, Point{100, 90})
	if !ok || math.Abs(a.Distance-math.Hypot(60, 30)) > 1e-12 {
		t.Fatalf("%+v %v", a, ok)
	}
	if p := a.At(0.5, 0); math.Hypot(p.X-100, p.Y-90) > 1e-9 {
		t.Errorf("the eye at the right lies at %v", p)
	}
	for _, want := range [][2]float64{{0, 0}, {0.3, -1}, {-2, 1.7}} {
		if x, y := a.Place(a.At(want[0], want[1])); math.Hypot(x-want[0], y-want[1]) > 1e-9 {
			t.Errorf("%v came back as %v %v", want, x, y)
		}
	}
}

func TestAxesRefused(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string][2]Point{
		"one place": {{10, 10}, {10, 10}}, "too near": {{10, 10}, {14, 10}},
		"not a number": {{nan, 0}, {50, 0}}, "far off": {{0, 0}, {inf, 0}},
	} {
		if _, ok := AxesOf(c[0], c[1]); ok {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestMeanOfSides(t *testing.T) {
	p := halves(200, 200)
	a, _ := AxesOf(Point{75, 80}, Point{125, 80})
	if c, ok := p.Mean(a, LeftCheek); !ok || c != (Colour{200, 0, 0}) {
		t.Errorf("left cheek %v %v", c, ok)
	}
	if c, ok := p.Mean(a, RightCheek); !ok || c != (Colour{0, 0, 100}) {
		t.Errorf("right cheek %v %v", c, ok)
	}
}

// What lies outside the picture, or a picture that does not fit its bytes, is
// told and never read.
func TestOutside(t *testing.T) {
	a, _ := AxesOf(Point{5, 80}, Point{55, 80})
	if _, ok := halves(200, 200).Mean(a, LeftBackground); ok {
		t.Error("a region outside the picture has a mean")
	}
	good := halves(200, 200)
	for name, change := range map[string]func(*Picture){
		"short": func(p *Picture) { p.Pix = p.Pix[:300] }, "stride": func(p *Picture) { p.Stride = 10 },
		"no width": func(p *Picture) { p.Width = 0 }, "huge": func(p *Picture) { p.Height = 1 << 40 },
	} {
		p := good
		change(&p)
		if n := p.Each(a, Nose, func(_, _, _ byte) { t.Errorf("%s: read", name) }); n != 0 {
			t.Errorf("%s: %v", name, n)
		}
	}
	if n := good.Each(Axes{}, Nose, func(_, _, _ byte) {}); n != 0 {
		t.Error("no axes, yet pixels")
	}
}
