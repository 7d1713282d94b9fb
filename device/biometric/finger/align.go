package finger

import "math"

// Tolerances of the geometric verification, in pixels and radians: wide while
// an alignment is looked for, close once the skin's distortion is followed.
const (
	hypotheses  = 12
	keptWays    = 3    // looked at closely
	sameShift   = 16.0 // two ways nearer than that are one
	sameTurn    = 0.15
	wideReach   = 18.0
	wideTurn    = 0.5
	closeReach  = 12.0
	closeTurn   = 0.45
	warpSigma   = 60.0
	warpPrior   = 0.6  // weight of "no distortion" against each neighbour
	warpTurn    = 45.0 // lever of "not turned", in pixels
	unmatchable = 1e9
)

// warpWeight tabulates the weight of a match by squared distance, to three
// deviations: a thousandth of it is a step.
const (
	warpStep  = 8.0
	warpSteps = int(9 * warpSigma * warpSigma / warpStep)
)

var warpWeight = func() (t [warpSteps]float32) {
	for i := range t {
		t[i] = float32(math.Exp(-(float64(i) + 0.5) * warpStep / (2 * warpSigma * warpSigma)))
	}
	return t
}()

// placed is a minutia of a as it lies in b, with and without distortion.
type placed struct{ x, y, rx, ry, angle float32 }

// match is one minutia of a with its partner in b.
type match struct {
	a, b   int16
	x, y   float32 // of a, as the rigid alignment places it
	dx, dy float32 // b less that
	miss   float32 // squared distance after distortion
	turn   float32
}

// alignment is one way of laying a on b.
type alignment struct {
	cos, sin, x, y, angle float32
	matches               []match
	weight                float32
}

func (t *alignment) place(x, y float32) (float32, float32) {
	return t.cos*x - t.sin*y + t.x, t.sin*x + t.cos*y + t.y
}

// rigid sets the transform that lays (ax, ay) on (bx, by), turned by angle.
func (t *alignment) rigid(angle, ax, ay, bx, by float32) {
	s, c := math.Sincos(float64(angle))
	t.sin, t.cos, t.angle = float32(s), float32(c), angle
	t.x = bx - (t.cos*ax - t.sin*ay)
	t.y = by - (t.sin*ax + t.cos*ay)
}

func wrap(a float32) float32 {
	for a > math.Pi {
		a -= 2 * math.Pi
	}
	for a < -math.Pi {
		a += 2 * math.Pi
	}
	return a
}

// align finds ways of laying a on b, starting from the strongest relaxed
// pairs, and keeps the few that explain the most minutiae in o.ways, refined.
func (m *Matcher) align(o *opinion) {
	a, b := o.a, o.b
	p := m.pairs
	for h := range min(hypotheses, len(p)) {
		// The strongest not yet used; the list is sorted by how well pairs held.
		at := h
		for k := h + 1; k < len(p); k++ {
			if p[k].relaxed > p[at].relaxed {
				at = k
			}
		}
		p[h], p[at] = p[at], p[h]
		ma, mb := &a.Minutiae[p[h].a], &b.Minutiae[p[h].b]
		t := &m.try
		t.rigid(wrap(mb.Angle-ma.Angle), ma.X, ma.Y, mb.X, mb.Y)
		m.collect(t, a, b, wideReach, wideTurn, false)
		if len(t.matches) >= 3 {
			t.refit(a, b)
			m.collect(t, a, b, wideReach, wideTurn, false)
		}
		m.keep(o)
	}
	for i := range o.found {
		t := &o.ways[i]
		if len(t.matches) < 3 {
			continue
		}
		// From the held part of the skin outwards, as long as more is found.
		for round := range 3 {
			before := len(t.matches)
			t.refit(a, b)
			m.collect(t, a, b, wideReach, wideTurn, true)
			if round > 0 && len(t.matches) <= before {
				break
			}
		}
		m.collect(t, a, b, closeReach, closeTurn, true)
	}
}

// keep takes m.try among the ways if it is better than the worst, or than one
// that lays a nearly the same.
func (m *Matcher) keep(o *opinion) {
	a, t := o.a, &m.try
	x, y := t.place(float32(a.Width)/2, float32(a.Height)/2)
	for i := range o.found {
		w := &o.ways[i]
		u, v := w.place(float32(a.Width)/2, float32(a.Height)/2)
		if (u-x)*(u-x)+(v-y)*(v-y) > sameShift*sameShift || math.Abs(float64(wrap(w.angle-t.angle))) > sameTurn {
			continue
		}
		if t.weight > w.weight {
			o.ways[i], m.try = m.try, o.ways[i]
		}
		return
	}
	if o.found < len(o.ways) {
		o.ways[o.found], m.try = m.try, o.ways[o.found]
		o.found++
		return
	}
	worst := 0
	for i := range o.ways {
		if o.ways[i].weight < o.ways[worst].weight {
			worst = i
		}
	}
	if t.weight > o.ways[worst].weight {
		o.ways[worst], m.try = m.try, o.ways[worst]
	}
}

