package slap

import (
	"math"
	"slices"
)

// flowSide is the side of the table of how ridges run in a finger, in half widths
// of the finger times flowStep.
const (
	flowStep = 12
	flowSide = 4*flowStep + 1
)

// flowTable holds the doubled direction of the ridges of an average finger and how
// steady it is: circles about a core above it, straight across towards the joint.
// Loops and whorls differ about the core, where the weight is small.
var flowTable = func() (t [flowSide][flowSide][2]float32) {
	const core = 0.05 // below the middle
	for y := range flowSide {
		for x := range flowSide {
			u, v := float64(x-2*flowStep)/flowStep, float64(y-2*flowStep)/flowStep-core
			r := math.Hypot(u, v)
			if r < 1e-9 {
				continue
			}
			c, s := (v*v-u*u)/r/r, -2*u*v/r/r // doubled direction across the radius
			if v > 0 {
				s = -s // below the core ridges run outwards, not round
			}
			k := min(max(v/0.9, 0), 1)
			c, s = (1-k)*c+k, (1-k)*s
			w := min(1, r/0.5)
			t[y][x] = [2]float32{float32(w * c), float32(w * s)}
		}
	}
	return t
}()

// Angles that fingers and hands are tried with, in degrees.
const (
	turnStep = 4
	turnMost = 60
	turns    = 2*turnMost/turnStep + 1
)

// turnOf is the angle of one entry of a curve.
func turnOf(k int) float64 { return float64(k*turnStep - turnMost) }

// How much the two witnesses of a finger's direction are believed.
const (
	flowTrust    = 22.0 // logarithm of likelihood, of the share of ridges that agree
	shapeOutlier = 5.0  // the most that an outline says against an angle
)

// axis tells how likely each direction of a finger is, as logarithms, from how its
// ridges run and from its outline.
func (g *grid) axis(t *tip, hand float64) {
	f := upright(hand)
	half := (t.u1 - t.u0) / 2
	mu, mv := (t.u0+t.u1)/2, min((t.v0+t.v1)/2, t.v0+1.3*half)
	shape, spread := g.shape(t, hand)
	var coh float64
	for k := 0; k < len(t.cells); k += cellStep {
		coh += float64(g.coh[t.cells[k]])
	}
	for k := range t.turns {
		a := turnOf(k)
		flow := math.Inf(-1)
		for _, off := range coreOffsets {
			mx, my := f.back(mu, mv+off*half)
			flow = max(flow, g.flow(t.cells, mx, my, half, a))
		}
		d := (a - shape) / spread
		t.turns[k] = flowTrust*flow/max(coh, 1) - shapeOutlier*d*d/2/(shapeOutlier+d*d/2)
	}
	t.angle, t.spread = peak(&t.turns)
}

// coreOffsets are places of the core against the middle, in half widths.
var coreOffsets = [...]float64{-0.3, 0, 0.3}

// cellStep is how many cells one is looked at of.
const cellStep = 3

// peak is the mean of a curve of logarithms about its highest point, and the
// standard deviation there.
func peak(curve *[turns]float64) (angle, spread float64) {
	top := 0
	for k, v := range curve {
		if v > curve[top] {
			top = k
		}
	}
	var n, s, q float64
	for k := max(0, top-4); k <= min(turns-1, top+4); k++ {
		w := math.Exp(curve[k] - curve[top])
		a := turnOf(k)
		n, s, q = n+w, s+w*a, q+w*a*a
	}
	s /= n
	return s, math.Sqrt(max(q/n-s*s, 4))
}

// settle sets the finger's box once the hand's rotation is known, which fingers
// follow within handSpread degrees.
func (g *grid) settle(t *tip, hand float64) {
	const handSpread = 8.0
	w, v := 1/(t.spread*t.spread), 1/(handSpread*handSpread)
	t.angle = (w*t.angle + v*hand) / (w + v)
	t.u0, t.u1, t.v0, t.v1 = g.extent(t.cells, upright(t.angle))
}

// flow is how well a finger's ridges run as in flowTable if it points at an angle.
func (g *grid) flow(cells []int, mx, my, half, angle float64) float64 {
	f := upright(angle)
	c2, s2 := f.cos*f.cos-f.sin*f.sin, 2*f.sin*f.cos
	var sum float64
	scale := flowStep / half
	for k := 0; k < len(cells); k += cellStep {
		i := cells[k]
		u, v := f.at(float64(i%g.w)-mx, float64(i/g.w)-my)
		x, y := int(math.Round(u*scale))+2*flowStep, int(math.Round(v*scale))+2*flowStep
		if x < 0 || y < 0 || x >= flowSide || y >= flowSide {
			continue
		}
		e := flowTable[y][x]
		// The ridge's direction as seen by the finger.
		rc := float64(g.c2[i])*c2 + float64(g.s2[i])*s2
		rs := float64(g.s2[i])*c2 - float64(g.c2[i])*s2
		sum += float64(g.coh[i]) * (rc*float64(e[0]) + rs*float64(e[1]))
	}
	return sum
}

