package quality

import (
	"image"
	"math"
)

// Shares of pixels count as lost in shadow or in light at these levels.
const (
	darkLevel   = 26  // a tenth of white, rounded up
	brightLevel = 247 // clipped, with room for lossy coding
)

// statistics of the grey values inside a face's box.
type statistics struct {
	mean, variance float64 // of luminance from 0 to 1
	dark, bright   float64 // share of pixels
	entropy        float64 // of the histogram, bits
	gradient       float64 // mean absolute second difference, grey levels, at a set face width
}

// sharpWidth is the face width in pixels at which sharpness is measured, so
// that a large picture is not sharper than a small one for its size alone.
const sharpWidth = 100

// greyOf computes the statistics; ok is false where the box holds no pixels.
func greyOf(in FaceInput) (s statistics, ok bool) {
	box := in.Box.Intersect(image.Rect(0, 0, in.Width, in.Height))
	if box.Dx() < 8 || box.Dy() < 8 || in.Stride < 3*in.Width || len(in.Pix) < (in.Height-1)*in.Stride+3*in.Width {
		return s, false
	}
	var histogram [256]int
	step := max(1, box.Dx()/sharpWidth)
	var sum, n float64
	for y := box.Min.Y; y < box.Max.Y; y += step {
		for x := box.Min.X; x < box.Max.X; x += step {
			v := in.luma(x, y)
			histogram[int(v)]++
			n++
			if x-step >= box.Min.X && x+step < box.Max.X && y-step >= box.Min.Y && y+step < box.Max.Y {
				sum += math.Abs(in.luma(x-step, y) + in.luma(x+step, y) + in.luma(x, y-step) + in.luma(x, y+step) - 4*v)
			}
		}
	}
	s.gradient = sum / n
	for v, count := range histogram {
		share := float64(count) / n
		l := float64(v) / 255
		s.mean += share * l
		s.variance += share * l * l
		if v < darkLevel {
			s.dark += share
		}
		if v >= brightLevel {
			s.bright += share
		}
		if share > 0 {
			s.entropy -= share * math.Log2(share)
		}
	}
	s.variance = max(0, s.variance-s.mean*s.mean)
	return s, true
}

// luma is the grey level of a pixel after ITU-R BT.601, 0 to 255.
func (in *FaceInput) luma(x, y int) float64 {
	p := in.Pix[y*in.Stride+3*x:]
	return 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2])
}
