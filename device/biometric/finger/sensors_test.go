package finger

import (
	"math"
	"math/rand/v2"

	"github.com/watchpost/watchpost/hwtest/gen/prints"
)

// A sensor makes another sensor's image of a print: what the three sets do not
// have and other sensors and fingers give.
type sensor struct {
	name string
	see  func(m *Image, r *rand.Rand) Image
}

var sensors = []sensor{
	{"skin drawn aside and turned", func(m *Image, r *rand.Rand) Image { return m.bent(r, 1) }},
	{"finger turned by up to 40 degrees", func(m *Image, r *rand.Rand) Image { return m.bent(r, 0).turned(r, 40) }},
	{"capacitive, 250 to 290 pixels square", func(m *Image, r *rand.Rand) Image {
		out := m.part(r, 250+r.IntN(40))
		out.pores(r)
		return out
	}},
	{"thermal sweep", func(m *Image, r *rand.Rand) Image { out := m.bent(r, 0.7); out.swept(r); return out }},
	{"wide optical, latent prints behind", func(m *Image, r *rand.Rand) Image { return m.bent(r, 0.5).wide(r) }},
	{"dry or wet, drawn aside", func(m *Image, r *rand.Rand) Image {
		out := m.bent(r, 0.7)
		if r.IntN(2) == 0 {
			out.dry(r)
		} else {
			out.wet(r)
		}
		return out
	}},
	{"faint: twenty grey levels", func(m *Image, r *rand.Rand) Image { return m.faint(r) }},
	{"half the resolution", func(m *Image, r *rand.Rand) Image { return m.coarse() }},
}

func (m *Image) ground() float64 {
	var count [256]int
	for _, v := range m.Pix {
		count[v]++
	}
	n := 0
	for v := 255; v >= 0; v-- {
		if n += count[v]; n > len(m.Pix)/10 {
			return float64(v)
		}
	}
	return 255
}

// read interpolates; off the image is its ground.
func (m *Image) read(x, y, ground float64) float64 {
	ix, iy := int(math.Floor(x)), int(math.Floor(y))
	if ix < 0 || iy < 0 || ix >= m.Width-1 || iy >= m.Height-1 {
		return ground
	}
	fx, fy := x-float64(ix), y-float64(iy)
	p := m.Pix[iy*m.Width+ix:]
	return (1-fy)*((1-fx)*float64(p[0])+fx*float64(p[1])) + fy*((1-fx)*float64(p[m.Width])+fx*float64(p[m.Width+1]))
}

// middle of the dark.
func (m *Image) middle() (x, y float64) {
	var n float64
	g := m.ground()
	for v := range m.Height {
		for u := range m.Width {
			d := max(0, g-20-float64(m.Pix[v*m.Width+u]))
			x, y, n = x+d*float64(u), y+d*float64(v), n+d
		}
	}
	return x / max(1, n), y / max(1, n)
}

func (m *Image) mapped(w, h int, from func(x, y float64) (float64, float64)) Image {
	g := m.ground()
	out := Image{Width: w, Height: h, DPI: m.DPI, Pix: make([]byte, w*h)}
	for y := range h {
		for x := range w {
			u, v := from(float64(x), float64(y))
			out.Pix[y*w+x] = clip(m.read(u, v, g) + 0.5)
		}
	}
	return out
}

// bent moves the skin outside a region that is held by pressure: shifted by up
// to 24 pixels, turned by up to 16 degrees, the region between sheared (after
// Cappelli, Maio and Maltoni, "Modelling plastic distortion in fingerprint
// images", ICAPR 2001).
func (m *Image) bent(r *rand.Rand, strength float64) Image {
	cx, cy := m.middle()
	cx, cy = cx+25*r.NormFloat64(), cy+25*r.NormFloat64()
	a, b := 25+30*r.Float64(), 35+35*r.Float64()
	dir := 2 * math.Pi * r.Float64()
	d := strength * 24 * r.Float64()
	dx, dy := d*math.Cos(dir), d*math.Sin(dir)
	turn := strength * 16 * math.Pi / 180 * (2*r.Float64() - 1)
	soft := 1 + r.Float64()
	sin, cos := math.Sincos(turn)
	return m.mapped(m.Width, m.Height, func(x, y float64) (float64, float64) {
		u, v := x-cx, y-cy
		k := math.Hypot(u/a, v/b) - 1 // outside of the held region, in its radii
		w := 0.0
		switch {
		case k >= soft:
			w = 1
		case k > 0:
			w = (1 - math.Cos(math.Pi*k/soft)) / 2
		}
		return x + w*(cos*u-sin*v-u+dx), y + w*(sin*u+cos*v-v+dy)
	})
}

// turned turns the finger about its middle.
func (m Image) turned(r *rand.Rand, most float64) Image {
	cx, cy := m.middle()
	sin, cos := math.Sincos(most * math.Pi / 180 * (2*r.Float64() - 1))
	sx, sy := 15*r.NormFloat64(), 15*r.NormFloat64()
	return m.mapped(m.Width, m.Height, func(x, y float64) (float64, float64) {
		u, v := x-cx-sx, y-cy-sy
		return cx + cos*u - sin*v, cy + sin*u + cos*v
	})
}

