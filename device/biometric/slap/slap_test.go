package slap

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/slaps"
)

func sketches() []*slaps.Print {
	out := make([]*slaps.Print, 6)
	for i := range out {
		out[i] = slaps.NewPrint(slaps.Sketch(uint64(i)), slaps.DPI)
	}
	return out
}

func picture(g *image.Gray) *finger.Image {
	return &finger.Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: slaps.DPI}
}

func positions(r *Result) (out []int) {
	for _, f := range r.Fingers {
		out = append(out, f.Position)
	}
	return out
}

// boxesRight compares boxes with the truth from left to right.
func boxesRight(r *Result, t slaps.Truth) error {
	if len(r.Fingers) != len(t.Fingers) {
		return fmt.Errorf("%d fingers, not %d", len(r.Fingers), len(t.Fingers))
	}
	for i, f := range t.Fingers {
		if o := slaps.Overlap(f.Box, slaps.Box(r.Fingers[i].Box)); o < slaps.LeastOverlap {
			return fmt.Errorf("finger %d: %.2f of its box", f.Position, o)
		}
	}
	return nil
}

func TestHandsLaidFlat(t *testing.T) {
	pool := sketches()
	for name, c := range map[string]struct {
		layout slaps.Layout
		want   Hand
		pos    []int
	}{
		"right":         {slaps.Layout{Code: 13, Gap: 2}, RightFour, []int{2, 3, 4, 5}},
		"left":          {slaps.Layout{Code: 14, Gap: 2}, LeftFour, []int{10, 9, 8, 7}},
		"right turned":  {slaps.Layout{Code: 13, Gap: 2, Rotation: 25}, RightFour, []int{2, 3, 4, 5}},
		"left turned":   {slaps.Layout{Code: 14, Gap: 2, Rotation: -25, Dirt: 0.8}, LeftFour, []int{10, 9, 8, 7}},
		"no ring":       {slaps.Layout{Code: 13, Gap: 2, Missing: 4}, RightFour, []int{2, 3, 5}},
		"no middle":     {slaps.Layout{Code: 14, Gap: 2, Missing: 8, Uneven: 1}, LeftFour, []int{10, 9, 7}},
		"thumbs":        {slaps.Layout{Code: 15, Gap: 4}, TwoThumbs, []int{6, 1}},
		"second joints": {slaps.Layout{Code: 14, Gap: 2, Joints: true}, LeftFour, []int{10, 9, 8, 7}},
		"overlapping":   {slaps.Layout{Code: 13, Gap: -1.5}, RightFour, []int{2, 3, 4, 5}},
	} {
		g, truth := slaps.Compose(pool, c.layout, 5)
		r, err := Segment(picture(g), Expect{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Hand != c.want || !slices.Equal(positions(r), c.pos) {
			t.Errorf("%s: %v %v, confidence %.2f", name, r.Hand, positions(r), r.Confidence)
		}
		if err := boxesRight(r, truth); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.layout.Missing != 0 && !slices.Equal(r.Missing, []int{c.layout.Missing}) {
			t.Errorf("%s: missing %v", name, r.Missing)
		}
		for _, f := range r.Fingers {
			if f.Quality < 1 || f.Quality > 100 || f.Confidence < 0.5 || f.Confidence > 1+1e-9 {
				t.Errorf("%s: finger %d: quality %d, confidence %v", name, f.Position, f.Quality, f.Confidence)
			}
		}
	}
}

// What differs from what was asked for is found; what was excepted is not asked for.
func TestFindings(t *testing.T) {
	pool := sketches()
	for name, c := range map[string]struct {
		layout slaps.Layout
		want   Expect
		find   []fault.Code
	}{
		"as asked":        {slaps.Layout{Code: 13, Gap: 2}, Expect{Hand: RightFour}, nil},
		"other hand":      {slaps.Layout{Code: 14, Gap: 2}, Expect{Hand: RightFour}, []fault.Code{WrongHand}},
		"the other one":   {slaps.Layout{Code: 13, Gap: 2}, Expect{Hand: LeftFour}, []fault.Code{WrongHand}},
		"one too few":     {slaps.Layout{Code: 13, Gap: 2, Missing: 4}, Expect{Hand: RightFour}, []fault.Code{TooFew}},
		"excepted":        {slaps.Layout{Code: 13, Gap: 2, Missing: 4}, Expect{Hand: RightFour, Gone: []int{4}}, nil},
		"excepted, there": {slaps.Layout{Code: 13, Gap: 2}, Expect{Hand: RightFour, Gone: []int{5}}, []fault.Code{TooMany}},
		"not thumbs":      {slaps.Layout{Code: 13, Gap: 2}, Expect{Hand: TwoThumbs}, []fault.Code{TooMany}},
		"thumbs":          {slaps.Layout{Code: 15, Gap: 4}, Expect{Hand: TwoThumbs}, nil},
	} {
		g, _ := slaps.Compose(pool, c.layout, 5)
		r, err := Segment(picture(g), c.want)
		if err != nil || !slices.Equal(r.Findings, c.find) {
			t.Errorf("%s: %v %+v", name, err, r)
		}
	}
}

// Three neighbours without the little finger may be of either hand: where the picture
// alone leaves that open it is said, and where a hand was asked for nothing is guessed.
func TestUnclearHandIsSaid(t *testing.T) {
	pool := sketches()
	for code, missing := range map[int]int{slaps.RightFour: 5, slaps.LeftFour: 10} {
		g, _ := slaps.Compose(pool, slaps.Layout{Code: code, Gap: 1, Rotation: 15, Missing: missing}, 5)
		r, err := Segment(picture(g), Expect{})
		if err != nil || r.Hand == Unknown || (r.Confidence < Sure) != slices.Contains(r.Findings, Unclear) {
			t.Errorf("%d: %v %+v", code, err, r)
		}
		for _, hand := range []Hand{RightFour, LeftFour, TwoThumbs} {
			r, err := Segment(picture(g), Expect{Hand: hand})
			unclear := r != nil && slices.Contains(r.Findings, Unclear)
			if err != nil || unclear != (r.Hand == Unknown && hand != TwoThumbs) || unclear && r.Fingers[0].Position != 0 {
				t.Errorf("%d, asked for %v: %v %+v", code, hand, err, r)
			}
		}
	}
}

// One finger alone may be any; so may two that were not asked for as thumbs.
func TestOneFingerIsNotNamed(t *testing.T) {
	g := image.NewGray(image.Rect(0, 0, 800, 750))
	for i := range g.Pix {
		g.Pix[i] = 240
	}
	src := slaps.Sketch(3)
	for y := range src.Rect.Dy() {
		copy(g.Pix[(y+150)*800+200:], src.Pix[y*src.Stride:][:src.Rect.Dx()])
	}
	r, err := Segment(picture(g), Expect{})
	if err != nil || len(r.Fingers) != 1 || r.Hand != Unknown || r.Fingers[0].Position != 0 || !slices.Equal(r.Findings, []fault.Code{Unclear}) {
		t.Errorf("nothing asked: %v %+v", err, r)
	}
	r, err = Segment(picture(g), Expect{Hand: RightFour, Gone: []int{2, 4, 5}})
	if err != nil || r.Hand != RightFour || r.Fingers[0].Position != 3 || len(r.Findings) != 0 {
		t.Errorf("three excepted: %v %+v", err, r)
	}
	if b := r.Fingers[0].Box; math.Abs(b.X-370) > 25 || math.Abs(b.Y-370) > 40 || math.Abs(b.Angle) > 15 {
		t.Errorf("box %+v", b)
	}
}

func TestRefuses(t *testing.T) {
	blank := func(w, h int, dpi float64) *finger.Image {
		m := &finger.Image{Pix: make([]byte, w*h), Width: w, Height: h, DPI: dpi}
		for i := range m.Pix {
			m.Pix[i] = 230
		}
		return m
	}
	short := blank(800, 750, 500)
	short.Pix = short.Pix[:100]
	noise := blank(800, 750, 500)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Pix {
		noise.Pix[i] = byte(228 + rng.IntN(4))
	}
	for name, c := range map[string]struct {
		m    *finger.Image
		want error
	}{
		"blank":       {blank(1600, 1500, 500), ErrEmpty},
		"faint noise": {noise, ErrEmpty},
		"short":       {short, ErrImageSize},
		"tiny":        {blank(40, 40, 500), ErrImageSize},
		"empty":       {&finger.Image{DPI: 500}, ErrImageSize},
		"huge":        {blank(4200, 200, 500), ErrImageSize},
		"too large":   {blank(4000, 4000, 250), ErrImageSize},
		"no dpi":      {blank(800, 750, 0), ErrDPI},
		"low dpi":     {blank(800, 750, 150), ErrDPI},
		"nan":         {blank(800, 750, math.NaN()), ErrDPI},
	} {
		if r, err := Segment(c.m, Expect{}); !errors.Is(err, c.want) || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The same hand at another resolution lies at the same places.
func TestResolutions(t *testing.T) {
	g, truth := slaps.Compose(sketches(), slaps.Layout{Code: 13, Gap: 2, Rotation: 10}, 5)
	wide := image.NewGray(image.Rect(0, 0, 3200, 3000))
	for y := range 3000 {
		for x := range 3200 {
			wide.Pix[y*3200+x] = g.Pix[y/2*1600+x/2]
		}
	}
	m := picture(wide)
	m.DPI = 1000
	r, err := Segment(m, Expect{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Fingers {
		b := &r.Fingers[i].Box
		b.X, b.Y, b.Width, b.Height = b.X/2, b.Y/2, b.Width/2, b.Height/2
	}
	if err := boxesRight(r, truth); err != nil || r.Hand != RightFour {
		t.Errorf("%v %v", r.Hand, err)
	}
}

func TestRedacted(t *testing.T) {
	r := Result{Hand: RightFour, Fingers: []Finger{{Position: 3}}}
	if s := r.LogValue().String(); s != "slap (redacted)" {
		t.Error(s)
	}
}

func FuzzSegment(f *testing.F) {
	f.Add([]byte{1, 2, 3, 250}, uint16(300), uint16(200), uint8(2), uint8(1))
	f.Add([]byte("ridge"), uint16(101), uint16(377), uint8(5), uint8(9))
	f.Fuzz(func(t *testing.T, seed []byte, w, h uint16, dpi, hand uint8) {
		m := &finger.Image{Width: int(w) % 500, Height: int(h) % 500, DPI: 100 * float64(dpi%13)}
		m.Pix = make([]byte, m.Width*m.Height)
		for i := range m.Pix {
			if len(seed) > 0 {
				m.Pix[i] = seed[(i/7+i/m.Width*3)%len(seed)]
			}
		}
		r, err := Segment(m, Expect{Hand: Hand(hand % 17), Gone: []int{int(hand % 11)}})
		if (err == nil) == (r == nil) || err != nil && fault.CodeOf(err) == fault.Unknown {
			t.Fatalf("%v %v", r, err)
		}
		if r == nil {
			return
		}
		for _, x := range r.Fingers {
			b := x.Box
			if math.IsNaN(b.X+b.Y+b.Angle+x.Confidence) || b.Width <= 0 || b.Height <= 0 || x.Position < 0 || x.Position > 10 {
				t.Fatalf("%+v", x)
			}
		}
	})
}

func BenchmarkSegment(b *testing.B) {
	g, _ := slaps.Compose(sketches(), slaps.Layout{Code: 13, Gap: 2, Rotation: 20}, 5)
	m := picture(g)
	for b.Loop() {
		if _, err := Segment(m, Expect{}); err != nil {
			b.Fatal(err)
		}
	}
}
