// Package slaps composes pictures of several fingers pressed at once ("slaps")
// from prints of single fingers, with the truth about them: which finger lies
// where, turned how. The prints may be invented (hwtest/gen/prints) or anybody's.
// Proportions of the hand are our own, drawn with a spread; no measurement of a
// person is in them.
package slaps

import (
	"math"
	"math/rand/v2"
)

// DPI of the pictures, pixels an inch.
const DPI = 500

// Size of the platen: 3.2 by 3.0 inches, as slap scanners have it.
const (
	Width  = 1600
	Height = 1500
)

const mm = DPI / 25.4 // pixels a millimetre

// Slap codes of ISO/IEC 19794-4:2011, table 5.
const (
	RightFour = 13
	LeftFour  = 14
	TwoThumbs = 15
)

// Box is a turned rectangle in pixels of the picture. X and Y are its centre;
// Angle is in degrees, clockwise: a finger that points straight up has 0.
type Box struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
	Angle  float64 `json:"angle"`
}

// Finger is the truth about one finger.
type Finger struct {
	Position int `json:"position"` // 1 to 10, ISO/IEC 19794-4
	Box      Box `json:"box"`      // of the tip, to the first joint
	Print    int `json:"print"`    // which of the prints given it is
}

// Truth is what a picture shows.
type Truth struct {
	File     string   `json:"file,omitempty"`
	Code     int      `json:"code"`
	Hand     string   `json:"hand"` // right, left, thumbs
	Rotation float64  `json:"rotation"`
	DPI      float64  `json:"dpi"`
	Fingers  []Finger `json:"fingers"` // from left to right
	Missing  []int    `json:"missing"`
	Overlap  bool     `json:"overlap"` // some fingers touch or lie over each other
	Joints   bool     `json:"joints"`  // second phalanges are seen
	TipsOnly bool     `json:"tips_only"`
}

// Layout says how a hand lies on the platen.
type Layout struct {
	Code     int
	Rotation float64 // degrees, clockwise
	Gap      float64 // millimetres between neighbours, below 0 they overlap
	Missing  int     // position that is not there, 0 none
	Joints   bool    // second phalanges touch the platen too
	TipsOnly bool    // a short contact, the tips alone
	Dirt     float64 // 0 clean to 1: specks, halo, an old print
	Uneven   float64 // 0 to 1: how unlike the fingers' pressure is
	Ordered  bool    // the first four prints lie from left to right; otherwise chance picks and orders them
	Natural  bool    // prints keep their size; otherwise the hand's proportions are given to them
}

// Draw picks a layout as a session sees it: a hand turned up to 30 degrees, every
// third with fingers that touch or overlap, every fifth with a finger missing. It
// never lays second joints down: that is Layout.Joints, the caller's to set.
func Draw(rng *rand.Rand) Layout {
	l := Layout{
		Code:     []int{RightFour, LeftFour, RightFour, LeftFour, TwoThumbs}[rng.IntN(5)],
		Rotation: 60*rng.Float64() - 30,
		Gap:      0.8 + 3*rng.Float64(),
		TipsOnly: rng.Float64() < 0.1,
		Dirt:     rng.Float64() * rng.Float64(),
		Uneven:   rng.Float64(),
	}
	if rng.Float64() < 1.0/3 {
		l.Gap = -3 * rng.Float64()
	}
	if l.Code != TwoThumbs && rng.Float64() < 0.2 {
		l.Missing = 2 + rng.IntN(4)
		if l.Code == LeftFour {
			l.Missing += 5
		}
	}
	return l
}

// Hand names the code's hand.
func Hand(code int) string {
	switch code {
	case RightFour:
		return "right"
	case LeftFour:
		return "left"
	case TwoThumbs:
		return "thumbs"
	}
	return "unknown"
}

// anatomy of one finger: how far its tip stays below that of the middle finger,
// how wide its contact is, both in millimetres.
type anatomy struct{ drop, width float64 }

