package finger

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// drawn is a print of our own drawing: a spiral of ridges with a period of 9
// pixels, with breaks and joints that give it minutiae.
func drawn(seed uint64, w, h int) Image {
	r := rand.New(rand.NewPCG(seed, 1))
	type knot struct{ x, y, sign float64 }
	knots := make([]knot, 40)
	for i := range knots {
		knots[i] = knot{r.Float64() * float64(w), r.Float64() * float64(h), float64(1 - 2*r.IntN(2))}
	}
	m := Image{Pix: make([]byte, w*h), Width: w, Height: h, DPI: DPI}
	cx, cy := float64(w)*(0.2+0.6*r.Float64()), float64(h)*(0.3+0.6*r.Float64())
	for y := range h {
		for x := range w {
			dx, dy := float64(x)-cx, (float64(y)-cy)*0.8
			phase := 2 * math.Pi / 9 * math.Hypot(dx, dy)
			// A phase vortex adds one ridge on one side: a minutia.
			for _, k := range knots {
				phase += k.sign * math.Atan2(float64(y)-k.y, float64(x)-k.x)
			}
			m.Pix[y*w+x] = clip(128 + 100*math.Cos(phase) + 10*r.NormFloat64())
		}
	}
	return m
}

// moved is the image shifted and with other noise.
func moved(m Image, dx, dy int, seed uint64) Image {
	r := rand.New(rand.NewPCG(seed, 2))
	out := Image{Pix: make([]byte, len(m.Pix)), Width: m.Width, Height: m.Height, DPI: m.DPI}
	for y := range m.Height {
		for x := range m.Width {
			v := 255.0
			if u, w := x-dx, y-dy; u >= 0 && w >= 0 && u < m.Width && w < m.Height {
				v = float64(m.Pix[w*m.Width+u])
			}
			out.Pix[y*m.Width+x] = clip(v + 15*r.NormFloat64())
		}
	}
	return out
}

