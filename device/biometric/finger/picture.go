package finger

import (
	"image"
	"image/color"
	"math"
)

// Pair is two minutiae that a comparison laid on each other, as indexes.
type Pair struct{ A, B int }

// Match is Score, with the pairs of minutiae that it stands on.
func (m *Matcher) Match(a, b *Template) (score float64, pairs []Pair) {
	score = m.Score(a, b)
	if m.best == nil {
		return score, nil
	}
	t := m.best
	if m.bestSet != 0 {
		t = &m.try // the first set's minutiae on the second's alignment
	}
	for _, k := range t.matches {
		pairs = append(pairs, Pair{int(k.a), int(k.b)})
	}
	return score, pairs
}

// Colours of the drawing: chosen to be told apart without red and green.
var (
	colourAlone = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	colourPair  = color.RGBA{0x00, 0x72, 0xb2, 0xff}
)

// Draw shows two prints beside each other, their minutiae, and a line between
// the two of each pair. Paired minutiae are blue and round, the others orange
// and square. The images are drawn as they are; templates are scaled to them.
func Draw(a, b *Image, ta, tb *Template, pairs []Pair) *image.RGBA {
	const gap = 16
	out := image.NewRGBA(image.Rect(0, 0, a.Width+gap+b.Width, max(a.Height, b.Height)))
	for i := range out.Pix {
		out.Pix[i] = 0xff
	}
	paste(out, a, 0)
	paste(out, b, a.Width+gap)
	pairedA, pairedB := make(map[int]bool), make(map[int]bool)
	sa, sb := float32(a.DPI/DPI), float32(b.DPI/DPI)
	for _, p := range pairs {
		pairedA[p.A], pairedB[p.B] = true, true
		ma, mb := &ta.Minutiae[p.A], &tb.Minutiae[p.B]
		segment(out, ma.X*sa, ma.Y*sa, mb.X*sb+float32(a.Width+gap), mb.Y*sb, colourPair, 3)
	}
	mark(out, ta, sa, 0, pairedA)
	mark(out, tb, sb, float32(a.Width+gap), pairedB)
	return out
}

func paste(out *image.RGBA, m *Image, left int) {
	for y := range m.Height {
		for x := range m.Width {
			// Paler than the print, so that the marks stand out.
			v := 96 + uint8(int(m.Pix[y*m.Width+x])*159/255)
			out.SetRGBA(left+x, y, color.RGBA{v, v, v, 0xff})
		}
	}
}

func mark(out *image.RGBA, t *Template, scale, left float32, paired map[int]bool) {
	for i := range t.Minutiae {
		m := &t.Minutiae[i]
		x, y := m.X*scale+left, m.Y*scale
		c := colourAlone
		if paired[i] {
			c = colourPair
			for k := range 16 {
				s, co := math.Sincos(float64(k) * math.Pi / 8)
				dot(out, x+4*float32(co), y+4*float32(s), c)
			}
		} else {
			for d := float32(-3); d <= 3; d++ {
				dot(out, x+d, y-3, c)
				dot(out, x+d, y+3, c)
				dot(out, x-3, y+d, c)
				dot(out, x+3, y+d, c)
			}
		}
		s, co := math.Sincos(float64(m.Angle))
		segment(out, x, y, x+10*float32(co), y+10*float32(s), c, 1)
	}
}

// segment draws a line, of every step-th pixel.
func segment(out *image.RGBA, x0, y0, x1, y1 float32, c color.RGBA, step float32) {
	dx, dy := x1-x0, y1-y0
	n := max(dx, -dx, dy, -dy, 1)
	for k := float32(0); k <= n; k += step {
		dot(out, x0+dx*k/n, y0+dy*k/n, c)
	}
}

func dot(out *image.RGBA, x, y float32, c color.RGBA) {
	out.SetRGBA(int(x+0.5), int(y+0.5), c) // outside the picture it does nothing
}
