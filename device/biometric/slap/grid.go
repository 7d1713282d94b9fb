package slap

import (
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/finger"
)

// Pictures are looked at in cells of 4x4 pixels at 250 dpi.
const (
	cellSide = 4
	cellMM   = 25.4 / 250 * cellSide // 0.4064 mm
)

// grid is a picture reduced to cells.
type grid struct {
	w, h   int
	scale  float64   // pixels of the picture a cell
	energy []float32 // slope of grey levels without thin lines and specks
	coh    []float32 // 0 no direction to 1 one direction
	c2, s2 []float32 // ridge direction, doubled angle
	mask   []bool
	top    float32 // energy of a clear print
}

// newGrid reduces the picture. What lies right of and below the last whole cell is
// left out, less than half a millimetre.
func newGrid(m *finger.Image) *grid {
	pix, w, h := quarter(m)
	g := &grid{w: w / cellSide, h: h / cellSide, scale: m.DPI / 250 * cellSide}
	n := g.w * g.h
	xx, yy, xy := make([]float32, n), make([]float32, n), make([]float32, n)
	for y := 1; y < g.h*cellSide-1; y++ {
		up, row, low := pix[(y-1)*w:][:w], pix[y*w:][:w], pix[(y+1)*w:][:w]
		at := y / cellSide * g.w
		for x := 1; x < g.w*cellSide-1; x++ {
			dx, dy := row[x+1]-row[x-1], low[x]-up[x]
			i := at + x/cellSide
			xx[i] += dx * dx
			yy[i] += dy * dy
			xy[i] += dx * dy
		}
	}
	tmp := make([]float32, n)
	g.energy = make([]float32, n)
	for i := range n {
		g.energy[i] = float32(math.Sqrt(float64(xx[i]+yy[i]))) / (2 * cellSide)
	}
	median5(g.energy, tmp, g.w, g.h)
	smooth3(g.energy, tmp, g.w, g.h)
	for _, p := range [][]float32{xx, yy, xy} {
		for range 2 {
			smooth3(p, tmp, g.w, g.h)
		}
	}
	g.coh = make([]float32, n)
	g.c2, g.s2 = make([]float32, n), make([]float32, n)
	for i := range n {
		e := xx[i] + yy[i]
		if e < 1e-3 {
			continue
		}
		// The slope's direction, doubled; the ridge lies across it.
		a, b := xx[i]-yy[i], 2*xy[i]
		l := float32(math.Sqrt(float64(a*a + b*b)))
		g.coh[i] = l / e
		if l > 0 {
			g.c2[i], g.s2[i] = -a/l, -b/l
		}
	}
	return g
}

// quarter brings the picture to 250 dpi by averaging.
func quarter(m *finger.Image) (pix []float32, w, h int) {
	step := m.DPI / 250
	w, h = int(float64(m.Width)/step), int(float64(m.Height)/step)
	pix = make([]float32, w*h)
	if step == 2 {
		for y := range h {
			a, b := m.Pix[2*y*m.Width:][:m.Width], m.Pix[(2*y+1)*m.Width:][:m.Width]
			out := pix[y*w:][:w]
			for x := range out {
				out[x] = float32(int(a[2*x])+int(a[2*x+1])+int(b[2*x])+int(b[2*x+1])) / 4
			}
		}
		return pix, w, h
	}
	for y := range h {
		y0 := int(float64(y) * step)
		y1 := min(max(y0+1, int(float64(y+1)*step)), m.Height)
		for x := range w {
			x0 := int(float64(x) * step)
			x1 := min(max(x0+1, int(float64(x+1)*step)), m.Width)
			s := 0
			for v := y0; v < y1; v++ {
				for _, p := range m.Pix[v*m.Width+x0 : v*m.Width+x1] {
					s += int(p)
				}
			}
			pix[y*w+x] = float32(s) / float32((y1-y0)*(x1-x0))
		}
	}
	return pix, w, h
}

// smooth3 takes the weighted mean of each cell and its neighbours, 1-2-1 each way.
func smooth3(p, tmp []float32, w, h int) {
	for y := range h {
		row, out := p[y*w:][:w], tmp[y*w:][:w]
		for x := range row {
			out[x] = (row[max(x-1, 0)] + 2*row[x] + row[min(x+1, w-1)]) / 4
		}
	}
	for y := range h {
		a, b, c := tmp[max(y-1, 0)*w:][:w], tmp[y*w:][:w], tmp[min(y+1, h-1)*w:][:w]
		out := p[y*w:][:w]
		for x := range out {
			out[x] = (a[x] + 2*b[x] + c[x]) / 4
		}
	}
}

