package slaps

import (
	"image"
	"math"
	"slices"

	"golang.org/x/image/draw"
)

// Print is the print of one finger, cleared of its ground. It is not changed
// once made.
type Print struct {
	w, h           int
	ink            []uint8 // 0 ground to 255
	x0, y0, x1, y1 float64 // the contact, pixels
}

// NewPrint takes the picture of a single finger, dark ridges on a light ground,
// at any resolution.
func NewPrint(src *image.Gray, dpi float64) *Print {
	w := int(math.Round(float64(src.Rect.Dx()) * DPI / dpi))
	h := int(math.Round(float64(src.Rect.Dy()) * DPI / dpi))
	g := image.NewGray(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(g, g.Rect, src, src.Rect, draw.Src, nil)
	p := &Print{w: w, h: h, ink: make([]uint8, w*h)}
	levels := slices.Clone(g.Pix)
	slices.Sort(levels)
	ground := max(int(levels[len(levels)*95/100]), 1)
	for i, v := range g.Pix {
		p.ink[i] = uint8(max(0, ground-int(v)) * 255 / ground)
	}
	p.contact()
	return p
}

func (p *Print) width() float64  { return p.x1 - p.x0 }
func (p *Print) height() float64 { return p.y1 - p.y0 }

const patch = 12 // side of the squares that contact is decided by

// contact finds the rectangle about the print: squares whose grey levels differ
// at least 0.3 times as much as those of the liveliest, the largest heap of them
// after lone ones were dropped.
func (p *Print) contact() {
	bw, bh := p.w/patch, p.h/patch
	dev := make([]float64, bw*bh)
	for by := range bh {
		for bx := range bw {
			var s, q float64
			for y := by * patch; y < (by+1)*patch; y++ {
				for _, v := range p.ink[y*p.w+bx*patch:][:patch] {
					s += float64(v)
					q += float64(v) * float64(v)
				}
			}
			n := float64(patch * patch)
			dev[by*bw+bx] = math.Sqrt(max(0, q/n-s*s/n/n))
		}
	}
	sorted := slices.Clone(dev)
	slices.Sort(sorted)
	least := 0.3 * sorted[len(sorted)*9/10]
	on := make([]bool, len(dev))
	for i, v := range dev {
		on[i] = v > least
	}
	opened := make([]bool, len(dev))
	for y := range bh {
		for x := range bw {
			n := 0
			for v := max(0, y-1); v <= min(bh-1, y+1); v++ {
				for u := max(0, x-1); u <= min(bw-1, x+1); u++ {
					if on[v*bw+u] {
						n++
					}
				}
			}
			opened[y*bw+x] = on[y*bw+x] && n >= 5
		}
	}
	p.largest(opened, bw, bh)
}

// largest sets the contact to the bounds of the largest connected heap.
func (p *Print) largest(on []bool, bw, bh int) {
	best := 0
	var stack []int
	for start := range on {
		if !on[start] {
			continue
		}
		on[start] = false
		stack = append(stack[:0], start)
		n, x0, y0, x1, y1 := 0, bw, bh, 0, 0
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			x, y := i%bw, i/bw
			n++
			x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x+1), max(y1, y+1)
			for _, d := range [4][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
				u, v := x+d[0], y+d[1]
				if u >= 0 && v >= 0 && u < bw && v < bh && on[v*bw+u] {
					on[v*bw+u] = false
					stack = append(stack, v*bw+u)
				}
			}
		}
		if n > best {
			best = n
			p.x0, p.y0, p.x1, p.y1 = float64(x0*patch), float64(y0*patch), float64(x1*patch), float64(y1*patch)
		}
	}
}

// cut keeps the upper part of the contact only, rounded below.
func (p *Print) cut(part float64) *Print {
	c := *p
	c.ink = slices.Clone(p.ink)
	c.y1 = p.y0 + part*(p.y1-p.y0)
	mid, rx := (p.x0+p.x1)/2, (p.x1-p.x0)/2
	for x := range c.w {
		d := (float64(x) - mid) / rx
		low := c.y1 - 0.25*rx*d*d
		for y := max(0, int(low)); y < c.h; y++ {
			c.ink[y*c.w+x] = 0
		}
	}
	return &c
}

// at samples between pixels, 0 to 1; there is no ink off the print.
func (p *Print) at(x, y float64) float64 {
	ix, iy := int(math.Floor(x)), int(math.Floor(y))
	if ix < 0 || iy < 0 || ix >= p.w-1 || iy >= p.h-1 {
		return 0
	}
	fx, fy := x-float64(ix), y-float64(iy)
	q := p.ink[iy*p.w+ix:]
	top := float64(q[0])*(1-fx) + float64(q[1])*fx
	low := float64(q[p.w])*(1-fx) + float64(q[p.w+1])*fx
	return (top*(1-fy) + low*fy) / 255
}
