// Package measure makes up ten-print sets and times searches among them, with
// real prints hidden as mates.
package measure

import (
	"math"
	"math/rand/v2"

	"github.com/watchpost/watchpost/device/biometric/finger"
)

// Crowd makes up fingers. Directions follow an orientation field of loops and
// deltas (Sherlock and Monro, Pattern Recognition 26:7, 1993) of the classes
// as often as people have them (Wilson, Candela and Watson, Journal of
// Artificial Neural Networks 1:2, 1994); places keep a distance from each
// other, and how many there are follows a normal distribution. Neither a
// person's print nor a weight fitted to one is shipped: Like measures counts
// and distances when it runs.
type Crowd struct {
	Count, CountSpread float64 // minutiae a print
	Apart              float64 // pixels at 500 dpi, the least distance
	Density            float64 // minutiae a square pixel of the print

	// prints are what every second finger is made of: mirrored, as a hand is
	// by the other, and drawn out of shape until it is nobody's.
	prints []*finger.Template
}

// Typical is a crowd of plain prints as literature has them: 40 minutiae, one
// in 5 square millimetres (Pankanti, Prabhakar and Jain, IEEE TPAMI 24:8,
// 2002, count 0.19 a square millimetre).
func Typical() Crowd {
	return Crowd{Count: 40, CountSpread: 9, Apart: 7, Density: 0.19 / (19.685 * 19.685)}
}

// Like is a crowd with the counts, distances and density of prints, half of it
// made of them.
func Like(prints []*finger.Template) Crowd {
	c := Typical()
	if len(prints) < 2 {
		return c
	}
	n, square, density, apart := 0.0, 0.0, 0.0, 0.0
	for _, t := range prints {
		k := float64(len(t.Minutiae))
		n, square = n+k, square+k*k
		density += k / max(1, t.HullArea())
		apart += tenth(t.Minutiae)
	}
	m := float64(len(prints))
	c.Count = n / m
	c.CountSpread = math.Sqrt(max(0, square/m-c.Count*c.Count))
	c.Density, c.Apart = density/m, apart/m
	c.prints = prints
	return c
}

// tenth is the distance to the nearest other minutia that a tenth of them
// are below.
func tenth(all []finger.Minutia) float64 {
	var nearest []float64
	for i, a := range all {
		best := math.Inf(1)
		for k, b := range all {
			if i != k {
				best = min(best, math.Hypot(float64(a.X-b.X), float64(a.Y-b.Y)))
			}
		}
		nearest = append(nearest, best)
	}
	return quantile(nearest, 0.1)
}

// singular is a loop (+1/2) or a delta (-1/2) of the field.
type singular struct{ x, y, turn float64 }

// field is an orientation field.
type field []singular

// at is the ridge's direction at a point, in radians, without a sense.
func (f field) at(x, y float64) float64 {
	angle := math.Pi / 2
	for _, s := range f {
		angle += s.turn * math.Atan2(y-s.y, x-s.x)
	}
	return angle
}

// draw makes a field around the middle of a print, which is the origin. y
// grows downwards: deltas lie below the loops.
func draw(r *rand.Rand) field {
	jitter := func(v, by float64) float64 { return v + by*r.NormFloat64() }
	const loop, delta = 0.5, -0.5
	core := singular{jitter(0, 10), jitter(-20, 15), loop}
	side := func(sign float64) singular { return singular{jitter(sign*85, 20), jitter(110, 25), delta} }
	switch class := r.Float64(); {
	case class < 0.037: // arch: loop and delta far below one another cancel out
		return field{{jitter(0, 10), jitter(60, 10), loop}, {jitter(0, 10), jitter(90, 10), delta}}
	case class < 0.066: // tented arch
		return field{core, {jitter(0, 8), jitter(70, 15), delta}}
	case class < 0.404: // left loop
		return field{core, side(1)}
	case class < 0.721: // right loop
		return field{core, side(-1)}
	default: // whorl
		return field{core, {jitter(0, 15), jitter(25, 15), loop}, side(1), side(-1)}
	}
}

