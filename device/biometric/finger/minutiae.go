package finger

import (
	"math"
	"slices"
)

// Sizes of what is no minutia but a defect of skin, sensor or filter, in
// pixels at 500 dpi.
const (
	spurLength     = 10 // a branch that ends so soon
	fragmentLength = 14 // a line with two ends so near
	bridgeLength   = 10 // a line across from ridge to ridge
	lakeLength     = 12 // two lines between the same bifurcations
	gapLength      = 12 // two ends that face each other
	traceLength    = 14 // steps to take a direction from
	edgeDistance   = 12 // from the foreground's edge
	nearDistance   = 6  // two minutiae so near are one defect
	maxMinutiae    = 90
)

// minutiae finds the minutiae of the filtered image, best first: those of the
// ridges, or those of the valleys. A ridge's ending is a valley's bifurcation.
func (e *Extractor) minutiae(valleys bool) []Minutia {
	s := &e.skel
	s.begin(e.stride, len(e.enh))
	var flip uint32 // of the sign
	if valleys {
		flip = 1
	}
	for y := range e.h {
		row := e.at(0, y)
		line := s.bits[(y+pad)*s.words:][:s.words]
		for bx, in := range e.mask[(y/block)*e.bw:][:e.bw] {
			if !in {
				continue
			}
			x := bx * block
			on := uint64(0)
			for k, v := range e.enh[row+x : row+min(e.w, x+block)] {
				// A filtered value of exactly zero is background.
				b := math.Float32bits(v)
				on |= uint64((b>>31^flip)&((b|-b)>>31)) << k
			}
			at := x + pad // a multiple of 8
			line[at>>6] |= on << (at & 63)
		}
	}
	s.thin()
	for range 2 {
		e.clean()
	}
	out := e.sift(e.detect(edgeDistance))
	if len(out) < MinMinutiae+4 {
		// A small or poor print: what is near the edge is better than nothing.
		out = e.sift(e.detect(edgeDistance / 2))
	}
	if len(out) < MinMinutiae {
		out = e.detect(edgeDistance / 4)
	}
	slices.SortStableFunc(out, func(a, b Minutia) int { return int(b.Quality) - int(a.Quality) })
	if len(out) > maxMinutiae {
		out = out[:maxMinutiae]
	}
	return out
}

func (e *Extractor) xy(i int32) (x, y int) {
	return int(i)%e.stride - pad, int(i)/e.stride - pad
}

// clean removes spurs, fragments, bridges and lakes, and joins gaps.
func (e *Extractor) clean() {
	s := &e.skel
	path := make([]int32, 0, 64)
	var branch [4]int
	for _, i := range s.list {
		if s.on[i] == 0 || crossings[s.code(int(i))] != 1 {
			continue
		}
		b := s.branches(int(i), branch[:0])
		if len(b) != 1 {
			continue
		}
		var node bool
		path, node = s.trace(int(i), b[0], fragmentLength, path[:0])
		switch {
		case node && len(path) <= spurLength:
			s.turnOff(i)
			for _, p := range path[:len(path)-1] {
				s.turnOff(p)
			}
		case !node && len(path) < fragmentLength:
			s.turnOff(i)
			for _, p := range path {
				s.turnOff(p)
			}
		}
	}
	for _, i := range s.list {
		if s.on[i] == 0 || crossings[s.code(int(i))] < 3 {
			continue
		}
		b := s.branches(int(i), branch[:0])
		ends := make([]int32, 0, 4)
		for _, first := range b {
			var node bool
			path, node = s.trace(int(i), first, lakeLength, path[:0])
			if !node || len(path) < 2 {
				continue
			}
			end := path[len(path)-1]
			x0, y0 := e.xy(i)
			x1, y1 := e.xy(end)
			across := e.across(x0, y0, x1, y1)
			if (len(path) <= bridgeLength && across) || slices.Contains(ends, end) {
				for _, p := range path[:len(path)-1] {
					s.turnOff(p)
				}
				break
			}
			ends = append(ends, end)
		}
	}
	e.join()
	s.thin() // drops what is off from the list
}

// across reports whether a line runs more than 45 degrees off the ridges.
func (e *Extractor) across(x0, y0, x1, y1 int) bool {
	dx, dy := float32(x1-x0), float32(y1-y0)
	cx, cy := e.field.sample(float32(x0+x1)/2, float32(y0+y1)/2)
	return (dx*dx-dy*dy)*cx+2*dx*dy*cy < 0
}

// join draws a line between two endings that face each other.
func (e *Extractor) join() {
	s := &e.skel
	type end struct {
		i      int32
		x, y   int
		dx, dy float32
	}
	var ends []end
	for _, i := range s.list {
		if s.on[i] == 0 || crossings[s.code(int(i))] != 1 {
			continue
		}
		if dx, dy, ok := e.heading(int(i)); ok {
			x, y := e.xy(i)
			ends = append(ends, end{i, x, y, dx, dy})
		}
	}
	used := make([]bool, len(ends))
	for a := range ends {
		if used[a] {
			continue
		}
		p := &ends[a]
		for b := a + 1; b < len(ends); b++ {
			q := &ends[b]
			if q.y-p.y > gapLength {
				break // the list runs from the top
			}
			gx, gy := float32(q.x-p.x), float32(q.y-p.y)
			d := sqrt32(gx*gx + gy*gy)
			if used[b] || d > gapLength || d == 0 {
				continue
			}
			// Both run away from the gap and lie on one line.
			if p.dx*q.dx+p.dy*q.dy > -0.7 || (gx*p.dx+gy*p.dy)/d > -0.7 || (gx*q.dx+gy*q.dy)/d < 0.7 {
				continue
			}
			used[a], used[b] = true, true
			n := int(d) + 1
			for k := 1; k < n; k++ {
				x := p.x + int(math.Round(float64(gx)*float64(k)/float64(n)))
				y := p.y + int(math.Round(float64(gy)*float64(k)/float64(n)))
				s.turnOn(e.at(x, y))
			}
			break
		}
	}
}

