package slaps

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"
)

// Compose lays prints on the platen. The same prints, layout and seed give the
// same picture. prints holds at least four.
func Compose(prints []*Print, l Layout, seed uint64) (*image.Gray, Truth) {
	rng := rand.New(rand.NewPCG(seed, 0x736c6170))
	picks := rng.Perm(len(prints))[:4]
	if l.Ordered {
		picks = []int{0, 1, 2, 3}
	}
	if l.TipsOnly {
		prints = slices.Clone(prints)
		for _, i := range picks {
			prints[i] = prints[i].cut(0.55 + 0.15*rng.Float64())
		}
	}
	hand, boxes := l.fit(rng, prints, picks)
	c := canvas{darkness: make([]float64, Width*Height)}
	t := Truth{Code: l.Code, Hand: Hand(l.Code), Rotation: l.Rotation, DPI: DPI,
		Overlap: l.Gap < 0.3, Joints: l.Joints, TipsOnly: l.TipsOnly, Missing: []int{}}
	if l.Missing != 0 {
		t.Missing = append(t.Missing, l.Missing)
	}
	for i, p := range hand {
		c.press(rng, prints[p.print], &hand[i], boxes[i])
		t.Fingers = append(t.Fingers, Finger{p.position, boxes[i], p.print})
	}
	c.soil(rng, l.Dirt, boxes, prints[picks[0]])
	return c.picture(rng), t
}

// fit arranges the hand so that all of it lies on the platen, narrower where it
// must be.
func (l Layout) fit(rng *rand.Rand, prints []*Print, picks []int) ([]placed, []Box) {
	seed := rng.Uint64()
	for squeeze := 1.0; ; squeeze *= 0.96 {
		hand := l.arrange(rand.New(rand.NewPCG(seed, 1)), prints, picks, squeeze)
		boxes := make([]Box, len(hand))
		x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
		for i, p := range hand {
			boxes[i] = p.box(prints[p.print], l.Rotation, 0, 0)
			for _, c := range boxes[i].Corners() {
				x0, y0, x1, y1 = min(x0, c[0]), min(y0, c[1]), max(x1, c[0]), max(y1, c[1])
			}
		}
		freeX, freeY := Width-24-(x1-x0), Height-24-(y1-y0)
		if (freeX < 0 || freeY < 0) && squeeze > 0.7 {
			continue
		}
		// Rounded corners may lie off the platen where nothing else helps.
		shiftX := 12 - x0 + max(freeX, 0)*rng.Float64() + min(freeX, 0)/2
		shiftY := 12 - y0 + max(freeY, 0)*rng.Float64()*0.7 + min(freeY, 0)/2
		for i := range boxes {
			boxes[i].X += shiftX
			boxes[i].Y += shiftY
		}
		return hand, boxes
	}
}

// canvas gathers how dark the platen is, 0 to 1.
type canvas struct{ darkness []float64 }

func (c *canvas) add(x, y int, v float64) {
	if i := y*Width + x; v > c.darkness[i] {
		c.darkness[i] = v
	}
}

// press puts a finger down.
func (c *canvas) press(rng *rand.Rand, src *Print, p *placed, b Box) {
	sin, cos := math.Sincos(b.Angle * math.Pi / 180)
	margin := 40.0
	r := math.Hypot(b.Width/2+margin, b.Height/2+margin+p.joint+p.reach)
	phase, bend := 2*math.Pi*rng.Float64(), 0.02*rng.NormFloat64()
	midX, midY := (src.x0+src.x1)/2, (src.y0+src.y1)/2
	for y := max(0, int(b.Y-r)); y < min(Height, int(b.Y+r)); y++ {
		for x := max(0, int(b.X-r)); x < min(Width, int(b.X+r)); x++ {
			dx, dy := float64(x)-b.X, float64(y)-b.Y
			u, v := cos*dx+sin*dy, -sin*dx+cos*dy
			if d := src.at(midX+u/p.scale, midY+v/p.scale); d > 0.02 && v < b.Height/2+p.joint/2 {
				c.add(x, y, d*p.ink)
			}
			if below := v - b.Height/2 - p.joint; p.reach > 0 && below > 0 && below < p.reach {
				edge := min(below, p.reach-below, b.Width*0.46-math.Abs(u))
				if edge > 0 {
					wave := math.Sin(2*math.Pi*(v+bend*u+5*math.Sin(u/60+phase))/10 + phase)
					c.add(x, y, p.ink*min(1, edge/12)*0.75/(1+math.Exp(-4*wave)))
				}
			}
		}
	}
}

// soil adds what lies on a platen beside fingers.
func (c *canvas) soil(rng *rand.Rand, dirt float64, boxes []Box, old *Print) {
	for range int(60 * dirt) {
		x, y, r := rng.IntN(Width), rng.IntN(Height), 1+4*rng.Float64()
		v := 0.3 + 0.5*rng.Float64()
		for j := max(0, y-5); j < min(Height, y+6); j++ {
			for i := max(0, x-5); i < min(Width, x+6); i++ {
				if math.Hypot(float64(i-x), float64(j-y)) < r {
					c.add(i, j, v)
				}
			}
		}
	}
	if dirt > 0.5 { // what the hand before left
		ox, oy := rng.Float64()*(Width-400), rng.Float64()*(Height-400)
		for y := range old.h {
			for x := range old.w {
				if px, py := int(ox)+x, int(oy)+y; px < Width && py < Height {
					c.add(px, py, 0.12*dirt*float64(old.ink[y*old.w+x])/255)
				}
			}
		}
	}
	if dirt < 0.2 {
		return
	}
	for i := range c.darkness { // moist air about the fingers
		x, y := float64(i%Width), float64(i/Width)
		halo := 0.0
		for _, b := range boxes {
			dx, dy := (x-b.X)/b.Width, (y-b.Y)/b.Height
			if d2 := dx*dx + dy*dy; d2 < 2 {
				halo = max(halo, 0.16*dirt*math.Exp(-3*d2))
			}
		}
		c.darkness[i] = max(c.darkness[i], halo)
	}
}

// picture makes grey levels of the darkness.
func (c *canvas) picture(rng *rand.Rand) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, Width, Height))
	ground := 225 + 25*rng.Float64()
	for i, d := range c.darkness {
		g.Pix[i] = uint8(min(max(ground*(1-0.95*d)+2*rng.NormFloat64(), 0), 255))
	}
	return g
}