// Finger makes up one finger. The same numbers give the same finger.
func (c *Crowd) Finger(seed, number uint64) *finger.Template {
	r := rand.New(rand.NewPCG(seed, number))
	if len(c.prints) > 0 && number%2 == 0 {
		return mirrored(r, c.prints[r.IntN(len(c.prints))])
	}
	n := int(max(14, min(110, math.Round(c.Count+c.CountSpread*r.NormFloat64()))))
	// An ellipse, a fifth longer than it is wide.
	area := float64(n) / c.Density
	b := math.Sqrt(area * 1.2 / math.Pi)
	a := b / 1.2
	f := draw(r)
	ox, oy := 30*r.NormFloat64(), 30*r.NormFloat64() // where the finger was laid on
	turn := 0.15 * r.NormFloat64()
	w, h := int(2*a)+1, int(2*b)+1
	all := make([]finger.Minutia, 0, n)
	sin, cos := math.Sincos(turn)
	for tries := 0; len(all) < n && tries < 40*n; tries++ {
		x, y := (2*r.Float64()-1)*a, (2*r.Float64()-1)*b
		if x*x/(a*a)+y*y/(b*b) > 1 || c.crowded(all, x+a, y+b) {
			continue
		}
		// Endings and bifurcations of one ridge system point one way or the
		// other; neighbours mostly the same.
		angle := f.at(cos*(x+ox)+sin*(y+oy), cos*(y+oy)-sin*(x+ox)) + turn + 0.12*r.NormFloat64()
		if sense(r, all, x+a, y+b, angle) {
			angle += math.Pi
		}
		angle = math.Mod(angle, 2*math.Pi)
		if angle < 0 {
			angle += 2 * math.Pi
		}
		all = append(all, finger.Minutia{
			X: float32(x + a), Y: float32(y + b), Angle: float32(angle),
			Kind: finger.Kind(1 + r.IntN(2)), Quality: uint8(30 + r.IntN(70)),
		})
	}
	return finger.NewTemplate(w, h, all)
}

// mirrored makes another finger of a print: mirrored, stretched, bent by
// waves of some 100 pixels, a seventh of the minutiae lost and as many put in.
func mirrored(r *rand.Rand, t *finger.Template) *finger.Template {
	type wave struct{ kx, ky, phase, ax, ay float64 }
	var waves [4]wave
	for i := range waves {
		waves[i] = wave{r.NormFloat64() / 30, r.NormFloat64() / 30, 2 * math.Pi * r.Float64(), 5 * r.NormFloat64(), 5 * r.NormFloat64()}
	}
	sx, sy := 1+0.05*r.NormFloat64(), 1+0.05*r.NormFloat64()
	bend := func(x, y float64) (float64, float64) {
		u, v := sx*(float64(t.Width)-x), sy*y
		for _, w := range waves {
			s := math.Sin(w.kx*x + w.ky*y + w.phase)
			u, v = u+w.ax*s, v+w.ay*s
		}
		return u, v
	}
	all := make([]finger.Minutia, 0, len(t.Minutiae))
	put := func(x, y, angle float64, like finger.Minutia) {
		u, v := bend(x, y)
		du, dv := bend(x+2*math.Cos(angle), y+2*math.Sin(angle))
		like.X, like.Y = float32(max(0, u)), float32(max(0, v))
		like.Angle = float32(math.Mod(math.Atan2(dv-v, du-u)+2*math.Pi, 2*math.Pi))
		all = append(all, like)
	}
	for _, m := range t.Minutiae {
		if r.Float64() < 0.85 {
			put(float64(m.X), float64(m.Y), float64(m.Angle), m)
			continue
		}
		// Another between two that are there, along the ridges of one.
		o := t.Minutiae[r.IntN(len(t.Minutiae))]
		put(float64(m.X+o.X)/2, float64(m.Y+o.Y)/2, float64(m.Angle)+math.Pi*float64(r.IntN(2))+0.3*r.NormFloat64(), m)
	}
	return finger.NewTemplate(t.Width, t.Height, all)
}

func (c *Crowd) crowded(all []finger.Minutia, x, y float64) bool {
	for _, m := range all {
		dx, dy := float64(m.X)-x, float64(m.Y)-y
		if dx*dx+dy*dy < c.Apart*c.Apart {
			return true
		}
	}
	return false
}

// sense tells whether a minutia points against angle: mostly as its nearest
// neighbour does.
func sense(r *rand.Rand, all []finger.Minutia, x, y, angle float64) bool {
	best, near := math.Inf(1), -1
	for i, m := range all {
		if d := math.Hypot(float64(m.X)-x, float64(m.Y)-y); d < best {
			best, near = d, i
		}
	}
	against := r.IntN(2) == 0
	if near >= 0 && r.Float64() < 0.4 {
		against = math.Cos(float64(all[near].Angle)-angle) < 0
	}
	return against
}