// median5 takes the median of five cells along rows, then along columns: lines and
// specks up to two cells wide go, edges of prints stay where they are.
func median5(p, tmp []float32, w, h int) {
	for y := range h {
		row, out := p[y*w:][:w], tmp[y*w:][:w]
		for x := range row {
			out[x] = middle5(row[max(x-2, 0)], row[max(x-1, 0)], row[x], row[min(x+1, w-1)], row[min(x+2, w-1)])
		}
	}
	row := func(y int) []float32 { return tmp[min(max(y, 0), h-1)*w:][:w] }
	for y := range h {
		a, b, c, d, e := row(y-2), row(y-1), row(y), row(y+1), row(y+2)
		out := p[y*w:][:w]
		for x := range out {
			out[x] = middle5(a[x], b[x], c[x], d[x], e[x])
		}
	}
}

func middle5(a, b, c, d, e float32) float32 {
	// The least and the greatest of four cannot be the middle of five.
	lo := max(min(a, b), min(c, d))
	hi := min(max(a, b), max(c, d))
	return max(min(lo, hi), min(max(lo, hi), e))
}

// What makes a cell print: so much of the slope of a clear one, the more of it the
// less it has one direction; never less than noise has.
const (
	leastShare  = 0.14
	leastEnergy = 2.5
	leastRidge  = 0.12
)

// foreground marks the cells that prints touch: ridges, but no lines, specks, old
// prints and holes.
func (g *grid) foreground() {
	sorted := slices.Clone(g.energy)
	slices.Sort(sorted)
	g.top = sorted[len(sorted)*97/100]
	g.mask = make([]bool, len(g.energy))
	for i, e := range g.energy {
		share := min(1, e/g.top)
		g.mask[i] = e > leastEnergy && share > leastShare && share*(0.3+g.coh[i]) > leastRidge
	}
	g.grow(1.5)
	g.shrink(1.5 + 2.2) // what is thinner than 4 cells goes
	g.grow(2.2)
	g.fill(60)
}

// grow adds what lies within r cells of the foreground, shrink takes away what lies
// within r cells of the ground.
func (g *grid) grow(r float64) {
	d := distance(g.mask, true, g.w, g.h)
	for i := range g.mask {
		g.mask[i] = float64(d[i]) <= r
	}
}

func (g *grid) shrink(r float64) {
	d := distance(g.mask, false, g.w, g.h)
	for i := range g.mask {
		g.mask[i] = float64(d[i]) > r
	}
}

// distance of each cell to the nearest that is of the kind, in cells, by chamfer
// with steps of 1 and 1.4.
func distance(mask []bool, kind bool, w, h int) []float32 {
	d := make([]float32, len(mask))
	for i, m := range mask {
		if m != kind {
			d[i] = 1e6
		}
	}
	low := func(i, j int, step float32) {
		if v := d[j] + step; v < d[i] {
			d[i] = v
		}
	}
	for y := range h {
		for x := range w {
			i := y*w + x
			if x > 0 {
				low(i, i-1, 1)
			}
			if y > 0 {
				low(i, i-w, 1)
				if x > 0 {
					low(i, i-w-1, 1.4)
				}
				if x < w-1 {
					low(i, i-w+1, 1.4)
				}
			}
		}
	}
	for y := h - 1; y >= 0; y-- {
		for x := w - 1; x >= 0; x-- {
			i := y*w + x
			if x < w-1 {
				low(i, i+1, 1)
			}
			if y < h-1 {
				low(i, i+w, 1)
				if x < w-1 {
					low(i, i+w+1, 1.4)
				}
				if x > 0 {
					low(i, i+w-1, 1.4)
				}
			}
		}
	}
	return d
}

// fill closes holes of at most n cells.
func (g *grid) fill(n int) {
	ground := make([]int, 0, len(g.mask))
	for i, m := range g.mask {
		if !m {
			ground = append(ground, i)
		}
	}
	for _, hole := range connected(ground, g.w, g.h) {
		edge := len(hole) > n
		for _, i := range hole {
			x, y := i%g.w, i/g.w
			edge = edge || x == 0 || y == 0 || x == g.w-1 || y == g.h-1
		}
		if !edge {
			for _, i := range hole {
				g.mask[i] = true
			}
		}
	}
}

// connected parts cells into heaps that hang together by their sides, in the order
// of their first cell.
func connected(cells []int, w, h int) [][]int {
	in := make([]bool, w*h)
	for _, i := range cells {
		in[i] = true
	}
	var heaps [][]int
	for _, start := range cells {
		if !in[start] {
			continue
		}
		in[start] = false
		heap := []int{start}
		for k := 0; k < len(heap); k++ {
			i := heap[k]
			x, y := i%w, i/w
			for _, j := range [4]int{i - 1, i + 1, i - w, i + w} {
				if j < 0 || j >= len(in) || !in[j] || (j == i-1 && x == 0) || (j == i+1 && x == w-1) || (j == i-w && y == 0) || (j == i+w && y == h-1) {
					continue
				}
				in[j] = false
				heap = append(heap, j)
			}
		}
		heaps = append(heaps, heap)
	}
	return heaps
}
