package finger

import "math"

// relief is the filtered image at half resolution, limited to its sign and a
// little of its height, zero in the background.
type relief struct {
	w, h int
	pix  []int8
}

const reliefStep = 2

// relief copies the filtered image into the template.
func (t *Template) copyRelief(e *Extractor) {
	r := &t.relief
	r.w, r.h = e.w/reliefStep, e.h/reliefStep
	r.pix = make([]int8, r.w*r.h)
	for y := range r.h {
		for x := range r.w {
			if !e.inside(x*reliefStep, y*reliefStep) {
				continue
			}
			i := e.at(x*reliefStep, y*reliefStep)
			v := e.enh[i] + e.enh[i+1] + e.enh[i+e.stride] + e.enh[i+e.stride+1]
			r.pix[y*r.w+x] = int8(min(60, max(-60, 60*v)))
		}
	}
}

// shifts across the ridges at which a patch is tried, in pixels.
var shifts = [5]float32{0, -2, 2, -4, 4}

// correlate lays the relief of a on that of b, patch by patch along the
// alignment and its distortion, and returns the mean correlation as aligned,
// the mean of the best of small shifts across the ridges, and the share of
// patches that then agree well.
func (t *alignment) correlate(a, b *Template) (still, best, good float64) {
	turn := t.angle
	_ = turn
	n := 0
	const side = mapStep / reliefStep
	stepX, stepY := t.cos, t.sin
	for y := range a.ridges.h {
		for x := range a.ridges.w {
			if a.ridges.state[y*a.ridges.w+x] == 0 {
				continue
			}
			cx, cy := float32(x*mapStep+block), float32(y*mapStep+block)
			bx, by := t.place(cx, cy)
			if b.ridges.index(bx, by) < 0 {
				continue
			}
			dx, dy := t.drift(a, cx, cy, -1)
			bx, by = bx+dx, by+dy
			k := b.ridges.index(bx, by)
			if k < 0 {
				continue
			}
			// Across the ridges of b.
			ang := float64(b.ridges.angle[k]) * (math.Pi / 256)
			s64, c64 := math.Sincos(ang)
			nx, ny := float32(-s64), float32(c64)
			top, zero := float32(-1), float32(0)
			for si, sh := range shifts {
				ox, oy := (bx+sh*nx)/reliefStep, (by+sh*ny)/reliefStep
				var ab, aa, bb int
				for v := range side {
					ay := y*side + v
					if ay >= a.relief.h {
						break
					}
					fv := float32(v) - (side-1)/2.0
					px := ox - stepX*((side-1)/2.0) - stepY*fv
					py := oy - stepY*((side-1)/2.0) + stepX*fv
					row := a.relief.pix[ay*a.relief.w:][:a.relief.w]
					for u := range side {
						ax := x*side + u
						if ax >= len(row) {
							break
						}
						ix, iy := int(px+0.5), int(py+0.5)
						px += stepX
						py += stepY
						if ix < 0 || iy < 0 || ix >= b.relief.w || iy >= b.relief.h {
							continue
						}
						p, q := int(row[ax]), int(b.relief.pix[iy*b.relief.w+ix])
						ab += p * q
						aa += p * p
						bb += q * q
					}
				}
				if aa == 0 || bb == 0 {
					continue
				}
				c := float32(ab) / sqrt32(float32(aa)*float32(bb))
				if si == 0 {
					zero = c
				}
				top = max(top, c)
			}
			if top < -0.5 {
				continue
			}
			n++
			still += float64(zero)
			best += float64(top)
			if top > 0.6 {
				good++
			}
		}
	}
	if n == 0 {
		return 0, 0, 0
	}
	f := float64(n)
	return still / f, best / f, good / f
}
