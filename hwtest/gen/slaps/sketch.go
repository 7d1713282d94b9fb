package slaps

import (
	"image"
	"math"
	"math/rand/v2"
)

// Sketch is a print drawn in a few milliseconds: arches over a core, no
// minutiae of its own making. It is for tests that look at where a finger lies,
// not whose it is; NewMaster of hwtest/gen/prints grows better ones in seconds.
func Sketch(seed uint64) *image.Gray {
	rng := rand.New(rand.NewPCG(seed, 0x736b65746368))
	const w, h = 340, 440
	g := image.NewGray(image.Rect(0, 0, w, h))
	period := 8.5 + 1.5*rng.Float64()
	core := 20 * rng.NormFloat64()
	side := 12 * rng.NormFloat64()
	p1, p2 := 6*rng.Float64(), 6*rng.Float64()
	for y := range h {
		for x := range w {
			dx, dy := float64(x)-w/2, float64(y)-h/2
			// Circles above the core that flatten towards the joint.
			r := math.Hypot(dx-side, dy-core)
			if low := dy - core; low > 0 {
				r = math.Abs(dx-side)*math.Exp(-low/90) - low
			}
			r += 6*math.Sin(dx/47+p1) + 6*math.Sin(dy/53+p2)
			ink := 1 / (1 + math.Exp(-5*(math.Sin(2*math.Pi*r/period)+0.2+0.5*rng.NormFloat64())))
			edge := 1 - math.Hypot(dx/135, dy/190) + 0.02*math.Sin(dy/17+p1)
			g.Pix[y*w+x] = uint8(min(max(235-ink*170/(1+math.Exp(-40*edge))+3*rng.NormFloat64(), 0), 255))
		}
	}
	return g
}
