package finger

import "math"

// field is the ridge orientation of blocks as doubled angles. All slices have
// one element a block.
type field struct {
	bw, bh     int
	xx, xy, en []float32 // gradient tensor: gxx-gyy, 2gxy, gxx+gyy
	cx, cy     []float32 // unit vector of the doubled ridge angle
	coh        []float32 // 0 to 1
	a, b, c, t []float32 // smoothing
}

func (f *field) resize(bw, bh int) {
	f.bw, f.bh = bw, bh
	for _, p := range []*[]float32{&f.xx, &f.xy, &f.en, &f.cx, &f.cy, &f.coh, &f.a, &f.b, &f.c, &f.t} {
		*p = grow(*p, bw*bh)
	}
}

// tensor sums the gradient tensor of a padded plane over the blocks.
func (e *Extractor) tensor(plane []float32) {
	f := &e.field
	clear(f.xx)
	clear(f.xy)
	clear(f.en)
	s := e.stride
	for y := 1; y < e.h-1; y++ {
		row := (y / block) * e.bw
		base := e.at(0, y)
		up, mid, down := plane[base-s:][:e.w], plane[base:][:e.w], plane[base+s:][:e.w]
		for bx := range e.bw {
			var xx, xy, en float32
			for x := max(1, bx*block); x < min(e.w-1, bx*block+block); x++ {
				u, m, d := up[x-1:x+2:x+2], mid[x-1:x+2:x+2], down[x-1:x+2:x+2]
				gx := (u[2] + 2*m[2] + d[2]) - (u[0] + 2*m[0] + d[0])
				gy := (d[0] + 2*d[1] + d[2]) - (u[0] + 2*u[1] + u[2])
				xx += gx * gx
				xy += gx * gy
				en += gy * gy
			}
			f.xx[row+bx] += xx - en
			f.xy[row+bx] += 2 * xy
			f.en[row+bx] += xx + en
		}
	}
}

// gauss smooths a block map with a Gaussian of sigma blocks; outside is zero.
func (f *field) gauss(dst, src []float32, sigma float64) {
	r := int(math.Ceil(2.5 * sigma))
	k := make([]float32, r+1)
	sum := 0.0
	for i := range k {
		v := math.Exp(-float64(i*i) / (2 * sigma * sigma))
		k[i] = float32(v)
		sum += v
		if i > 0 {
			sum += v
		}
	}
	for i := range k {
		k[i] /= float32(sum)
	}
	for y := range f.bh {
		in, out := src[y*f.bw:][:f.bw], f.t[y*f.bw:][:f.bw]
		for x := range out {
			s := k[0] * in[x]
			for d := 1; d <= r; d++ {
				if x >= d {
					s += k[d] * in[x-d]
				}
				if x+d < f.bw {
					s += k[d] * in[x+d]
				}
			}
			out[x] = s
		}
	}
	for y := range f.bh {
		out := dst[y*f.bw:][:f.bw]
		for x := range out {
			s := k[0] * f.t[y*f.bw+x]
			for d := 1; d <= r; d++ {
				if y >= d {
					s += k[d] * f.t[(y-d)*f.bw+x]
				}
				if y+d < f.bh {
					s += k[d] * f.t[(y+d)*f.bw+x]
				}
			}
			out[x] = s
		}
	}
}

// Scales of the orientation field in blocks, and how much each counts where
// its coherence is full. A coarse scale speaks where the finer one is unsure.
var scales = []struct {
	sigma  float64
	weight float32
}{{1.3, 1}, {2.8, 0.5}, {5.5, 0.2}}