// shape is the direction of the finger's longer axis and its standard deviation:
// large for one that is as wide as it is long.
func (g *grid) shape(t *tip, hand float64) (angle, spread float64) {
	var n, sx, sy, xx, yy, xy float64
	for _, list := range [][]int{t.cells, t.below} {
		for _, i := range list {
			x, y := float64(i%g.w), float64(i/g.w)
			n++
			sx, sy = sx+x, sy+y
			xx, yy, xy = xx+x*x, yy+y*y, xy+x*y
		}
	}
	mx, my := sx/n, sy/n
	xx, yy, xy = xx/n-mx*mx, yy/n-my*my, xy/n-mx*my
	mean, dif := (xx+yy)/2, math.Hypot((xx-yy)/2, xy)
	ratio := math.Sqrt((mean + dif) / max(mean-dif, 1e-6))
	// The long axis is (-sin, cos) of the angle.
	a := math.Atan2(2*xy, xx-yy) / 2 * 180 / math.Pi // of the long axis, from x
	a -= 90
	for a < hand-90 {
		a += 180
	}
	for a > hand+90 {
		a -= 180
	}
	return a, 3 + 3/max(ratio-1, 0.05)
}

// extent of cells in a frame, without the outermost half per cent on each side.
func (g *grid) extent(cells []int, f frame) (u0, u1, v0, v1 float64) {
	us, vs := make([]float64, len(cells)), make([]float64, len(cells))
	for k, i := range cells {
		us[k], vs[k] = f.at(float64(i%g.w), float64(i/g.w))
	}
	slices.Sort(us)
	slices.Sort(vs)
	cut := len(cells) / 200
	return us[cut] - 0.5, us[len(us)-1-cut] + 0.5, vs[cut] - 0.5, vs[len(vs)-1-cut] + 0.5
}

// joint cuts a tip where the crease crosses it, 12 to 34 mm from its end: a stripe
// with less ridge than on both sides.
func (g *grid) joint(t *tip) {
	f := upright(t.angle)
	n := int(t.v1-t.v0) + 1
	sum, count := make([]float64, n), make([]float64, n)
	// Further back another finger's phalanx may hang on: the first 13 mm tell where
	// the finger lies.
	var first []int
	for _, i := range t.cells {
		if _, v := f.at(float64(i%g.w), float64(i/g.w)); v < t.v0+32 {
			first = append(first, i)
		}
	}
	if len(first) < leastHeap/2 {
		return
	}
	u0, u1, _, _ := g.extent(first, f)
	width := u1 - u0
	mid, half := (u0+u1)/2, 0.32*width
	for y := range g.h {
		for x := range g.w {
			u, v := f.at(float64(x), float64(y))
			k := int(math.Floor(v - t.v0))
			if k >= 0 && k < n && math.Abs(u-mid) < half {
				i := y*g.w + x
				sum[k] += float64(min(1, g.energy[i]/g.top))
				count[k]++
			}
		}
	}
	row := func(k int) float64 { return sum[k] / max(count[k], 1) }
	from, to := 30, min(n-6, 84) // 12 to 34 mm, and 2.5 mm of the next
	const reach = 10             // 4 mm
	at, least := -1, 0.55
	for k := from; k < to; k++ {
		var above, below float64
		for j := max(0, k-reach); j < k; j++ {
			above = max(above, row(j))
		}
		for j := k + 1; j < min(n, k+reach); j++ {
			below = max(below, row(j))
		}
		if d := row(k) / max(min(above, below), 0.15); d < least {
			at, least = k, d
		}
		if at >= 0 && k > at+reach {
			break
		}
	}
	if at < 0 && t.v1-t.v0 > 1.9*width && t.v1-t.v0 > 26/cellMM {
		at = int(max(1.5*width, 20/cellMM))
	}
	if at < 0 {
		return
	}
	t.v1 = t.v0 + float64(at)
	t.cells = slices.DeleteFunc(t.cells, func(i int) bool {
		_, v := f.at(float64(i%g.w), float64(i/g.w))
		return v > t.v1
	})
	if len(t.cells) >= leastHeap/2 {
		v1 := t.v1
		t.u0, t.u1, t.v0, _ = g.extent(t.cells, f)
		t.v1 = v1
	}
}

// grade gives a tip its quality: how clear its ridges are against the clearest of
// the picture, how well they run, and how much of a fingertip there is.
func (g *grid) grade(t *tip) {
	var e, c float64
	for _, i := range t.cells {
		e += float64(min(1, g.energy[i]/g.top))
		c += float64(g.coh[i])
	}
	n := max(float64(len(t.cells)), 1)
	area := n * cellMM * cellMM / 200 // a full tip has some 200 mm2
	level := min(1, float64(g.top)/12)
	t.quality = int(100*min(1, area)*min(1, e/n/0.6)*min(1, c/n/0.75)*level + 0.5)
}

// box of a tip in pixels of the picture. The middle of cell 0 lies half a cell in.
func (g *grid) box(t *tip) Box {
	x, y := t.middle()
	return Box{
		X: (x + 0.5) * g.scale, Y: (y + 0.5) * g.scale,
		Width: (t.u1 - t.u0) * g.scale, Height: (t.v1 - t.v0) * g.scale, Angle: t.angle,
	}
}

// remark notes what the boxes show: a hand turned too far, fingers over the edge.
func (g *grid) remark(r *Result, tips []tip) {
	if math.Abs(common(tips)) > 45 {
		r.Findings = append(r.Findings, Turned)
	}
	for _, t := range tips {
		edge := 0
		for _, i := range t.cells {
			if x, y := i%g.w, i/g.w; x == 0 || y == 0 || x == g.w-1 || y >= g.h-1 {
				edge++
			}
		}
		if edge > 12 { // 5 mm
			r.Findings = append(r.Findings, CutOff)
			return
		}
	}
}