func extracted(t testing.TB, m Image) *Template {
	p, err := NewExtractor().Extract(&m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMatesScoreAboveStrangers(t *testing.T) {
	m := NewMatcher()
	for seed := range uint64(2) {
		img := drawn(seed, 240, 240)
		a, b := extracted(t, img), extracted(t, moved(img, 15, -9, seed))
		c := extracted(t, drawn(seed+100, 240, 240))
		mate, other := m.Score(a, b), m.Score(a, c)
		if mate < 5 || other > mate/4 {
			t.Errorf("drawing %d: mate %.1f, other %.1f", seed, mate, other)
		}
		if again := m.Score(a, b); again != mate {
			t.Errorf("drawing %d: the same pair scores %v, then %v", seed, mate, again)
		}
		if back := m.Score(b, a); back < 5 {
			t.Errorf("drawing %d: turned round %.1f", seed, back)
		}
	}
}

func TestResolution(t *testing.T) {
	img := drawn(5, 240, 240)
	a := extracted(t, img)
	// Every pixel twice is the same print at 1,000 dpi.
	big := Image{Pix: make([]byte, 480*480), Width: 480, Height: 480, DPI: 1000}
	for y := range 480 {
		for x := range 480 {
			big.Pix[y*480+x] = img.Pix[(y/2)*240+x/2]
		}
	}
	b := extracted(t, big)
	if b.Width != 240 || b.Height != 240 {
		t.Errorf("%dx%d at 500 dpi", b.Width, b.Height)
	}
	if s := NewMatcher().Score(a, b); s < 5 {
		t.Errorf("the same print at two resolutions scores %.1f", s)
	}
}

func TestExtractorIsReusable(t *testing.T) {
	e := NewExtractor()
	first, err := e.Extract(ptr(drawn(7, 200, 190)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Extract(ptr(drawn(8, 260, 180))); err != nil {
		t.Fatal(err)
	}
	again, err := e.Extract(ptr(drawn(7, 200, 190)))
	if err != nil || !slices.Equal(first.Minutiae, again.Minutiae) || first.Quality != again.Quality {
		t.Errorf("an image in between changed the template: %v", err)
	}
}

func ptr[T any](v T) *T { return &v }

func TestExtractRefuses(t *testing.T) {
	blank := bytes.Repeat([]byte{200}, 300*300)
	noise := make([]byte, 300*300)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(i/300/150) * byte(r.IntN(3)) // half black, half nearly
	}
	for name, c := range map[string]struct {
		m    Image
		want fault.Code
	}{
		"no pixels":   {Image{Width: 300, Height: 300, DPI: 500}, ErrImageSize.Code},
		"negative":    {Image{Pix: blank, Width: -300, Height: -300, DPI: 500}, ErrImageSize.Code},
		"tiny":        {Image{Pix: make([]byte, 100), Width: 10, Height: 10, DPI: 500}, ErrImageSize.Code},
		"tiny at 500": {Image{Pix: make([]byte, 80*80), Width: 80, Height: 80, DPI: 1000}, ErrImageSize.Code},
		"huge":        {Image{Pix: make([]byte, 5000*100), Width: 5000, Height: 100, DPI: 500}, ErrImageSize.Code},
		"huge at 500": {Image{Pix: make([]byte, 1500*1500), Width: 1500, Height: 1500, DPI: 100}, ErrImageSize.Code},
		"no dpi":      {Image{Pix: blank, Width: 300, Height: 300}, ErrDPI.Code},
		"nan dpi":     {Image{Pix: blank, Width: 300, Height: 300, DPI: math.NaN()}, ErrDPI.Code},
		"high dpi":    {Image{Pix: blank, Width: 300, Height: 300, DPI: 5000}, ErrDPI.Code},
		"blank":       {Image{Pix: blank, Width: 300, Height: 300, DPI: 500}, ErrEnrol.Code},
		"dark":        {Image{Pix: noise, Width: 300, Height: 300, DPI: 500}, ErrEnrol.Code},
	} {
		if p, err := NewExtractor().Extract(&c.m); fault.CodeOf(err) != c.want || p != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMatchDraws(t *testing.T) {
	img := drawn(3, 240, 240)
	other := moved(img, 10, 10, 4)
	a, b := extracted(t, img), extracted(t, other)
	score, pairs := NewMatcher().Match(a, b)
	if len(pairs) < 8 || score < 5 {
		t.Fatalf("%d pairs, score %.1f", len(pairs), score)
	}
	right := 0
	for _, p := range pairs {
		if p.A < 0 || p.A >= len(a.Minutiae) || p.B < 0 || p.B >= len(b.Minutiae) {
			t.Fatalf("pair %+v of %d and %d minutiae", p, len(a.Minutiae), len(b.Minutiae))
		}
		if math.Hypot(float64(b.Minutiae[p.B].X-a.Minutiae[p.A].X-10), float64(b.Minutiae[p.B].Y-a.Minutiae[p.A].Y-10)) < 6 {
			right++
		}
	}
	if 10*right < 8*len(pairs) {
		t.Errorf("%d of %d pairs lie where the shift puts them", right, len(pairs))
	}
	if d := Draw(&img, &other, a, b, pairs); d.Rect.Dx() != 496 || d.Rect.Dy() != 240 {
		t.Errorf("drawing of %v", d.Rect)
	}
}

func TestRedacts(t *testing.T) {
	img := drawn(3, 240, 240)
	p := extracted(t, img)
	for _, v := range []any{img, p, View{Template: p}} {
		if s := fmt.Sprintf("%v", v); !strings.Contains(s, "redacted") || len(s) > 60 {
			t.Error(s)
		}
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(uint16(80), uint16(70), []byte{0, 255, 3})
	f.Add(uint16(150), uint16(100), []byte("ridges"))
	e := NewExtractor()
	m := NewMatcher()
	f.Fuzz(func(t *testing.T, w, h uint16, pattern []byte) {
		w, h = w%200, h%200
		if len(pattern) == 0 {
			return
		}
		img := Image{Pix: make([]byte, int(w)*int(h)), Width: int(w), Height: int(h), DPI: 500}
		for i := range img.Pix {
			img.Pix[i] = pattern[i%len(pattern)]
		}
		p, err := e.Extract(&img)
		if err != nil {
			return
		}
		if len(p.Minutiae) < MinMinutiae || len(p.Minutiae) > maxMinutiae || p.Quality < 0 || p.Quality > 100 {
			t.Errorf("%d minutiae, quality %d", len(p.Minutiae), p.Quality)
		}
		if s := m.Score(p, p); math.IsNaN(s) || math.IsInf(s, 0) {
			t.Errorf("score %v", s)
		}
	})
}

func TestFMR(t *testing.T) {
	last := 1.0
	for s := -30.0; s < 30; s += 0.01 {
		r := FMR(s)
		if !(r <= last && r >= FMRFloor) {
			t.Fatalf("FMR(%v) = %v after %v", s, r, last)
		}
		last = r
	}
	for score, want := range map[float64]float64{0.38: 1e-2, 1.96: 1e-3, 3.16: 1e-4, 100: 1e-4, -100: 1} {
		if got := FMR(score); math.Abs(math.Log10(got/want)) > 1e-9 {
			t.Errorf("FMR(%v) = %v, want %v", score, got, want)
		}
	}
	if FMR(math.NaN()) != 1 || FMR(math.Inf(1)) != FMRFloor || FMR(math.Inf(-1)) != 1 {
		t.Error("odd scores must get the rate that claims least")
	}
}
