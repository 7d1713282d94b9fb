package tenprint

import (
	"errors"
	"log/slog"
	"maps"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/fault"
)

// Touch is what one picture shows by itself, before it is held against the prints
// that were taken before. It is personal data.
type Touch struct {
	Hand     slap.Hand    // of a slap
	Findings []fault.Code // of package slap
	Fingers  []Impression // from left to right
}

// LogValue keeps prints out of logs.
func (Touch) LogValue() slog.Value { return slog.StringValue("touch (redacted)") }

// String keeps prints out of the fmt verbs.
func (Touch) String() string { return "touch (redacted)" }

// Impression is one finger of a touch.
type Impression struct {
	Position int              // 0 if it could not be told
	Sure     float64          // 0 to 1, that the position is right
	Template *finger.Template // nil where there is too little for one
	Image    *finger.Image    // of a slap the part that is the finger, upright
	Box      slap.Box         // of a slap, in the picture
}

// Read makes templates of a picture of what was asked for: of a slap it finds the
// fingers first. It takes some 30 ms a finger and is safe for concurrent use with
// extractors of one's own. Errors: of a finger those of Extract, of a slap those of
// slap.Segment.
func Read(e *finger.Extractor, m *finger.Image, ask Ask) (*Touch, error) {
	if ask.Code <= 10 {
		t, err := e.Extract(m)
		if err != nil {
			return nil, err
		}
		return &Touch{Fingers: []Impression{{Position: ask.Code, Sure: 1, Template: t, Image: m}}}, nil
	}
	want := slap.Expect{Hand: slap.Hand(ask.Code), Gone: slices.Sorted(maps.Keys(ask.Gone))}
	r, err := slap.Segment(m, want)
	if err != nil {
		return nil, err
	}
	out := &Touch{Hand: r.Hand, Findings: r.Findings}
	for _, f := range r.Fingers {
		one := Impression{Position: f.Position, Sure: f.Confidence, Box: f.Box, Image: slap.Cut(m, f.Box)}
		if one.Template, err = e.Extract(one.Image); err != nil && !errors.Is(err, finger.ErrEnrol) && !errors.Is(err, finger.ErrImageSize) {
			return nil, err
		}
		out.Fingers = append(out.Fingers, one)
	}
	return out, nil
}

// OfTouch tells errors of one touch, which is a try, from those of the scanner.
func OfTouch(err error) bool {
	for _, e := range []*fault.Error{{Code: LowQuality}, finger.ErrEnrol, finger.ErrImageSize, slap.ErrEmpty, slap.ErrImageSize} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