// heading is the unit direction of the line that leaves an ending.
func (e *Extractor) heading(i int) (dx, dy float32, ok bool) {
	var branch [4]int
	b := e.skel.branches(i, branch[:0])
	if len(b) != 1 {
		return 0, 0, false
	}
	return e.leave(i, b[0])
}

// leave is the unit direction from pixel i along the branch at first.
func (e *Extractor) leave(i, first int) (dx, dy float32, ok bool) {
	var buffer [traceLength]int32
	path, _ := e.skel.trace(i, first, traceLength, buffer[:0])
	if len(path) < 4 {
		return 0, 0, false
	}
	x0, y0 := e.xy(int32(i))
	x1, y1 := e.xy(path[len(path)-1])
	dx, dy = float32(x1-x0), float32(y1-y0)
	n := sqrt32(dx*dx + dy*dy)
	if n < 2 {
		return 0, 0, false
	}
	return dx / n, dy / n, true
}

// detect lists the minutiae at least margin pixels inside the foreground.
func (e *Extractor) detect(margin int) []Minutia {
	s := &e.skel
	var out []Minutia
	for _, i := range s.list {
		if s.on[i] == 0 {
			continue
		}
		var dx, dy float32
		var kind Kind
		ok := false
		switch crossings[s.code(int(i))] {
		case 1:
			kind = KindEnding
			dx, dy, ok = e.heading(int(i))
		case 3:
			kind = KindBifurcation
			dx, dy, ok = e.valley(int(i))
		}
		if !ok {
			continue
		}
		x, y := e.xy(i)
		if !e.deep(x, y, margin) {
			continue
		}
		// The field is steadier than the trace; the trace says which way.
		cx, cy := e.field.sample(float32(x), float32(y))
		a := atan2(cy, cx) / 2
		if float32(math.Cos(float64(a)))*dx+float32(math.Sin(float64(a)))*dy < 0 {
			a += math.Pi
		}
		if a < 0 {
			a += 2 * math.Pi
		}
		out = append(out, Minutia{X: float32(x), Y: float32(y), Angle: a, Kind: kind, Quality: e.local(x, y)})
	}
	return out
}

// valley is the direction into the valley of a bifurcation: between the two
// branches that are the nearest to each other.
func (e *Extractor) valley(i int) (dx, dy float32, ok bool) {
	var branch [4]int
	b := e.skel.branches(i, branch[:0])
	if len(b) != 3 {
		return 0, 0, false
	}
	var d [3][2]float32
	for k, first := range b {
		x, y, good := e.leave(i, first)
		if !good {
			return 0, 0, false
		}
		d[k] = [2]float32{x, y}
	}
	best := float32(-2)
	for k := range 3 {
		p, q := d[k], d[(k+1)%3]
		if c := p[0]*q[0] + p[1]*q[1]; c > best {
			best, dx, dy = c, p[0]+q[0], p[1]+q[1]
		}
	}
	return dx, dy, true
}

// compass are 16 directions for looking around a pixel.
var compass = func() (c [16][2]float64) {
	for k := range c {
		c[k] = [2]float64{math.Cos(float64(k) * math.Pi / 8), math.Sin(float64(k) * math.Pi / 8)}
	}
	return c
}()

// deep reports whether all within margin of a pixel is foreground.
func (e *Extractor) deep(x, y, margin int) bool {
	for _, c := range compass {
		if !e.inside(x+int(c[0]*float64(margin)), y+int(c[1]*float64(margin))) {
			return false
		}
	}
	return true
}

// local is the quality of the ridges around a pixel, 1 to 100: how much of
// the contrast the filter could explain, and how coherent the directions are.
func (e *Extractor) local(x, y int) uint8 {
	const r = 8
	num, den := float32(0), float32(0.01)
	for v := max(0, y-r); v <= min(e.h-1, y+r); v++ {
		i := e.at(0, v)
		for u := max(0, x-r); u <= min(e.w-1, x+r); u++ {
			a, b := e.norm[i+u], e.enh[i+u]
			num += a * b
			den += a * a
		}
	}
	fit := min(1, max(0, num/den))
	coh := e.field.coh[(y/block)*e.bw+x/block]
	return uint8(1 + 99*min(1, fit*(0.4+0.6*coh)*1.25))
}

// sift drops minutiae that stand too near to each other to be two, or face
// each other as the ends of a gap do.
func (e *Extractor) sift(all []Minutia) []Minutia {
	drop := make([]bool, len(all))
	for a := range all {
		for b := a + 1; b < len(all); b++ {
			p, q := &all[a], &all[b]
			dx, dy := q.X-p.X, q.Y-p.Y
			if dy > gapLength {
				break
			}
			d := sqrt32(dx*dx + dy*dy)
			if d > gapLength {
				continue
			}
			turn := float32(math.Cos(float64(p.Angle - q.Angle)))
			if d <= nearDistance || (turn < -0.7 && d < 8) {
				drop[a], drop[b] = true, true
			}
		}
	}
	keep := all[:0]
	for i, m := range all {
		if !drop[i] {
			keep = append(keep, m)
		}
	}
	return keep
}
