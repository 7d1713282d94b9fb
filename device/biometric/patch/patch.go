// Package patch reads colours from places of a face that are named by its own
// axes: the line through the eyes and what stands upright on it, in eye
// distances. It is what face quality and presentation attack detection look
// at; it knows five points and pixels, and keeps nothing.
package patch

import "math"

// Point is a position in pixels, origin at the top left corner.
type Point struct{ X, Y float64 }

// Picture is 8-bit RGB, rows top down, Stride bytes apart. It is read only.
type Picture struct {
	Pix                   []byte
	Width, Height, Stride int
}

// Valid reports whether the fields fit together; nothing is read otherwise.
func (p Picture) Valid() bool {
	return p.Width > 0 && p.Height > 0 && p.Width <= 1<<16 && p.Height <= 1<<16 &&
		p.Stride >= 3*p.Width && len(p.Pix) >= (p.Height-1)*p.Stride+3*p.Width
}

// Axes are a face's own: the origin midway between the eye centres, x to the
// right of the image along the eyes, y down the face.
type Axes struct {
	Origin   Point
	Right    Point   // unit vector
	Distance float64 // between the eye centres, pixels
}

// minDistance is the least distance of the eyes that axes are made of: below,
// half a pixel of error is a tenth of the face.
const minDistance = 5

// AxesOf returns the axes of the eye centres at the left and the right of the
// image; ok is false where they are too near to tell a direction.
func AxesOf(left, right Point) (a Axes, ok bool) {
	dx, dy := right.X-left.X, right.Y-left.Y
	d := math.Hypot(dx, dy)
	if !(d >= minDistance) || math.IsInf(d, 0) {
		return a, false
	}
	return Axes{Origin: Point{(left.X + right.X) / 2, (left.Y + right.Y) / 2}, Right: Point{dx / d, dy / d}, Distance: d}, true
}

// At returns the pixel of a place in eye distances.
func (a Axes) At(x, y float64) Point {
	return Point{
		a.Origin.X + a.Distance*(x*a.Right.X-y*a.Right.Y),
		a.Origin.Y + a.Distance*(x*a.Right.Y+y*a.Right.X),
	}
}

// Place returns a pixel's place in eye distances.
func (a Axes) Place(p Point) (x, y float64) {
	dx, dy := (p.X-a.Origin.X)/a.Distance, (p.Y-a.Origin.Y)/a.Distance
	return dx*a.Right.X + dy*a.Right.Y, -dx*a.Right.Y + dy*a.Right.X
}

// Region is a box in eye distances.
type Region struct{ MinX, MinY, MaxX, MaxY float64 }

// The places that are looked at. Adults' eye centres are some 63 mm apart, the
// base of the nose 0.7 and the chin 1.85 eye distances below them.
var (
	Forehead        = Region{-0.35, -0.65, 0.35, -0.40}
	LeftCheek       = Region{-0.62, 0.42, -0.30, 0.80}
	RightCheek      = Region{0.30, 0.42, 0.62, 0.80}
	Nose            = Region{-0.10, 0.20, 0.10, 0.55}
	Chin            = Region{-0.18, 1.45, 0.18, 1.65}
	LeftHalf        = Region{-0.70, 0.30, -0.12, 1.10}
	RightHalf       = Region{0.12, 0.30, 0.70, 1.10}
	LeftBackground  = Region{-2.4, -1.2, -1.7, 0.2}
	RightBackground = Region{1.7, -1.2, 2.4, 0.2}
	// The middle of an eye that looks ahead: an iris is 11.7 mm wide, and lids leave
	// some 10 mm of height open.
	LeftEye  = Region{-0.59, -0.06, -0.41, 0.06}
	RightEye = Region{0.41, -0.06, 0.59, 0.06}
)

// samples is how many points a region is sampled at along each side, at most:
// a mean over more tells no more.
const samples = 48

// Each calls f with the pixels of a region that lie in the picture and returns
// the share of the region that does, 0 to 1.
func (p Picture) Each(a Axes, r Region, f func(red, green, blue byte)) (inside float64) {
	if !p.Valid() || !(a.Distance >= minDistance) {
		return 0
	}
	nx := int(min(samples, max(2, math.Ceil((r.MaxX-r.MinX)*a.Distance))))
	ny := int(min(samples, max(2, math.Ceil((r.MaxY-r.MinY)*a.Distance))))
	seen := 0
	for j := range ny {
		for i := range nx {
			at := a.At(r.MinX+(r.MaxX-r.MinX)*(float64(i)+0.5)/float64(nx), r.MinY+(r.MaxY-r.MinY)*(float64(j)+0.5)/float64(ny))
			if !(at.X >= 0 && at.Y >= 0 && at.X < float64(p.Width) && at.Y < float64(p.Height)) {
				continue
			}
			q := p.Pix[int(at.Y)*p.Stride+3*int(at.X):]
			f(q[0], q[1], q[2])
			seen++
		}
	}
	return float64(seen) / float64(nx*ny)
}

// Colour is a mean of red, green and blue, 0 to 255, encoded as in the picture.
type Colour [3]float64

// Mean returns the mean colour of a region; ok is false where less than half
// of it lies in the picture.
func (p Picture) Mean(a Axes, r Region) (c Colour, ok bool) {
	n := 0.0
	inside := p.Each(a, r, func(red, green, blue byte) {
		c[0], c[1], c[2] = c[0]+float64(red), c[1]+float64(green), c[2]+float64(blue)
		n++
	})
	if inside < 0.5 {
		return Colour{}, false
	}
	return Colour{c[0] / n, c[1] / n, c[2] / n}, true
}

// Luma is the grey level of a colour after ITU-R BT.601, 0 to 255.
func Luma(red, green, blue byte) float64 {
	return 0.299*float64(red) + 0.587*float64(green) + 0.114*float64(blue)
}
