// Package finger turns fingerprint images into minutiae templates and compares
// them, in pure Go. Extraction: to 500 dpi, local contrast, segmentation,
// orientation field, ridge period, oriented filtering, skeletons, minutiae.
// Comparison: Minutia Cylinder-Code (Cappelli, Ferrara, Maltoni, IEEE TPAMI
// 32:12, 2010) with 8x8x6 bit cylinders and relaxation, then a geometric
// verification; the score is a log-likelihood ratio.
//
// Images and templates are personal data of a special category.
package finger

import (
	"log/slog"

	"github.com/watchpost/watchpost/device/fault"
)

// DPI is the resolution that all coordinates of a template are in.
const DPI = 500

// MinMinutiae is how many minutiae an image must give to be enrolled.
const MinMinutiae = 12

// Limits on images. A ten-print card's slap has about 2.4 megapixels at 500 dpi.
const (
	minSide   = 64
	maxSide   = 4096
	maxPixels = 6_000_000
	minDPI    = 100
	maxDPI    = 2000
)

// Errors of extraction.
var (
	ErrEnrol     = &fault.Error{Code: "finger.enrol", Hint: "too few minutiae: take the print again"}
	ErrImageSize = &fault.Error{Code: "finger.image_size"}
	ErrDPI       = &fault.Error{Code: "finger.dpi"}
)

// Image is a fingerprint image, 8-bit grey, dark ridges on light ground, rows
// from the top without gaps. The pixels stay the caller's.
type Image struct {
	Pix           []byte
	Width, Height int
	DPI           float64 // 100 to 2000
}

// LogValue keeps prints out of logs.
func (Image) LogValue() slog.Value { return slog.StringValue("fingerprint (redacted)") }

// String keeps prints out of the fmt verbs.
func (Image) String() string { return "fingerprint (redacted)" }

func (m *Image) check() error {
	if m.Width < minSide || m.Height < minSide || m.Width > maxSide || m.Height > maxSide || len(m.Pix) != m.Width*m.Height {
		return fault.New(ErrImageSize.Code, "%dx%d pixels in %d bytes", m.Width, m.Height, len(m.Pix))
	}
	if !(m.DPI >= minDPI && m.DPI <= maxDPI) {
		return fault.New(ErrDPI.Code, "a resolution of %v dpi", m.DPI)
	}
	scale := DPI / m.DPI
	if float64(m.Width*m.Height)*scale*scale > maxPixels {
		return fault.New(ErrImageSize.Code, "%dx%d pixels at %v dpi", m.Width, m.Height, m.DPI)
	}
	return nil
}

// Kind is what the ridge does at a minutia, numbered as in ISO/IEC 19794-2.
type Kind uint8

// The kinds of minutiae.
const (
	KindOther       Kind = 0
	KindEnding      Kind = 1
	KindBifurcation Kind = 2
)

// Minutia is one minutia. X and Y are pixels at 500 dpi, from the left and
// from the top. Angle is in radians, 0 to 2 pi, clockwise as seen from the
// direction of X: along the ridge from an ending, into the valley between the
// branches from a bifurcation.
type Minutia struct {
	X, Y    float32
	Angle   float32
	Kind    Kind
	Quality uint8 // 1 to 100, 0 unknown
}
