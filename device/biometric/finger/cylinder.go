package finger

import (
	"math"
	"math/bits"
)

// Parameters of the Minutia Cylinder-Code (Cappelli, Ferrara, Maltoni, IEEE
// TPAMI 32:12, 2010, table 1; 8 cells a side and 6 directions).
const (
	mccRadius      = 70.0
	mccSide        = 8
	mccDirections  = 6
	mccSigmaS      = 28.0 / 3
	mccSigmaD      = 2 * math.Pi / 9
	mccBit         = 0.005 // sum of contributions that sets a cell
	mccHullOffset  = 50.0
	mccMinValid    = 0.75 // share of cells within the hull
	mccMinMinutiae = 2    // that contribute
	mccMinShared   = 0.60 // cells valid in both, of all
	mccMaxTurn     = math.Pi / 2
	mccCell        = 2 * mccRadius / mccSide
)

// cylinder describes the neighbourhood of one minutia: a bit for each cell and
// direction, one mask of valid cells for all directions.
type cylinder struct {
	bits    [mccDirections]uint64
	mask    uint64
	minutia int16 // -1 for none
}

// mccCells lists the cells within the radius: bit and centre relative to the
// minutia, in its own direction.
var mccCells = func() (c []struct {
	bit  int
	x, y float32
}) {
	for j := range mccSide {
		for i := range mccSide {
			x := mccCell * (float64(i) - (mccSide-1)/2.0)
			y := mccCell * (float64(j) - (mccSide-1)/2.0)
			if x*x+y*y <= mccRadius*mccRadius {
				c = append(c, struct {
					bit  int
					x, y float32
				}{j*mccSide + i, float32(x), float32(y)})
			}
		}
	}
	return c
}()

// mccAll has the bits of all cells.
var mccAll = func() (all uint64) {
	for _, p := range mccCells {
		all |= 1 << p.bit
	}
	return all
}()

// mccCentre is the centre of the i-th row or column of cells.
func mccCentre(i int) float32 { return mccCell * (float32(i) - (mccSide-1)/2.0) }

// mccSpan is the rows or columns that a minutia at v contributes to: those
// within three deviations.
func mccSpan(v float32) (from, to int) {
	const reach, middle = 3*mccSigmaS + 0.1, mccSide / 2.0
	return max(0, int((v-reach)/mccCell+middle)), min(mccSide-1, int((v+reach)/mccCell+middle))
}

// mccDirection tabulates the directional contribution: the Gaussian's area
// over one cell's height, by difference in 1/256 turns.
var mccDirection = func() (t [256]float32) {
	cdf := func(v float64) float64 { return 0.5 * (1 + math.Erf(v/(mccSigmaD*math.Sqrt2))) }
	half := math.Pi / mccDirections
	for i := range t {
		d := float64(i) * 2 * math.Pi / 256
		if d > math.Pi {
			d -= 2 * math.Pi
		}
		t[i] = float32(cdf(d+half) - cdf(d-half))
	}
	return t
}()

// mccSpace tabulates the spatial contribution by squared distance in pixels,
// to three deviations.
var mccSpace = func() (t [785]float32) {
	for i := range t {
		t[i] = float32(math.Exp(-float64(i)/(2*mccSigmaS*mccSigmaS)) / (mccSigmaS * math.Sqrt(2*math.Pi)))
	}
	return t
}()

func turn256(radians float32) int { return int(math.Round(float64(radians) * (128 / math.Pi))) }

// prepare computes the cylinders of the minutiae.
func (t *Template) prepare() {
	t.hull = convexHull(t.Minutiae)
	t.order.sort(t.Minutiae)
	t.cylinders = make([]cylinder, 0, len(t.Minutiae))
	for i := range t.Minutiae {
		if c, ok := t.cylinder(i); ok {
			t.cylinders = append(t.cylinders, c)
		}
	}
}