// pores makes the grainy image of a capacitive sensor: ridges in beads, dead
// rows, patches that did not touch.
func (m *Image) pores(r *rand.Rand) {
	fine, spot, coarse := cloud(r, m.Width, m.Height, 3), cloud(r, m.Width, m.Height, 9), cloud(r, m.Width, m.Height, 45)
	lost := 0.5 + 0.5*r.Float64()
	for i, v := range m.Pix {
		k := 1.0
		if spot[i]+0.8*coarse[i] > lost {
			k = 0.25
		}
		m.Pix[i] = clip(210 - k*(210-float64(v))*(0.8+0.35*fine[i]) + 14*r.NormFloat64())
	}
	for range r.IntN(3) {
		x := r.IntN(m.Width)
		for y := range m.Height {
			m.Pix[y*m.Width+x] = 30
		}
	}
}

// swept makes the image of a strip over which the finger was drawn: no light
// ground but noise and streaks, rows of uneven gain, slices that do not quite join.
func (m *Image) swept(r *rand.Rand) {
	old := Image{Pix: append([]byte(nil), m.Pix...), Width: m.Width, Height: m.Height}
	g := old.ground()
	coarse := cloud(r, m.Width, m.Height, 25)
	streak := make([]float64, m.Width)
	for x := range streak {
		streak[x] = 8 * r.NormFloat64()
	}
	shift, stretch, at := 0.0, 0.9+0.2*r.Float64(), 0.0
	gain, level := 1.0, 0.0
	base := float64(m.Height) * (1 - stretch) / 2
	for y := range m.Height {
		if y%8 == 0 { // one slice
			shift += 0.5 * r.NormFloat64()
			shift *= 0.95
			at += 0.3 * r.NormFloat64()
			gain, level = 0.8+0.2*r.Float64(), 7*r.NormFloat64()
		}
		for x := range m.Width {
			v := old.read(float64(x)+shift, base+float64(y)*stretch+at, g)
			m.Pix[y*m.Width+x] = clip(150 + 0.55*gain*(v-g+70) + 18*coarse[y*m.Width+x] + streak[x] + level + 9*r.NormFloat64())
		}
	}
}

// wide lays the print somewhere in 640x480 with the faint rest of others and a
// frame's shadow.
func (m Image) wide(r *rand.Rand) Image {
	g := m.ground()
	out := Image{Width: 640, Height: 480, DPI: m.DPI, Pix: make([]byte, 640*480)}
	sx, sy := float64(r.IntN(max(1, 640-m.Width))), float64(r.IntN(max(1, 480-m.Height+1)))
	if m.Height > 480 {
		sy = -float64(m.Height-480) / 2
	}
	lx, ly := 300*(r.Float64()-0.5), 200*(r.Float64()-0.5)
	fade := 0.1 * r.Float64()
	for y := range 480 {
		for x := range 640 {
			v := m.read(float64(x)-sx, float64(y)-sy, g)
			rest := m.read(640-float64(x)-sx-lx, 480-float64(y)-sy-ly, g) // upside down: another finger's rest
			shade := 12 * math.Exp(-float64(min(x, 639-x))/15)
			out.Pix[y*640+x] = clip(235 + (v - g) + fade*(rest-g) - shade + 2*r.NormFloat64())
		}
	}
	return out
}

// faint keeps about twenty grey levels on an uneven ground.
func (m *Image) faint(r *rand.Rand) Image {
	out := Image{Pix: make([]byte, len(m.Pix)), Width: m.Width, Height: m.Height, DPI: m.DPI}
	base, slope := 60+120*r.Float64(), 0.15*(2*r.Float64()-1)
	for i, v := range m.Pix {
		out.Pix[i] = clip(base + slope*float64(i%m.Width) + 0.08*float64(v) + 1.2*r.NormFloat64())
	}
	return out
}

// coarse halves the resolution.
func (m *Image) coarse() Image {
	out := Image{Width: m.Width / 2, Height: m.Height / 2, DPI: m.DPI / 2}
	for y := range out.Height {
		for x := range out.Width {
			p := m.Pix[2*y*m.Width+2*x:]
			out.Pix = append(out.Pix, byte((int(p[0])+int(p[1])+int(p[m.Width])+int(p[m.Width+1])+2)/4))
		}
	}
	return out
}

// invented are prints of masters grown by Gabor filters.
func invented(fingers, each int, hard float64) *impressions {
	s := &impressions{name: "invented", fingers: fingers, each: each}
	all := make([]Image, fingers*each)
	parallel(fingers, func(next func() int) {
		for f := next(); f >= 0; f = next() {
			m := prints.NewMaster(uint64(f) + 1000)
			r := rand.New(rand.NewPCG(uint64(f), 8))
			for i := range each {
				g := m.Impression(prints.Draw(r, hard), uint64(100*f+i))
				all[f*each+i] = Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: prints.DPI}
			}
		}
	})
	s.source = func(i int) (Image, error) { return all[i], nil }
	return s
}

// share is how many of the scores are at least at.
func share(scores []float64, at float64) float64 {
	n := 0
	for _, v := range scores {
		if v >= at {
			n++
		}
	}
	return float64(n) / float64(len(scores))
}
