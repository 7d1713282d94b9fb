package finger

import (
	"math/rand/v2"
)

// degrade makes a poorer print of an image: dry, wet, noisy, blotched or a
// small part of it, as other sensors and fingers give them.
func degrade(m Image, seed uint64) Image {
	r := rand.New(rand.NewPCG(seed, 7))
	out := Image{Pix: append([]byte(nil), m.Pix...), Width: m.Width, Height: m.Height, DPI: m.DPI}
	switch r.IntN(6) {
	case 0:
		out.dry(r)
	case 1:
		out.wet(r)
	case 2:
		out.noisy(r)
	case 3:
		out.blotched(r)
	case 4:
		return out.part(r, 230)
	case 5:
		out.dry(r)
		return out.part(r, 270)
	}
	return out
}

func (m *Image) rank(light bool) {
	old := append([]byte(nil), m.Pix...)
	for y := 1; y < m.Height-1; y++ {
		for x := 1; x < m.Width-1; x++ {
			v := old[y*m.Width+x]
			for _, d := range [4]int{1, -1, m.Width, -m.Width} {
				if o := old[y*m.Width+x+d]; (o > v) == light {
					v = o
				}
			}
			m.Pix[y*m.Width+x] = v
		}
	}
}

func clip(v float64) byte { return byte(min(255, max(0, v))) }

func (m *Image) noisy(r *rand.Rand) {
	for i, v := range m.Pix {
		m.Pix[i] = clip(128 + (float64(v)-128)*0.6 + 45*r.NormFloat64())
	}
}

// cloud is smooth noise, about -1 to 1, with features of size pixels.
func cloud(r *rand.Rand, w, h, size int) []float64 {
	gw, gh := w/size+2, h/size+2
	g := make([]float64, gw*gh)
	for i := range g {
		g[i] = r.NormFloat64()
	}
	out := make([]float64, w*h)
	for y := range h {
		for x := range w {
			fx, fy := float64(x)/float64(size), float64(y)/float64(size)
			i, j := int(fx), int(fy)
			fx, fy = fx-float64(i), fy-float64(j)
			k := j*gw + i
			out[y*w+x] = (1-fy)*((1-fx)*g[k]+fx*g[k+1]) + fy*((1-fx)*g[k+gw]+fx*g[k+gw+1])
		}
	}
	return out
}

// dry breaks the ridges and lightens them.
func (m *Image) dry(r *rand.Rand) {
	m.rank(true)
	fine, coarse := cloud(r, m.Width, m.Height, 4), cloud(r, m.Width, m.Height, 30)
	for i, v := range m.Pix {
		if fine[i]+0.7*coarse[i] > 0.6 {
			m.Pix[i] = clip(float64(v) + 130)
		}
	}
}

// wet fills the valleys.
func (m *Image) wet(r *rand.Rand) {
	m.rank(false)
	coarse := cloud(r, m.Width, m.Height, 40)
	old := append([]byte(nil), m.Pix...)
	more := Image{Pix: old, Width: m.Width, Height: m.Height}
	more.rank(false)
	for i := range m.Pix {
		if coarse[i] > 0 {
			m.Pix[i] = more.Pix[i]
		}
	}
}

// blotched takes the contrast away in places.
func (m *Image) blotched(r *rand.Rand) {
	coarse := cloud(r, m.Width, m.Height, 35)
	for i, v := range m.Pix {
		k := min(1, max(0.08, 0.8-1.2*coarse[i]))
		m.Pix[i] = clip(160 + (float64(v)-160)*k + 12*r.NormFloat64())
	}
}

// part cuts out a square near the middle of the dark.
func (m *Image) part(r *rand.Rand, side int) Image {
	var sx, sy, n float64
	for y := range m.Height {
		for x := range m.Width {
			d := 255 - float64(m.Pix[y*m.Width+x])
			sx, sy, n = sx+d*float64(x), sy+d*float64(y), n+d
		}
	}
	w, h := min(side, m.Width), min(side, m.Height)
	x0 := min(max(int(sx/n)-w/2+r.IntN(61)-30, 0), m.Width-w)
	y0 := min(max(int(sy/n)-h/2+r.IntN(61)-30, 0), m.Height-h)
	out := Image{Width: w, Height: h, DPI: m.DPI}
	for y := range h {
		out.Pix = append(out.Pix, m.Pix[(y0+y)*m.Width+x0:][:w]...)
	}
	return out
}
