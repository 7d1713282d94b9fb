package slap

import (
	"math"
	"slices"
)

// Sizes in cells.
const (
	leastHeap    = 180 // 30 mm2: less is no fingertip
	leastWidth   = 18  // 7.3 mm
	usualWidth   = 34  // 13.8 mm
	leastNotch   = 3
	clearNotch   = 4  // where two fingers lie side by side without a neck
	leastHeight  = 21 // 8.5 mm
	steepestCut  = 60 // degrees
	plainCut     = 24 // degrees
	widestCrease = 14 // 6 mm
)

// frame turns cells so that fingers at an angle stand upright: u runs across them
// to the right, v along them towards the hand.
type frame struct{ cos, sin float64 }

func upright(degrees float64) frame {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return frame{cos, sin}
}

func (f frame) at(x, y float64) (u, v float64)   { return f.cos*x + f.sin*y, f.cos*y - f.sin*x }
func (f frame) back(u, v float64) (x, y float64) { return f.cos*u - f.sin*v, f.sin*u + f.cos*v }

// tip is one finger in the making.
type tip struct {
	cells   []int
	below   []int          // cells of the same finger past the joint
	turns   [turns]float64 // logarithm of how likely each direction is
	angle   float64        // degrees
	spread  float64        // standard deviation that the angle is taken to have
	u0, u1  float64        // extent in the frame of its angle
	v0, v1  float64
	quality int
}

// lean is the hand's rotation as far as the mean direction of all ridges tells it:
// most of them run across their finger.
func (g *grid) lean() float64 {
	var c, s float64
	for i, on := range g.mask {
		if on {
			w := float64(g.coh[i])
			c += w * float64(g.c2[i])
			s += w * float64(g.s2[i])
		}
	}
	return min(max(math.Atan2(s, c)/2*180/math.Pi, -45), 45)
}

// fingers finds the tips, from left to right.
func (g *grid) fingers() []tip {
	var heaps [][]int
	for _, h := range g.necks() {
		if len(h) >= leastHeap {
			heaps = append(heaps, h)
		}
	}
	if len(heaps) == 0 {
		return nil
	}
	angle := g.guess(heaps)
	var tips []tip
	for range 3 {
		tips = g.split(heaps, angle)
		if len(tips) == 0 {
			return nil
		}
		next := common(tips)
		done := math.Abs(next-angle) < 2
		angle = next
		if done {
			break
		}
	}
	for i := range tips {
		g.settle(&tips[i], angle)
		g.joint(&tips[i])
		g.grade(&tips[i])
	}
	f := upright(angle)
	slices.SortFunc(tips, func(a, b tip) int {
		ua, _ := f.at(a.middle())
		ub, _ := f.at(b.middle())
		if ua < ub {
			return -1
		}
		return 1
	})
	return tips
}

// guess is the hand's rotation as the heaps tell it before they are parted.
func (g *grid) guess(heaps [][]int) float64 {
	lean := g.lean()
	tips := make([]tip, len(heaps))
	for k, h := range heaps {
		o := g.outline(h, upright(lean))
		tips[k] = tip{cells: h, u0: o.u0, u1: o.u1, v0: o.v0, v1: o.v1}
		g.axis(&tips[k], lean)
	}
	return common(tips)
}

// handTurns is how likely each rotation of the hand is: what its fingers say
// together, each of which may lean a little against the others.
func handTurns(tips []tip) (sum [turns]float64) {
	for _, t := range tips {
		for k := range sum {
			low, high := t.turns[max(k-1, 0)], t.turns[min(k+1, turns-1)]
			sum[k] += (low + 2*t.turns[k] + high) / 4
		}
	}
	for k := range sum {
		z := turnOf(k) / 35 // hands are seldom turned far
		sum[k] -= z * z / 2
	}
	return sum
}

// common is the hand's likeliest rotation.
func common(tips []tip) float64 {
	c := handTurns(tips)
	angle, _ := peak(&c)
	return angle
}

// middle of a tip's box in cells.
func (t *tip) middle() (x, y float64) {
	return upright(t.angle).back((t.u0+t.u1)/2, (t.v0+t.v1)/2)
}