// refit moves t to the least squares fit of its matches.
func (t *alignment) refit(a, b *Template) {
	var ax, ay, bx, by float32
	n := float32(len(t.matches))
	for _, k := range t.matches {
		p, q := &a.Minutiae[k.a], &b.Minutiae[k.b]
		ax, ay, bx, by = ax+p.X, ay+p.Y, bx+q.X, by+q.Y
	}
	ax, ay, bx, by = ax/n, ay/n, bx/n, by/n
	var dot, cross float32
	for _, k := range t.matches {
		p, q := &a.Minutiae[k.a], &b.Minutiae[k.b]
		ux, uy, vx, vy := p.X-ax, p.Y-ay, q.X-bx, q.Y-by
		dot += ux*vx + uy*vy
		cross += ux*vy - uy*vx
		// Directions pull as a point 30 pixels off would.
		turn := float64(wrap(q.Angle - p.Angle))
		dot += 900 * 0.3 * float32(math.Cos(turn))
		cross += 900 * 0.3 * float32(math.Sin(turn))
	}
	t.rigid(atan2(cross, dot), ax, ay, bx, by)
}

// collect pairs the minutiae that lie on each other under t, nearest first by
// turn of a. With warp, each is first moved as the matches around it say.
func (m *Matcher) collect(t *alignment, a, b *Template, reach, turn float32, warp bool) {
	if warp {
		for i := range t.matches {
			k := &t.matches[i]
			p, q := &a.Minutiae[k.a], &b.Minutiae[k.b]
			k.x, k.y = t.place(p.X, p.Y)
			k.dx, k.dy = q.X-k.x, q.Y-k.y
		}
	}
	m.points = grow(m.points, len(a.Minutiae))
	for i := range a.Minutiae {
		p := &a.Minutiae[i]
		x, y := t.place(p.X, p.Y)
		m.points[i] = placed{x, y, x, y, p.Angle + t.angle}
		if warp {
			dx, dy, turn := t.drift(x, y, int16(i))
			m.points[i].x, m.points[i].y = x+dx, y+dy
			m.points[i].angle += turn
		}
	}
	t.matches, t.weight = t.matches[:0], 0
	clear(m.usedB[:len(b.Minutiae)])
	// Mutual nearest neighbours.
	for i := range m.points {
		k, cost := nearest(&m.points[i], b, reach, turn)
		if k < 0 || m.usedB[k] {
			continue
		}
		if rivalled(m.points, i, &b.Minutiae[k], reach, turn, cost) {
			continue
		}
		m.usedB[k] = true
		q := &b.Minutiae[k]
		o := &m.points[i]
		t.matches = append(t.matches, match{int16(i), int16(k), o.rx, o.ry, q.X - o.rx, q.Y - o.ry,
			(q.X-o.x)*(q.X-o.x) + (q.Y-o.y)*(q.Y-o.y), wrap(q.Angle - o.angle)})
		t.weight += 1 - 0.5*cost
	}
}

// costOf is 0 for a perfect fit up to 2 at the tolerances, unmatchable beyond.
func costOf(p *placed, q *Minutia, reach, turn float32) float32 {
	dx, dy := q.X-p.x, q.Y-p.y
	d := dx*dx + dy*dy
	if d > reach*reach {
		return unmatchable
	}
	w := wrap(q.Angle - p.angle)
	if w < 0 {
		w = -w
	}
	if w > turn {
		return unmatchable
	}
	return d/(reach*reach) + w/turn*w/turn
}

// far spares most pairs the call of costOf, which would find them unmatchable.
func far(p *placed, q *Minutia, reach float32) bool {
	dx, dy := q.X-p.x, q.Y-p.y
	return dx*dx+dy*dy > reach*reach
}

func nearest(p *placed, b *Template, reach, turn float32) (best int, cost float32) {
	best, cost = -1, unmatchable
	for _, k := range b.order.from(p.x - reach) {
		q := &b.Minutiae[k]
		if q.X > p.x+reach {
			break
		}
		if far(p, q, reach) {
			continue
		}
		if c := costOf(p, q, reach, turn); c < cost || c == cost && int(k) < best {
			best, cost = int(k), c
		}
	}
	return best, cost
}

// rivalled reports whether another point than number self fits q for less.
func rivalled(points []placed, self int, q *Minutia, reach, turn, cost float32) bool {
	for j := range points {
		if p := &points[j]; !far(p, q, reach) && j != self && costOf(p, q, reach, turn) < cost {
			return true
		}
	}
	return false
}

// drift is how far the matches around a point, given as the rigid alignment
// places it, lie off that alignment, and how they are turned against it: the
// shift and turn that fit them best, by least squares, each drawn to none. The
// match of minutia self of a is left out.
func (t *alignment) drift(x, y float32, self int16) (dx, dy, turn float32) {
	sum, square := float32(warpPrior), float32(warpTurn*warpTurn)
	var su, sv, across float32
	for i := range t.matches {
		k := &t.matches[i]
		u, v := k.x-x, k.y-y
		d := u*u + v*v
		if d >= 9*warpSigma*warpSigma || k.a == self {
			continue
		}
		w := warpWeight[int(d*(1.0/warpStep))]
		sum += w
		dx += w * k.dx
		dy += w * k.dy
		su += w * u
		sv += w * v
		square += w * d
		across += w * (u*k.dy - v*k.dx)
	}
	turn = (across - (su*dy-sv*dx)/sum) / (square - (su*su+sv*sv)/sum)
	return (dx + turn*sv) / sum, (dy - turn*su) / sum, turn
}