// orient sets the field from the tensor, within the foreground.
func (e *Extractor) orient() {
	f := &e.field
	clear(f.cx)
	clear(f.cy)
	for i, in := range e.mask {
		if !in {
			f.xx[i], f.xy[i], f.en[i] = 0, 0, 0
		}
	}
	for k, s := range scales {
		f.gauss(f.a, f.xx, s.sigma)
		f.gauss(f.b, f.xy, s.sigma)
		f.gauss(f.c, f.en, s.sigma)
		for i := range f.cx {
			n := sqrt32(f.a[i]*f.a[i] + f.b[i]*f.b[i])
			if n == 0 {
				continue
			}
			c := min(1, n/f.c[i])
			// The ridge runs across the gradient: the doubled angle turns by pi.
			v := -s.weight * c * c / n
			f.cx[i] += v * f.a[i]
			f.cy[i] += v * f.b[i]
			if k == 0 {
				f.coh[i] = c
			}
		}
	}
	f.unit()
}

// reorient blends the orientation of the filtered image into the field. The
// filters confirm what they were told, so the old field keeps a say.
func (e *Extractor) reorient() {
	f := &e.field
	f.gauss(f.a, f.xx, 0.8)
	f.gauss(f.b, f.xy, 0.8)
	f.gauss(f.c, f.en, 0.8)
	for i := range f.cx {
		n := sqrt32(f.a[i]*f.a[i] + f.b[i]*f.b[i])
		if n == 0 {
			continue
		}
		c := min(1, n/f.c[i])
		f.cx[i] = 0.5*f.cx[i] - c*f.a[i]/n
		f.cy[i] = 0.5*f.cy[i] - c*f.b[i]/n
	}
	f.unit()
}

func (f *field) unit() {
	for i := range f.cx {
		n := sqrt32(f.cx[i]*f.cx[i] + f.cy[i]*f.cy[i])
		if n == 0 {
			f.cx[i], f.cy[i] = 1, 0
			continue
		}
		f.cx[i] /= n
		f.cy[i] /= n
	}
}

// sample interpolates the doubled angle at a pixel; it is not of unit length.
func (f *field) sample(x, y float32) (cx, cy float32) {
	bx := min(max((x-(block-1)/2.0)/block, 0), float32(f.bw-1))
	by := min(max((y-(block-1)/2.0)/block, 0), float32(f.bh-1))
	ix, iy := int(bx), int(by)
	jx, jy := min(ix+1, f.bw-1), min(iy+1, f.bh-1)
	fx, fy := bx-float32(ix), by-float32(iy)
	a, b, c, d := iy*f.bw+ix, iy*f.bw+jx, jy*f.bw+ix, jy*f.bw+jx
	wa, wb, wc, wd := (1-fx)*(1-fy), fx*(1-fy), (1-fx)*fy, fx*fy
	return wa*f.cx[a] + wb*f.cx[b] + wc*f.cx[c] + wd*f.cx[d],
		wa*f.cy[a] + wb*f.cy[b] + wc*f.cy[c] + wd*f.cy[d]
}

// angle is the ridge orientation at a pixel, 0 to pi, clockwise as seen.
func (f *field) angle(x, y float32) float32 {
	a := atan2(f.sample2(x, y)) / 2
	if a < 0 {
		a += math.Pi
	}
	return a
}

// sample2 is sample with its results in atan2's order.
func (f *field) sample2(x, y float32) (cy, cx float32) {
	cx, cy = f.sample(x, y)
	return cy, cx
}

func sqrt32(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// atan2 is within 2e-4 radians, which is a hundredth of a filter's step. The
// polynomial is a minimax fit of atan on 0 to 1.
func atan2(y, x float32) float32 {
	ax, ay := x, y
	if ax < 0 {
		ax = -ax
	}
	if ay < 0 {
		ay = -ay
	}
	hi, lo := ax, ay
	if ay > ax {
		hi, lo = ay, ax
	}
	if hi == 0 {
		return 0
	}
	r := lo / hi
	s := r * r
	a := ((-0.0464964749*s+0.15931422)*s-0.327622764)*s*r + r
	if ay > ax {
		a = math.Pi/2 - a
	}
	if x < 0 {
		a = math.Pi - a
	}
	if y < 0 {
		return -a
	}
	return a
}