// split parts heaps into fingers of about the angle given.
func (g *grid) split(heaps [][]int, angle float64) []tip {
	f := upright(angle)
	var pieces [][]int
	for _, heap := range heaps {
		pieces = g.part(pieces, heap, f, 0)
	}
	return g.stack(pieces, angle)
}

// outline of a piece in a frame: its extent and its upper edge.
type outline struct {
	u0, u1, v0, v1 float64
	first          int
	top, low       []float64 // v of the first and the negative v of the last cell in each column; +Inf where there is none
}

func (g *grid) outline(cells []int, f frame) outline {
	o := outline{u0: math.Inf(1), u1: math.Inf(-1), v0: math.Inf(1), v1: math.Inf(-1)}
	for _, i := range cells {
		u, v := f.at(float64(i%g.w), float64(i/g.w))
		o.u0, o.u1, o.v0, o.v1 = min(o.u0, u), max(o.u1, u), min(o.v0, v), max(o.v1, v)
	}
	o.first = int(math.Floor(o.u0))
	o.top = make([]float64, int(math.Floor(o.u1))-o.first+1)
	for k := range o.top {
		o.top[k] = math.Inf(1)
	}
	o.low = slices.Clone(o.top)
	for _, i := range cells {
		u, v := f.at(float64(i%g.w), float64(i/g.w))
		k := int(math.Floor(u)) - o.first
		o.top[k], o.low[k] = min(o.top[k], v), min(o.low[k], -v)
	}
	o.top, o.low = steady(o.top), steady(o.low)
	return o
}

// steady takes the median of three: turned cells leave gaps between columns.
func steady(edge []float64) []float64 {
	out := slices.Clone(edge)
	for k := range out {
		a, b, c := edge[max(k-1, 0)], edge[k], edge[min(k+1, len(edge)-1)]
		out[k] = max(min(a, b), min(max(a, b), c))
	}
	return out
}

// part appends the fingers that a piece is of: it is cut where its upper or its
// lower edge has a notch, along the way that crosses the fewest ridges.
func (g *grid) part(out [][]int, cells []int, f frame, depth int) [][]int {
	o := g.outline(cells, f)
	if depth > 5 || o.u1-o.u0 < 2*leastWidth {
		return append(out, cells)
	}
	in := make([]bool, len(g.mask))
	for _, i := range cells {
		in[i] = true
	}
	for k, edge := range [2][]float64{o.top, o.low} {
		at, deep := notch(edge)
		if deep < leastNotch {
			continue
		}
		down := 1 - 2*float64(k)
		u, v := float64(o.first+at)+0.5, down*edge[at]
		sides, ok := g.divide(cells, in, f, o, g.cheapest(in, f, u, v, down, steepestCut), v, down, deep)
		// A steep cut may have taken a corner off: straight through, then.
		if plain, through := g.divide(cells, in, f, o, g.cheapest(in, f, u, v, down, plainCut), v, down, deep); through &&
			(!ok || 2*min(len(plain[0]), len(plain[1])) > 3*min(len(sides[0]), len(sides[1]))) {
			sides, ok = plain, true
		}
		if !ok {
			continue
		}
		for _, side := range sides {
			for _, heap := range connected(side, g.w, g.h) {
				if len(heap) >= leastHeap {
					out = g.part(out, heap, f, depth+1)
				}
			}
		}
		return out
	}
	return append(out, cells)
}

// divide cuts a piece from a notch on, downwards or upwards, and says whether both
// parts may be fingers.
func (g *grid) divide(cells []int, in []bool, f frame, o outline, c cut, v, down, deep float64) (sides [2][]int, ok bool) {
	sin, cos := math.Sincos(c.slant)
	for _, i := range cells {
		cu, cv := f.at(float64(i%g.w), float64(i/g.w))
		k := 0
		if (cu-c.u)*cos-(cv-v)*down*sin > 0 {
			k = 1
		}
		sides[k] = append(sides[k], i)
	}
	if len(sides[0]) < leastHeap || len(sides[1]) < leastHeap {
		return sides, false
	}
	a, b := g.outline(sides[0], f), g.outline(sides[1], f)
	neck := c.length <= 0.6*min(a.v1-a.v0, b.v1-b.v0)
	narrow := min(a.u1-a.u0, b.u1-b.u0)
	low := min(a.v1-a.v0, b.v1-b.v0)
	return sides, narrow >= leastWidth && low >= leastHeight && (neck || deep >= clearNotch && o.u1-o.u0 >= 1.35*usualWidth && narrow >= 0.55*usualWidth)
}

