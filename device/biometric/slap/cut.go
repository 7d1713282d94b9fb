package slap

import (
	"math"

	"github.com/watchpost/watchpost/device/biometric/finger"
)

// Cut returns a finger of a picture by itself, turned upright, with a margin of one
// millimetre, at the picture's resolution. What lies off the picture is white.
func Cut(m *finger.Image, b Box) *finger.Image {
	margin := 2 * m.DPI / 25.4
	side := func(v float64) int { return max(int(math.Ceil(min(v, maxSide)+margin)), int(70*m.DPI/finger.DPI)) }
	out := &finger.Image{Width: side(b.Width), Height: side(b.Height), DPI: m.DPI}
	out.Pix = make([]byte, out.Width*out.Height)
	sin, cos := math.Sincos(b.Angle * math.Pi / 180)
	for y := range out.Height {
		v := float64(y) - float64(out.Height-1)/2
		for x := range out.Width {
			u := float64(x) - float64(out.Width-1)/2
			out.Pix[y*out.Width+x] = sample(m, b.X-0.5+cos*u-sin*v, b.Y-0.5+sin*u+cos*v)
		}
	}
	return out
}

// sample is the grey level between pixels.
func sample(m *finger.Image, x, y float64) byte {
	ix, iy := int(math.Floor(x)), int(math.Floor(y))
	if ix < 0 || iy < 0 || ix >= m.Width-1 || iy >= m.Height-1 {
		return 255
	}
	fx, fy := x-float64(ix), y-float64(iy)
	p := m.Pix[iy*m.Width+ix:]
	top := float64(p[0])*(1-fx) + float64(p[1])*fx
	low := float64(p[m.Width])*(1-fx) + float64(p[m.Width+1])*fx
	return byte(top*(1-fy) + low*fy + 0.5)
}