var (
	four   = [4]anatomy{{8, 15.5}, {0, 16}, {6, 15}, {23, 12.5}} // index to little
	thumbs = anatomy{0, 19}
)

// placed is a finger on the platen before the hand is turned.
type placed struct {
	position     int
	tipX, tipY   float64 // millimetres; middle of the contact's upper edge, y down
	width        float64 // of the contact, pixels
	scale        float64 // pixels of the picture a pixel of the print
	angle        float64 // degrees, clockwise
	print        int
	ink          float64
	joint, reach float64 // second phalanx: gap and length in pixels, 0 none
}

// arrange puts the fingers side by side, from left to right, squeezing narrows
// the hand. prints are picked in order from the list given.
func (l Layout) arrange(rng *rand.Rand, prints []*Print, picks []int, squeeze float64) []placed {
	var order []int
	switch l.Code {
	case RightFour:
		order = []int{2, 3, 4, 5}
	case LeftFour:
		order = []int{10, 9, 8, 7}
	default:
		order = []int{6, 1}
	}
	size := squeeze * (0.92 + 0.1*rng.Float64())
	fan := 4 * rng.Float64()
	var out []placed
	x := 0.0
	for i, pos := range order {
		a := thumbs
		if l.Code != TwoThumbs {
			a = four[(pos-2)%5]
			a.drop += 1.6 * rng.NormFloat64()
		} else {
			a.drop = 2.5 * rng.NormFloat64()
		}
		p := placed{position: pos, print: picks[i], scale: 1}
		src := prints[picks[i]]
		if !l.Natural {
			p.scale = a.width * size * (1 + 0.04*rng.NormFloat64()) * mm / src.width()
			p.scale = min(max(p.scale, 0.6), 1.5)
		}
		p.width = src.width() * p.scale
		if i > 0 {
			gap := l.Gap * (0.6 + 0.8*rng.Float64())
			if l.Code == TwoThumbs {
				gap = max(gap, -1) + 4*rng.Float64()
			}
			x += (out[i-1].width+p.width)/2/mm + gap
		}
		p.tipX, p.tipY = x, a.drop*size
		p.angle = fan*(float64(i)-float64(len(order)-1)/2) + 2*rng.NormFloat64()
		if l.Code == TwoThumbs {
			p.angle = (float64(i) - 0.5) * -16 * rng.Float64()
		}
		p.ink = 1 - 0.45*l.Uneven*rng.Float64()
		if l.Joints && rng.Float64() < 0.85 {
			p.joint, p.reach = (1.2+1.3*rng.Float64())*mm, (5+14*rng.Float64())*mm
		}
		out = append(out, p)
	}
	kept := out[:0]
	for _, p := range out {
		if p.position != l.Missing {
			kept = append(kept, p)
		}
	}
	return kept
}

// box of a finger's tip once the hand is turned about the platen's middle.
func (p *placed) box(src *Print, rotation, shiftX, shiftY float64) Box {
	h := src.height() * p.scale
	// From the tip to the middle of the contact, along the finger.
	sin, cos := math.Sincos(p.angle * math.Pi / 180)
	cx, cy := p.tipX*mm-sin*h/2, p.tipY*mm+cos*h/2
	sin, cos = math.Sincos(rotation * math.Pi / 180)
	return Box{X: cos*cx - sin*cy + shiftX, Y: sin*cx + cos*cy + shiftY, Width: p.width, Height: h, Angle: p.angle + rotation}
}

// Corners of a box, clockwise from the upper left one of the unturned finger.
func (b Box) Corners() [4][2]float64 {
	sin, cos := math.Sincos(b.Angle * math.Pi / 180)
	var out [4][2]float64
	for i, s := range [4][2]float64{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
		u, v := s[0]*b.Width/2, s[1]*b.Height/2
		out[i] = [2]float64{b.X + cos*u - sin*v, b.Y + sin*u + cos*v}
	}
	return out
}
