// Package wsq reads and writes fingerprint images in the wavelet scalar
// quantisation form that police forces exchange at 500 pixels an inch: "WSQ
// Gray-scale Fingerprint Image Compression Specification", IAFIS-IC-0110,
// version 3.1 (2010). Pure Go; a file is outside data and nothing in it is
// trusted: what memory is taken follows from the size it states, which
// MaxPixels bounds. All functions are safe for concurrent use.
package wsq

import (
	"github.com/watchpost/watchpost/device/fault"
)

// MaxPixels is the most that an image may have, width times height.
const MaxPixels = 64_000_000

// Rates for Encode, in bits a pixel.
const (
	Rate15 = 0.75 // about 15:1, what INTERPOL and the FBI ask for
	Rate5  = 2.25 // about 5:1
	// MinRate and MaxRate bound what Encode takes.
	MinRate = 0.1
	MaxRate = 8
)

// Sentinels for errors.Is; the codes are those of every outside image.
var (
	ErrFormat      = &fault.Error{Code: "image.format"}      // not WSQ, or damaged
	ErrTruncated   = &fault.Error{Code: "image.truncated"}   // ends before its own end
	ErrTooLarge    = &fault.Error{Code: "image.too_large"}   // over MaxPixels
	ErrUnsupported = &fault.Error{Code: "image.unsupported"} // allowed by the specification, seen in no file
)

// Image is an 8-bit grey image without gaps between its rows. It belongs to
// the caller.
type Image struct {
	Pix           []byte
	Width, Height int
	DPI           float64 // pixels an inch; 0 where not told
}

// Info is what a file says of itself.
type Info struct {
	Width, Height int
	DPI           float64 // from a NIST_COM comment; 0 where there is none
}

// Decode returns the picture of a WSQ file. Errors: ErrFormat, ErrTruncated,
// ErrTooLarge, ErrUnsupported.
func Decode(b []byte) (Image, error) {
	f, err := parse(b, true)
	if err != nil {
		return Image{}, err
	}
	plane := make([]float32, f.Width*f.Height)
	f.dequantise(plane)
	f.coefficients = nil
	synthesise(plane, f.Width, f.Height, f.filters)
	out := Image{Pix: make([]byte, len(plane)), Width: f.Width, Height: f.Height, DPI: f.DPI}
	for i, v := range plane {
		out.Pix[i] = clamp(v*f.scale + f.shift + 0.5)
	}
	return out, nil
}

// Stat reads a file's size and resolution and finds its end, without decoding
// a pixel. Errors as of Decode.
func Stat(b []byte) (Info, error) {
	f, err := parse(b, false)
	if err != nil {
		return Info{}, err
	}
	return f.Info, nil
}

// Encode writes img with about rate bits a pixel: for ordinary prints the
// quantiser aims at it, it is no promise. Errors: ErrFormat where the image's
// size does not fit its pixels or the rate is out of range, ErrTooLarge.
func Encode(img Image, rate float64) ([]byte, error) {
	switch {
	case img.Width < 1 || img.Height < 1 || img.Width > 65535 || img.Height > 65535,
		len(img.Pix) != img.Width*img.Height:
		return nil, fault.New(ErrFormat.Code, "%dx%d pixels in %d bytes", img.Width, img.Height, len(img.Pix))
	case len(img.Pix) > MaxPixels:
		return nil, tooLarge(img.Width, img.Height)
	case !(rate >= MinRate && rate <= MaxRate):
		return nil, fault.New(ErrFormat.Code, "rate of %g bits a pixel, %g to %g can be asked for", rate, float64(MinRate), float64(MaxRate))
	}
	w := writer{}
	w.marker(markerSOI)
	w.comment(img)
	shift, scale := levels(img.Pix)
	plane := make([]float32, len(img.Pix))
	m, r := float32(shift.value()), float32(scale.value())
	for i, p := range img.Pix {
		plane[i] = (float32(p) - m) / r
	}
	tree := newTree(img.Width, img.Height)
	analyse(plane, img.Width, img.Height, standard)
	steps := chooseSteps(plane, img.Width, tree.leaves, rate)
	w.transform(standard)
	w.quantisation(steps)
	w.frame(img, shift, scale)
	w.blocks(plane, img.Width, tree.leaves, steps)
	w.marker(markerEOI)
	return w.b, nil
}

func clamp(v float32) byte {
	switch {
	case !(v > 0): // NaN too
		return 0
	case v >= 255:
		return 255
	}
	return byte(v)
}

func tooLarge(w, h int) error {
	return fault.New(ErrTooLarge.Code, "%dx%d pixels, at most %d are read", w, h, MaxPixels)
}

func malformed(format string, args ...any) error {
	return fault.New(ErrFormat.Code, "wsq: "+format, args...)
}

func truncated(what string) error {
	return fault.New(ErrTruncated.Code, "wsq ends inside %s", what)
}