// notch is the column where an upper edge lies deepest below the line that spans it
// (its convex hull), and how deep.
func notch(edge []float64) (at int, deep float64) {
	var hull []int
	for k, v := range edge {
		if math.IsInf(v, 1) {
			continue
		}
		for len(hull) > 1 {
			a, b := hull[len(hull)-2], hull[len(hull)-1]
			if (edge[b]-edge[a])*float64(k-a) < (v-edge[a])*float64(b-a) {
				break
			}
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, k)
	}
	for h := 1; h < len(hull); h++ {
		a, b := hull[h-1], hull[h]
		slope := (edge[b] - edge[a]) / float64(b-a)
		for k := a + 1; k < b; k++ {
			if math.IsInf(edge[k], 1) {
				continue
			}
			// Across the line, not along the finger.
			if d := (edge[k] - edge[a] - slope*float64(k-a)) / math.Sqrt(1+slope*slope); d > deep {
				at, deep = k, d
			}
		}
	}
	return at, deep
}

// cut is a straight way through a piece from a notch.
type cut struct {
	u, slant, length, cost float64
}

// cheapest looks for the way from a notch to the other edge that crosses the fewest ridges and is
// shortest, at most steepest degrees off the fingers' direction.
func (g *grid) cheapest(in []bool, f frame, u, v, down float64, steepest int) cut {
	best := cut{cost: math.Inf(1)}
	for du := -2.0; du <= 2; du++ {
		for deg := -steepest; deg <= steepest; deg += 4 {
			slant := float64(deg) * math.Pi / 180
			sin, cos := math.Sincos(slant)
			c := cut{u: u + du, slant: slant}
			out := 0
			for k := -2.0; out < 4; k++ {
				x, y := f.back(c.u+k*sin, v+down*k*cos)
				ix, iy := int(math.Round(x)), int(math.Round(y))
				if ix < 0 || iy < 0 || ix >= g.w || iy >= g.h {
					break
				}
				i := iy*g.w + ix
				if !in[i] {
					if k > 2 {
						out++
					}
					continue
				}
				out = 0
				c.length = k + 1
				c.cost += 0.4 + float64(g.coh[i]*min(1, g.energy[i]/g.top))
			}
			c.cost *= 1 + 0.25*slant*slant
			c.cost += 0.2 * math.Abs(du)
			if c.cost < best.cost {
				best = c
			}
		}
	}
	return best
}

// stack tells tips from what lies below them on the same finger.
func (g *grid) stack(pieces [][]int, hand float64) []tip {
	f := upright(hand)
	tops := make([]outline, len(pieces))
	order := make([]int, len(pieces))
	for k, p := range pieces {
		order[k] = k
		tops[k] = g.outline(p, f)
	}
	slices.SortFunc(order, func(a, b int) int {
		if tops[a].v0 < tops[b].v0 {
			return -1
		}
		return 1
	})
	var tips []tip
	accept := func(cells []int) {
		o := g.outline(cells, f)
		if o.u1-o.u0 >= leastWidth && len(cells) >= leastHeap {
			t := tip{cells: cells, u0: o.u0, u1: o.u1, v0: o.v0, v1: o.v1}
			g.axis(&t, hand)
			g.settle(&t, hand)
			tips = append(tips, t)
		}
	}
	for _, k := range order {
		free, under := g.covered(pieces[k], tips)
		if g.straight(pieces[k]) > bareStraight {
			for j, cells := range under {
				tips[j].below = append(tips[j].below, cells...)
			}
			continue
		}
		if 100*len(free) > 65*len(pieces[k]) {
			accept(pieces[k])
			continue
		}
		if g.straight(pieces[k]) < tipStraight {
			accept(pieces[k])
			continue
		}
		for j, cells := range under {
			t := &tips[j]
			if len(cells) == 0 {
				continue
			}
			if t.v1-t.v0 < 0.5*(t.u1-t.u0) && len(free)*4 < len(pieces[k]) {
				t.cells = append(t.cells, cells...) // a tip that a gap runs through
				g.settle(t, hand)
				continue
			}
			t.below = append(t.below, cells...)
		}
		for _, heap := range connected(free, g.w, g.h) {
			// What stands out beside a finger's second phalanx is another's tip only
			// if it is as broad as one.
			if o := g.outline(heap, f); len(heap) > 2*leastHeap && o.u1-o.u0 > 0.65*usualWidth {
				accept(heap)
			}
		}
	}
	return g.weed(tips)
}

