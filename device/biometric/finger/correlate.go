package finger

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

// agreement is how the ridges of two aligned prints agree, summed over patches.
type agreement struct {
	patches float64
	still   float64 // correlation as aligned
	best    float64 // the best within small shifts across the ridges
	good    float64 // patches that then agree well
}

func (g *agreement) add(o agreement) {
	g.patches += o.patches
	g.still += o.still
	g.best += o.best
	g.good += o.good
}

// means are the sums over the number of patches.
func (g *agreement) means() (still, best, good float64) {
	n := max(1, g.patches)
	return g.still / n, g.best / n, g.good / n
}

// goodPatch is the correlation from which a patch agrees well.
const goodPatch = 0.6

// correlate lays the relief of a on that of b along the alignment and its
// distortion. Skin that stretched between two minutiae moves ridges by less
// than the shifts; ridges of two fingers agree only by chance. Half of the
// patches are taken, as on a chequered board: those of colour 0 or 1.
func (t *alignment) correlate(a, b *Template, colour int) (g agreement) {
	for y := range a.ridges.h {
		for x := (y + colour) & 1; x < a.ridges.w; x += 2 {
			if a.ridges.state[y*a.ridges.w+x] == 0 {
				continue
			}
			cx, cy := float32(x*mapStep+block), float32(y*mapStep+block)
			bx, by := t.place(cx, cy)
			if b.ridges.index(bx, by) < 0 {
				continue
			}
			dx, dy, turn := t.drift(bx, by, -1)
			k := b.ridges.index(bx+dx, by+dy)
			if k < 0 {
				continue
			}
			// Across the ridges of b.
			c, s := cosines[b.ridges.angle[k]/2], cosines[(int(b.ridges.angle[k]/2)+192)&255]
			still, best, ok := t.patch(&a.relief, &b.relief, x, y, bx+dx, by+dy, -s, c, turn)
			if !ok {
				continue
			}
			g.patches++
			g.still += float64(still)
			g.best += float64(best)
			if best > goodPatch {
				g.good++
			}
		}
	}
	return g
}

// side is that of a patch in samples of the relief.
const side = mapStep / reliefStep

// samples are those of a patch that are taken: half of them, in quincunx.
type samples [side * side / 2]int32

// round is how far a patch's first sample lies from its last at most, in
// 1/65536 of a sample: the diagonal and a little.
const round = 3 * side / 2 << 16

// inner sums the products of a patch's samples with those of r that lie under
// it, and the squares of the latter. The patch begins at (x, y), turned, all
// of it within r.
func (r *relief) inner(own *samples, x, y, cos, sin int) (ab, bb int32) {
	for v := 0; v < side; v += 2 {
		// A row of even samples and the next one's odd ones.
		x0, y0 := x-sin*v, y+cos*v
		x1, y1 := x0-sin+cos, y0+cos+sin
		row := own[v*side/2:][:side]
		for u := range side / 2 {
			p, q := int32(r.pix[(y0>>16)*r.w+x0>>16]), int32(r.pix[(y1>>16)*r.w+x1>>16])
			ab += row[u]*p + row[side/2+u]*q
			bb += p*p + q*q
			x0, y0, x1, y1 = x0+2*cos, y0+2*sin, x1+2*cos, y1+2*sin
		}
	}
	return ab, bb
}

// edge does as inner does where some of the patch lies outside r: that part
// counts as background.
func (r *relief) edge(own *samples, x, y, cos, sin int) (ab, bb int32) {
	n := 0
	for v := range side {
		qx, qy := x-sin*v, y+cos*v
		if v&1 != 0 {
			qx, qy = qx+cos, qy+sin
		}
		for range side / 2 {
			ix, iy := qx>>16, qy>>16
			if uint(ix) < uint(r.w) && uint(iy) < uint(r.h) {
				q := int32(r.pix[iy*r.w+ix])
				ab += own[n] * q
				bb += q * q
			}
			n++
			qx += 2 * cos
			qy += 2 * sin
		}
	}
	return ab, bb
}

// patch correlates one patch of a, at map element (x, y), with b around
// (bx, by), at shifts along (nx, ny). Every second sample is taken, in
// quincunx.
func (t *alignment) patch(a, b *relief, x, y int, bx, by, nx, ny, turn float32) (still, best float32, ok bool) {
	if (y+1)*side > a.h || (x+1)*side > a.w {
		return 0, 0, false
	}
	var own samples
	aa, n := int32(0), 0
	for v := range side {
		row := a.pix[(y*side+v)*a.w+x*side:][:side]
		for u := v & 1; u < side; u += 2 {
			p := int32(row[u])
			own[n] = p
			aa += p * p
			n++
		}
	}
	if aa == 0 {
		return 0, 0, false
	}
	const one = 1 << 16
	cos, sin := int((t.cos-turn*t.sin)*one), int((t.sin+turn*t.cos)*one)
	best = -1
	for i, shift := range shifts {
		// The first sample of the patch, in b.
		px := int((bx+shift*nx)/reliefStep*one) - (cos*(side-1)-sin*(side-1))/2 + one/2
		py := int((by+shift*ny)/reliefStep*one) - (sin*(side-1)+cos*(side-1))/2 + one/2
		var ab, bb int32
		if px-round >= 0 && py-round >= 0 && px+round < b.w<<16 && py+round < b.h<<16 {
			ab, bb = b.inner(&own, px, py, cos, sin)
		} else {
			ab, bb = b.edge(&own, px, py, cos, sin)
		}
		if bb == 0 {
			continue
		}
		c := float32(ab) / sqrt32(float32(aa)*float32(bb))
		if i == 0 {
			still = c
		}
		best, ok = max(best, c), true
	}
	return still, best, ok
}
