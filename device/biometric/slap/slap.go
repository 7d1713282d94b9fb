// Package slap finds the fingers in a picture of several that were pressed at
// once: where each tip lies, cut at the first joint, whose hand it is and which
// finger. Pure Go; no model files.
//
// Positions and codes are those of ISO/IEC 19794-4:2011, table 5, which are those
// of ANSI/NIST-ITL 1-2011, table 8: fingers 1 to 10, right four 13, left four 14,
// two thumbs 15. Pictures are upright: fingers point to the upper edge, turned by
// at most 45 degrees.
//
// Pictures are personal data of a special category.
package slap

import (
	"log/slog"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
)

// Hand is what a slap is of. The numbers are the standard's codes.
type Hand int

// The hands. Unknown also stands for "not assessable".
const (
	Unknown   Hand = 0
	RightFour Hand = 13
	LeftFour  Hand = 14
	TwoThumbs Hand = 15
)

func (h Hand) String() string {
	switch h {
	case RightFour:
		return "right"
	case LeftFour:
		return "left"
	case TwoThumbs:
		return "thumbs"
	}
	return "unknown"
}

// ParseHand is the reverse of String; anything else is Unknown.
func ParseHand(s string) Hand {
	for _, h := range []Hand{RightFour, LeftFour, TwoThumbs} {
		if h.String() == s {
			return h
		}
	}
	return Unknown
}

// Positions of the hand's fingers as they lie in a picture, from left to right.
func (h Hand) Positions() []int {
	switch h {
	case RightFour:
		return []int{2, 3, 4, 5}
	case LeftFour:
		return []int{10, 9, 8, 7}
	case TwoThumbs:
		return []int{6, 1}
	}
	return nil
}

// Box is a turned rectangle in pixels of the picture. X and Y are its centre;
// Angle is in degrees, clockwise: a finger that points straight up has 0.
type Box struct {
	X, Y, Width, Height, Angle float64
}

// Finger is one fingertip.
type Finger struct {
	Position   int     // 1 to 10, 0 unknown
	Box        Box     // from the tip to the first joint
	Quality    int     // 0 to 100: contrast, flow and area; our own measure
	Confidence float64 // 0 to 1, that the position is right
}

// Result is what a picture shows.
type Result struct {
	Hand       Hand
	Confidence float64  // 0 to 1, of the hand; below Sure only with the finding Unclear
	Fingers    []Finger // from left to right
	Missing    []int    // positions of the hand that are not in the picture and were not excepted
	Findings   []fault.Code
}

// Sure is how likely a hand must be to be relied on. Below it Findings holds Unclear,
// and the hand is Unknown unless nothing was asked for: then it is the likelier one.
const Sure = 0.7

// What a picture may be refused for. They stand in Result.Findings: the boxes are
// still told, so that the page can show what was wrong.
const (
	TooMany   fault.Code = "slap.too_many"   // more fingers than the hand has
	TooFew    fault.Code = "slap.too_few"    // a finger that was not excepted is not there
	WrongHand fault.Code = "slap.wrong_hand" // of another hand than asked for
	Unclear   fault.Code = "slap.hand_unclear"
	Turned    fault.Code = "slap.turned"  // by more than 45 degrees
	CutOff    fault.Code = "slap.cut_off" // a finger reaches over the picture's edge
)

// Errors of Segment.
var (
	ErrImageSize = &fault.Error{Code: "slap.image_size"}
	ErrDPI       = &fault.Error{Code: "slap.dpi"}
	ErrEmpty     = &fault.Error{Code: "slap.empty", Hint: "no finger was seen: lay the hand on again"}
)

// Limits on pictures: 4 inches each way at 1000 dpi.
const (
	minSide = 100
	maxSide = 4100
	minDPI  = 200
	maxDPI  = 1100
)

// Expect is what was asked for. The zero value asks for nothing: the hand is then
// told from the picture alone.
type Expect struct {
	Hand Hand
	Gone []int // positions that will not be there: missing, bandaged, refused
}

// LogValue keeps where a person's fingers lay out of logs.
func (Result) LogValue() slog.Value { return slog.StringValue("slap (redacted)") }

func check(m *finger.Image) error {
	if m.Width < minSide || m.Height < minSide || m.Width > maxSide || m.Height > maxSide || len(m.Pix) != m.Width*m.Height {
		return fault.New(ErrImageSize.Code, "%dx%d pixels in %d bytes", m.Width, m.Height, len(m.Pix))
	}
	if !(m.DPI >= minDPI && m.DPI <= maxDPI) {
		return fault.New(ErrDPI.Code, "a resolution of %v dpi", m.DPI)
	}
	if side := 250 / m.DPI; float64(m.Width)*side < minSide/2 || float64(m.Height)*side < minSide/2 || float64(m.Width)*side > 1200 || float64(m.Height)*side > 1200 {
		return fault.New(ErrImageSize.Code, "%dx%d pixels at %v dpi", m.Width, m.Height, m.DPI)
	}
	return nil
}

// Segment finds the fingers of a picture, dark ridges on a light ground. It is
// safe for concurrent use. Errors: ErrImageSize, ErrDPI, ErrEmpty.
func Segment(m *finger.Image, want Expect) (*Result, error) {
	if err := check(m); err != nil {
		return nil, err
	}
	g, tips := parted(m)
	if len(tips) == 0 {
		return nil, fault.New(ErrEmpty.Code, "no finger in %dx%d pixels", m.Width, m.Height)
	}
	return g.tell(tips, want), nil
}

// parted finds the tips of a picture, whosever they are.
func parted(m *finger.Image) (*grid, []tip) {
	g := newGrid(m)
	g.foreground()
	return g, g.fingers()
}

// tell names the tips.
func (g *grid) tell(tips []tip, want Expect) *Result {
	r := judge(tips, want)
	for i := range tips {
		t := &tips[i]
		r.Fingers[i].Box = g.box(t)
		r.Fingers[i].Quality = t.quality
	}
	g.remark(r, tips)
	return r
}
