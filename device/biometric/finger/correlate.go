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
			dx, dy := t.drift(a, cx, cy, -1)
			k := b.ridges.index(bx+dx, by+dy)
			if k < 0 {
				continue
			}
			// Across the ridges of b.
			c, s := cosines[b.ridges.angle[k]/2], cosines[(int(b.ridges.angle[k]/2)+192)&255]
			still, best, ok := t.patch(&a.relief, &b.relief, x, y, bx+dx, by+dy, -s, c)
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

// patch correlates one patch of a, at map element (x, y), with b around
// (bx, by), at shifts along (nx, ny). Every second sample is taken, in
// quincunx.
func (t *alignment) patch(a, b *relief, x, y int, bx, by, nx, ny float32) (still, best float32, ok bool) {
	const side = mapStep / reliefStep
	if (y+1)*side > a.h || (x+1)*side > a.w {
		return 0, 0, false
	}
	var own [side * side / 2]int32
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
	cos, sin := int(t.cos*one), int(t.sin*one)
	best = -1
	for i, shift := range shifts {
		// The first sample of the patch, in b.
		px := int((bx+shift*nx)/reliefStep*one) - (cos*(side-1)-sin*(side-1))/2 + one/2
		py := int((by+shift*ny)/reliefStep*one) - (sin*(side-1)+cos*(side-1))/2 + one/2
		ab, bb := int32(0), int32(0)
		n := 0
		for v := range side {
			qx, qy := px-sin*v, py+cos*v
			if v&1 != 0 {
				qx, qy = qx+cos, qy+sin
			}
			for range side / 2 {
				ix, iy := qx>>16, qy>>16
				if uint(ix) < uint(b.w) && uint(iy) < uint(b.h) {
					q := int32(b.pix[iy*b.w+ix])
					ab += own[n] * q
					bb += q * q
				}
				n++
				qx += 2 * cos
				qy += 2 * sin
			}
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
