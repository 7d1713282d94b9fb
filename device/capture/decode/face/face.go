// Package face is the contract of a face engine: 8-bit RGB pixels in, the
// faces found and one template of unit length out. Implementations stand in
// folders of their own: dlib (a thin binding, the default) and goface
// (github.com/Kagami/go-face, for comparison). The package itself holds no C.
package face

import (
	"context"
	"image"
	"math"

	"github.com/watchpost/watchpost/device/fault"
)

// Dimensions is the length of a face vector.
const Dimensions = 128

// ErrNone says that no face was found in the image.
var ErrNone = &fault.Error{Code: "face.none"}

// Raster is an 8-bit RGB image, rows top down, Stride bytes apart. Whoever
// made it owns Pix; an engine reads it during a call and keeps nothing.
type Raster struct {
	Pix           []byte
	Width, Height int
	Stride        int
}

// Check returns a coded error unless the raster's fields fit together.
func (r Raster) Check() error {
	if r.Width <= 0 || r.Height <= 0 || r.Width > maxSide || r.Height > maxSide ||
		r.Stride < 3*r.Width || len(r.Pix) < (r.Height-1)*r.Stride+3*r.Width {
		return fault.New("face.raster", "raster of %dx%d, stride %d does not fit its %d bytes",
			r.Width, r.Height, r.Stride, len(r.Pix))
	}
	return nil
}

// maxSide keeps products of sides far from overflow.
const maxSide = 1 << 20

// Half returns the raster at half its size, each pixel the mean of four; an
// odd last row or column is dropped. It returns a copy.
func (r Raster) Half() Raster {
	h := Raster{Width: r.Width / 2, Height: r.Height / 2}
	h.Stride = 3 * h.Width
	h.Pix = make([]byte, h.Stride*h.Height)
	for y := range h.Height {
		top := r.Pix[2*y*r.Stride:]
		low := r.Pix[(2*y+1)*r.Stride:]
		out := h.Pix[y*h.Stride : (y+1)*h.Stride]
		for x := range h.Width {
			for c := range 3 {
				i := 6*x + c
				out[3*x+c] = byte((uint(top[i]) + uint(top[i+3]) + uint(low[i]) + uint(low[i+3]) + 2) / 4)
			}
		}
	}
	return h
}

// Double returns the raster at twice its size, interpolated linearly. It
// returns a copy.
func (r Raster) Double() Raster {
	d := Raster{Width: 2 * r.Width, Height: 2 * r.Height, Stride: 6 * r.Width}
	d.Pix = make([]byte, d.Stride*d.Height)
	for y := range d.Height {
		// The centre of a new pixel lies a quarter off the old one's.
		near := r.Pix[y/2*r.Stride:]
		far := r.Pix[min(max(y/2+2*(y%2)-1, 0), r.Height-1)*r.Stride:]
		out := d.Pix[y*d.Stride:]
		for x := range d.Width {
			a, b := 3*(x/2), 3*min(max(x/2+2*(x%2)-1, 0), r.Width-1)
			for c := range 3 {
				out[3*x+c] = byte((9*uint(near[a+c]) + 3*uint(near[b+c]) + 3*uint(far[a+c]) + uint(far[b+c]) + 8) / 16)
			}
		}
	}
	return d
}

// Point is a position in pixels of the image, origin at the top left corner.
type Point struct{ X, Y float64 }

// The five points of a detection, named from the viewer's side.
const (
	RightEyeOuter = 0 // right in the image: the person's left eye
	RightEyeInner = 1
	LeftEyeOuter  = 2
	LeftEyeInner  = 3
	NoseBase      = 4
)

// Detector says which step of the cascade found a face. The numbers are
// published.
type Detector int

const (
	DetectorUnknown    Detector = 0
	DetectorHOG        Detector = 1 // gradient histograms, threshold 0
	DetectorHOGRelaxed Detector = 2 // the same at -0.3 on the image enlarged twice
	DetectorCNN        Detector = 3 // max-margin network
)

func (d Detector) String() string {
	switch d {
	case DetectorHOG:
		return "hog"
	case DetectorHOGRelaxed:
		return "hog-relaxed"
	case DetectorCNN:
		return "cnn"
	}
	return "unknown"
}

// Detection is one face found.
type Detection struct {
	Box       image.Rectangle // may reach over the image's edge
	Score     float64         // the detector's own scale; only comparable within one detector
	Detector  Detector
	Points    [5]Point
	HasPoints bool // false where the engine does not tell them
}

// EyeDistance returns the distance between the eye centres in pixels, each
// centre taken midway between the corners of its eye; NaN without points.
func (d Detection) EyeDistance() float64 {
	if !d.HasPoints {
		return math.NaN()
	}
	l, r := d.EyeCentres()
	return math.Hypot(r.X-l.X, r.Y-l.Y)
}

// EyeCentres returns the centres of the eyes at the left and at the right in
// the image.
func (d Detection) EyeCentres() (left, right Point) {
	p := d.Points
	return midpoint(p[LeftEyeOuter], p[LeftEyeInner]), midpoint(p[RightEyeOuter], p[RightEyeInner])
}

func midpoint(a, b Point) Point { return Point{(a.X + b.X) / 2, (a.Y + b.Y) / 2} }

// Effort is how hard to look.
type Effort int

const (
	// Still tries every step of the cascade until one finds a face.
	Still Effort = 1
	// Live runs the fast detector only, for frames of which the next is near.
	Live Effort = 2
)

// Model names what made a vector. Vectors of two models, or of two versions
// of one, are not to be compared.
type Model struct{ Name, Version string }

func (m Model) String() string { return m.Name + "/" + m.Version }

// Template is an engine's answer for one image.
type Template struct {
	Faces  int       // how many faces were seen
	Chosen Detection // the largest; of several about as large, the most central
	Model  Model
	Vector [Dimensions]float32 // unit length
	// MirrorAgreement is the cosine between the vectors of the plain and the
	// mirrored view, NaN where the engine takes one view only.
	MirrorAgreement float64
}

// Engine turns pixels into a template. An engine is for one goroutine at a
// time; use Pool to share several.
type Engine interface {
	// Template returns the template of the largest face, or ErrNone. The
	// context is looked at between the steps, not inside one.
	Template(ctx context.Context, img Raster, effort Effort) (Template, error)
	Model() Model
	Close() error
}

// Finder is an engine that can also tell where faces are without computing a
// template, the one that Template would take first; none is an empty slice and no error.
type Finder interface {
	Find(ctx context.Context, img Raster, effort Effort) ([]Detection, error)
}

// Unit scales v to length 1. A vector without a length, or with a component
// that is not a number, is refused.
func Unit(v *[Dimensions]float32) error {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	n := math.Sqrt(sum)
	if !(n > 1e-6) || math.IsInf(n, 0) {
		return fault.New("face.vector", "the net's answer has no usable length")
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / n)
	}
	return nil
}