// tipStraight tells a fingertip, whose ridges turn, from what lies below its joint,
// where they run straight across.
const (
	tipStraight  = 0.55 // below it only tips are
	bareStraight = 0.9  // above it none is
)

// straight is how much all ridges of a piece run one way, 0 to 1.
func (g *grid) straight(cells []int) float64 {
	var c, s, n float64
	for _, i := range cells {
		w := float64(g.coh[i])
		c, s, n = c+w*float64(g.c2[i]), s+w*float64(g.s2[i]), n+w
	}
	return math.Hypot(c, s) / max(n, 1)
}

// covered parts a piece into what lies below each of the tips, not far, and the rest.
func (g *grid) covered(piece []int, tips []tip) (free []int, under [][]int) {
	under = make([][]int, len(tips))
	near := make([]bool, len(tips))
	for j := range tips {
		t := &tips[j]
		f := upright(t.angle)
		first, middle := math.Inf(1), 0.0
		for _, i := range piece {
			u, v := f.at(float64(i%g.w), float64(i/g.w))
			middle += u / float64(len(piece))
			if u > t.u0 && u < t.u1 {
				first = min(first, v)
			}
		}
		// What begins further up lies beside the finger.
		reach := float64(widestCrease)
		if g.straight(piece) > 0.8 {
			reach *= 2
		}
		near[j] = first-t.v1 < reach && first > t.v1-0.3*(t.v1-t.v0)
		if edge := (t.u1 - t.u0) / 8; near[j] && middle > t.u0+edge && middle < t.u1-edge {
			under[j] = piece
			return nil, under
		}
	}
	for _, i := range piece {
		above := -1
		for j := range tips {
			if t := &tips[j]; near[j] {
				f := upright(t.angle)
				if u, v := f.at(float64(i%g.w), float64(i/g.w)); u > t.u0-3 && u < t.u1+3 && v > t.v1-5 {
					above = j
				}
			}
		}
		if above < 0 {
			free = append(free, i)
		} else {
			under[above] = append(under[above], i)
		}
	}
	return free, under
}

// weed drops what is too small beside the others to be a finger of the same hand.
func (g *grid) weed(tips []tip) []tip {
	sizes := make([]int, len(tips))
	for i, t := range tips {
		sizes[i] = len(t.cells)
	}
	slices.Sort(sizes)
	if len(sizes) < 2 {
		return tips
	}
	usual := sizes[len(sizes)/2]
	tips = slices.DeleteFunc(tips, func(t tip) bool { return len(t.cells)*5 < usual })
	for len(tips) > 4 { // what stands furthest back from the tips is none
		f, worst, most := upright(common(tips)), -1, 0.0
		for i := range tips {
			behind := 0.0
			for j := range tips {
				a, b := &tips[i], &tips[j]
				ua, va := f.at(a.middle())
				ub, vb := f.at(b.middle())
				if d := math.Abs(ua - ub); i != j && d < 0.6*usualWidth {
					behind = max(behind, va-vb)
				}
			}
			if behind > most {
				worst, most = i, behind
			}
		}
		if worst < 0 {
			break
		}
		tips = slices.Delete(tips, worst, worst+1)
	}
	return tips
}