func (t *Template) cylinder(index int) (c cylinder, ok bool) {
	m := &t.Minutiae[index]
	sin64, cos64 := math.Sincos(float64(m.Angle))
	sin, cos := float32(sin64), float32(cos64)
	c.minutia = int16(index)
	// Neighbours in the frame of m.
	var near [maxRecord]struct {
		x, y float32
		turn int
	}
	n := 0
	const reach = mccRadius + 3*mccSigmaS
	contributors := 0
	for k := range t.Minutiae {
		if k == index {
			continue
		}
		o := &t.Minutiae[k]
		dx, dy := o.X-m.X, o.Y-m.Y
		if d := dx*dx + dy*dy; d > reach*reach {
			continue
		}
		near[n].x, near[n].y = cos*dx+sin*dy, cos*dy-sin*dx
		near[n].turn = turn256(m.Angle - o.Angle)
		n++
		contributors++
	}
	if contributors < mccMinMinutiae {
		return c, false
	}
	// A cylinder far inside needs no look at its cells one by one.
	if deepInHull(t.hull, m.X, m.Y, mccRadius-mccHullOffset) {
		c.mask = mccAll
	} else {
		for _, p := range mccCells {
			if nearHull(t.hull, m.X+cos*p.x-sin*p.y, m.Y+sin*p.x+cos*p.y, mccHullOffset) {
				c.mask |= 1 << p.bit
			}
		}
	}
	var sums [mccSide * mccSide][mccDirections]float32
	for _, o := range near[:n] {
		i0, i1 := mccSpan(o.x)
		j0, j1 := mccSpan(o.y)
		for j := j0; j <= j1; j++ {
			for i := i0; i <= i1; i++ {
				bit := j*mccSide + i
				if c.mask>>bit&1 == 0 {
					continue
				}
				dx, dy := o.x-mccCentre(i), o.y-mccCentre(j)
				d := int(dx*dx + dy*dy)
				if d >= len(mccSpace) {
					continue
				}
				s := mccSpace[d]
				for k := range sums[bit] {
					// Centre of direction k: -pi + (k+1/2) * 2pi/6.
					sums[bit][k] += s * mccDirection[(o.turn+128-(2*k+1)*256/(2*mccDirections))&255]
				}
			}
		}
	}
	for _, p := range mccCells {
		for k, v := range sums[p.bit] {
			if v >= mccBit {
				c.bits[k] |= 1 << p.bit
			}
		}
	}
	return c, bits.OnesCount64(c.mask) >= int(mccMinValid*float64(len(mccCells)))
}

// roots are square roots of counts of bits.
var roots = func() (t [mccSide*mccSide*mccDirections + 1]float32) {
	for i := range t {
		t[i] = float32(math.Sqrt(float64(i)))
	}
	return t
}()

// mccMinCells is mccMinShared in cells.
var mccMinCells = int(mccMinShared * float64(len(mccCells)))

// similarity of two cylinders, 0 to 1: one less the distance over the sum of
// lengths.
func similarity(a, b *cylinder) float32 {
	m := a.mask & b.mask
	if bits.OnesCount64(m) < mccMinCells {
		return 0
	}
	na, nb, nx := 0, 0, 0
	for k := range mccDirections {
		x, y := a.bits[k]&m, b.bits[k]&m
		na += bits.OnesCount64(x)
		nb += bits.OnesCount64(y)
		nx += bits.OnesCount64(x ^ y)
	}
	if na+nb == 0 {
		return 0
	}
	return 1 - roots[nx]/(roots[na]+roots[nb])
}

// convexHull returns the corners of the hull of the minutiae, in turn
// (Andrew's monotone chain).
func convexHull(all []Minutia) [][2]float32 {
	points := make([][2]float32, len(all))
	for i, m := range all {
		points[i] = [2]float32{m.X, m.Y}
	}
	sortPoints(points)
	cross := func(o, a, b [2]float32) float32 {
		return (a[0]-o[0])*(b[1]-o[1]) - (a[1]-o[1])*(b[0]-o[0])
	}
	hull := make([][2]float32, 0, 2*len(points))
	half := func(next func(i int) [2]float32) {
		base := len(hull)
		for i := range points {
			p := next(i)
			for len(hull) >= base+2 && cross(hull[len(hull)-2], hull[len(hull)-1], p) <= 0 {
				hull = hull[:len(hull)-1]
			}
			hull = append(hull, p)
		}
		if len(hull) > base+1 {
			hull = hull[:len(hull)-1]
		}
	}
	half(func(i int) [2]float32 { return points[i] })
	half(func(i int) [2]float32 { return points[len(points)-1-i] })
	return hull
}

// deepInHull reports whether a point lies in the hull, by at least so many
// pixels.
func deepInHull(hull [][2]float32, x, y, by float32) bool {
	for i, a := range hull {
		b := hull[(i+1)%len(hull)]
		ex, ey := b[0]-a[0], b[1]-a[1]
		if ex*(y-a[1])-ey*(x-a[0]) < by*sqrt32(ex*ex+ey*ey) {
			return false
		}
	}
	return len(hull) > 2
}

// nearHull reports whether a point lies in the hull or within offset pixels
// of it.
func nearHull(hull [][2]float32, x, y, offset float32) bool {
	in := len(hull) > 2
	for i, a := range hull {
		b := hull[(i+1)%len(hull)]
		ex, ey := b[0]-a[0], b[1]-a[1]
		px, py := x-a[0], y-a[1]
		if ex*py-ey*px >= 0 {
			continue
		}
		in = false
		s := float32(0)
		if l := ex*ex + ey*ey; l > 0 {
			s = min(1, max(0, (px*ex+py*ey)/l))
		}
		dx, dy := px-s*ex, py-s*ey
		if dx*dx+dy*dy <= offset*offset {
			return true
		}
	}
	return in
}

// HullArea is the area of the minutiae's convex hull in square pixels.
func (t *Template) HullArea() float64 {
	sum := float32(0)
	for i, a := range t.hull {
		b := t.hull[(i+1)%len(t.hull)]
		sum += a[0]*b[1] - a[1]*b[0]
	}
	return math.Abs(float64(sum)) / 2
}
