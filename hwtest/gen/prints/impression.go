package prints

import (
	"image"
	"math"
	"math/rand/v2"
)

// Size of an impression in pixels at DPI.
const (
	Width  = 388
	Height = 374
)

// Condition says how a finger lies on the sensor.
type Condition struct {
	X, Y       float64 // shift of the finger, pixels
	Rotation   float64 // degrees, clockwise
	Pressure   float64 // -1 dry or light, 0 ordinary, 1 wet or hard
	Distortion float64 // of the skin: standard deviation in pixels
	Noise      float64 // 0 clean to 1 bad: specks, smears, scratches
	Area       float64 // of the contact against an ordinary one, linear, 0.3 to 1
}

// Draw picks a condition as a cooperative person gives it; hard, 0 to 1, makes
// it worse.
func Draw(rng *rand.Rand, hard float64) Condition {
	n := rng.NormFloat64
	return Condition{
		X: (10 + 30*hard) * n(), Y: (12 + 40*hard) * n(), Rotation: (5 + 12*hard) * n(),
		Pressure:   min(max((0.2+0.6*hard)*n(), -1), 1),
		Distortion: 1.2 + 5*hard*rng.Float64(),
		Noise:      min(0.15+1.1*hard*rng.Float64()+0.05*math.Abs(n()), 1),
		Area:       0.95 - 0.45*hard*rng.Float64(),
	}
}

// Impression is the finger as a sensor sees it: dark ridges on a light ground.
// The same seed and condition give the same picture.
func (m *Master) Impression(c Condition, seed uint64) *image.Gray {
	rng := rand.New(rand.NewPCG(seed, 0x7072696e74))
	out := image.NewGray(image.Rect(0, 0, Width, Height))
	bendX, bendY := newNoise(rng, 110), newNoise(rng, 110)
	press, smear, edge := newNoise(rng, 45), newNoise(rng, 14), newNoise(rng, 26)
	dirt := newNoise(rng, 2.6)
	sin, cos := math.Sincos(c.Rotation * math.Pi / 180)
	scratches := drawScratches(rng, c.Noise)
	ground := 228 + 14*rng.Float64()
	plane := make([]float64, Width*Height)
	for v := range Height {
		for u := range Width {
			// Where on the finger this pixel of the sensor lies.
			du, dv := float64(u)-Width/2-c.X, float64(v)-Height/2-c.Y
			x := cos*du + sin*dv
			y := -sin*du + cos*dv
			inside := contact(x, y, c.Area) + 0.07*edge.at(x, y)
			fx := x + c.Distortion*bendX.at(x, y)
			fy := y + c.Distortion*bendY.at(x, y)
			touch := 1 / (1 + math.Exp(-34*inside)) // 1 in contact, 0 off it
			h := m.at(fx+masterWidth/2, fy+masterHeight/2)
			// Pressure widens the ridges; dirt and dry skin break them.
			level := 0.55*c.Pressure + 0.28*press.at(x, y) + c.Noise*0.9*smear.at(x, y)
			dry := 0.35 + 0.5*max(0, -c.Pressure) + 0.6*c.Noise
			ink := 1 / (1 + math.Exp(-5.5*(h+level+dry*0.6*dirt.at(x, y))))
			for _, s := range scratches {
				ink *= s.leaves(x, y)
			}
			plane[v*Width+u] = ground - touch*ink*(182+20*press.at(x, y))
		}
	}
	blur(plane, Width, Height)
	for i, v := range plane {
		out.Pix[i] = uint8(min(max(v+(2+5*c.Noise)*rng.NormFloat64(), 0), 255))
	}
	return out
}

// contact is above 0 inside the egg that a finger's pad makes, below outside.
func contact(x, y, area float64) float64 {
	rx, ry := 126*area, 180*area
	if y > 0 {
		ry = 185 * area
	}
	return 1 - math.Hypot(x/rx, y/ry)
}

// at samples the master between its pixels; off it there is no ridge.
func (m *Master) at(x, y float64) float64 {
	ix, iy := int(math.Floor(x)), int(math.Floor(y))
	if ix < 0 || iy < 0 || ix >= masterWidth-1 || iy >= masterHeight-1 {
		return -1
	}
	fx, fy := x-float64(ix), y-float64(iy)
	p := m.height[iy*masterWidth+ix:]
	return (float64(p[0])*(1-fx)+float64(p[1])*fx)*(1-fy) +
		(float64(p[masterWidth])*(1-fx)+float64(p[masterWidth+1])*fx)*fy
}

// scratch is a straight stripe without ink.
type scratch struct {
	x, y, sin, cos, length, width float64
}

func drawScratches(rng *rand.Rand, amount float64) []scratch {
	out := make([]scratch, int(5*amount*rng.Float64()+0.5))
	for i := range out {
		sin, cos := math.Sincos(math.Pi * rng.Float64())
		out[i] = scratch{240*rng.Float64() - 120, 280*rng.Float64() - 140, sin, cos, 30 + 90*rng.Float64(), 1 + 1.5*rng.Float64()}
	}
	return out
}

// leaves is the part of the ink that s leaves at a place.
func (s scratch) leaves(x, y float64) float64 {
	dx, dy := x-s.x, y-s.y
	along, across := dx*s.cos+dy*s.sin, dy*s.cos-dx*s.sin
	if math.Abs(along) > s.length/2 {
		return 1
	}
	return 1 - math.Exp(-across*across/(2*s.width*s.width))
}

// blur is the sensor's own: a binomial of three pixels each way.
func blur(p []float64, w, h int) {
	line := make([]float64, max(w, h))
	pass := func(at, n, step int) {
		for i := range n {
			line[i] = p[at+i*step]
		}
		for i := range n {
			a, b := line[max(i-1, 0)], line[min(i+1, n-1)]
			p[at+i*step] = (a + 2*line[i] + b) / 4
		}
	}
	for y := range h {
		pass(y*w, w, 1)
	}
	for x := range w {
		pass(x, h, w)
	}
}
