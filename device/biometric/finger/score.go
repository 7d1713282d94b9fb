package finger

import (
	"math"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// Features of a comparison, in the order of the weights.
const (
	featGlobal  = iota // score of the relaxation
	featMatches        // minutiae that lie on each other, by closeness
	featShare          // of those in the overlap
	featMiss           // mean distance of the matched, share of the tolerance
	featField          // agreement of the ridges' directions in the overlap
	featArea           // overlap; without ridges, how many minutiae lie in it
	featPeriod         // disagreement of the ridge periods
	featSimilar        // mean similarity of the matched cylinders
	featStill          // correlation of the ridges
	featBest           // with small shifts
	featGood           // share of patches that agree
	featHeld           // logarithm of the relaxation's score, which is small for most
	features
)

// Features are what a score is made of.
type vector [features]float64

// measure fills the features of one way of laying a on b.
func (m *Matcher) measure(t *alignment, a, b *Template, global float32, g *agreement) (v vector) {
	v[featGlobal], v[featHeld] = float64(global), held(float64(global))
	v[featMatches] = math.Log1p(float64(max(0, t.weight)))
	inA, inB := m.overlapped(t, a, b)
	if inA > 0 && inB > 0 {
		v[featShare] = float64(t.weight) / math.Sqrt(float64(inA*inB))
	}
	miss := 0.0
	for _, k := range t.matches {
		miss += math.Sqrt(float64(k.miss)) / closeReach
	}
	v[featMiss] = 1
	if n := len(t.matches); n > 0 {
		v[featMiss] = miss / float64(n)
	}
	v[featSimilar] = t.similar(a, b)
	if plain(a, b) {
		v[featArea] = math.Sqrt(float64(inA*inB)) / 10
		return v
	}
	v[featField], v[featArea], v[featPeriod] = t.compareRidges(&a.ridges, &b.ridges)
	v[featStill], v[featBest], v[featGood] = g.means()
	return v
}

// held is the logarithm of a relaxation's score: it tells prints that agree in
// a few places from those that agree nowhere.
func held(global float64) float64 { return math.Log(0.01 + max(0, global)) }

// of returns the cylinder of a minutia, nil if it has none.
func (t *Template) of(minutia int16) *cylinder {
	// The cylinders are in the order of the minutiae, some left out.
	for i := min(int(minutia), len(t.cylinders)-1); i >= 0; i-- {
		if c := &t.cylinders[i]; c.minutia <= minutia {
			if c.minutia == minutia {
				return c
			}
			return nil
		}
	}
	return nil
}

// overlapped counts the minutiae of each that lie where the other has ridges.
func (m *Matcher) overlapped(t *alignment, a, b *Template) (inA, inB int) {
	byHull := plain(a, b)
	for i := range a.Minutiae {
		x, y := t.place(a.Minutiae[i].X, a.Minutiae[i].Y)
		if b.covers(x, y, byHull) {
			inA++
		}
	}
	for i := range b.Minutiae {
		dx, dy := b.Minutiae[i].X-t.x, b.Minutiae[i].Y-t.y
		if a.covers(t.cos*dx+t.sin*dy, t.cos*dy-t.sin*dx, byHull) {
			inB++
		}
	}
	return max(inA, len(t.matches)), max(inB, len(t.matches))
}

// hullMargin is how far around its minutiae a print reaches that has no
// ridges, in pixels: about half of what lies between two minutiae.
const hullMargin = 12

// plain tells whether two prints can be compared by minutiae only: at least
// one came from a record.
func plain(a, b *Template) bool { return a.ridges.w == 0 || b.ridges.w == 0 }

// covers reports whether a point lies on ridges of the print.
func (t *Template) covers(x, y float32, byHull bool) bool {
	if byHull {
		return nearHull(t.hull, x, y, hullMargin)
	}
	return t.ridges.index(x, y) >= 0
}

// index of the map's element at a point, -1 in the background.
func (r *ridgeMap) index(x, y float32) int {
	if x < 0 || y < 0 {
		return -1
	}
	ix, iy := int(x)/mapStep, int(y)/mapStep
	if ix >= r.w || iy >= r.h || r.state[iy*r.w+ix] == 0 {
		return -1
	}
	return iy*r.w + ix
}

// cosines by difference of two map angles: doubled angles, full turn at 256.
var cosines = func() (c [256]float32) {
	for i := range c {
		c[i] = float32(math.Cos(float64(i) * 2 * math.Pi / 256))
	}
	return c
}()

// compareRidges lays the map of a on that of b: mean cosine of the doubled
// difference, common area in units of 100 blocks, mean difference of the
// periods in octaves.
func (t *alignment) compareRidges(a, b *ridgeMap) (agree, area, period float64) {
	turn := int(math.Round(float64(t.angle) * (256 / math.Pi)))
	var sum, weight, diff float32
	n := 0
	for y := range a.h {
		for x := range a.w {
			i := y*a.w + x
			if a.state[i] == 0 {
				continue
			}
			px, py := t.place(float32(x*mapStep+block), float32(y*mapStep+block))
			k := b.index(px, py)
			if k < 0 {
				continue
			}
			n++
			w := float32(a.state[i]) * float32(b.state[k])
			sum += w * cosines[(int(a.angle[i])+turn-int(b.angle[k]))&255]
			d := float32(a.per[i]) - float32(b.per[k])
			if d < 0 {
				d = -d
			}
			diff += w * d
			weight += w
		}
	}
	if weight == 0 {
		return 0, 0, 0.2
	}
	return float64(sum / weight), float64(n) / 100, float64(diff/weight) / (8 * octaveStep)
}

// opinion is what one set of minutiae says about two prints.
type opinion struct {
	a, b   *Template
	global float32
	ways   [keptWays]alignment
	found  int
}

// consult fills o for one set of minutiae.
func (m *Matcher) consult(o *opinion, a, b *Template) {
	o.a, o.b, o.found = a, b, 0
	kernel.Rest()
	m.pairUp(a, b)
	o.global = m.relax(a, b)
	m.align(o)
}

// compare measures two templates.
func (m *Matcher) compare(a, b *Template) vector {
	sets := 1
	m.consult(&m.opinions[0], a, b)
	if a.other != nil && b.other != nil {
		m.consult(&m.opinions[1], a.other, b.other)
		sets = 2
	}
	set, way, seen := m.choose(sets)
	if way == nil {
		m.best = nil
		global := float64(m.opinions[0].global)
		return vector{featGlobal: global, featHeld: held(global), featMiss: 1, featPeriod: 0.2}
	}
	m.best, m.bestSet = way, set
	o := &m.opinions[set]
	seen.add(way.correlate(o.a, o.b, 1))
	v := m.measure(way, o.a, o.b, o.global, &seen)
	if sets == 2 {
		m.second(&v)
	}
	return v
}

// weakWay is the share of the strongest way's weight below which another is
// not looked at; closeLooks is at how many the search looks at most.
const (
	weakWay    = 0.5
	closeLooks = 3
)

// choose looks at the strongest ways and returns the one on which minutiae and
// ridges agree best, and half of its ridges' agreement. The choice needs no
// fitting.
func (m *Matcher) choose(sets int) (set int, way *alignment, seen agreement) {
	var looked [2][keptWays]bool
	top, strongest := 0.0, float32(-1)
	for range closeLooks {
		var next *alignment
		at, of := 0, 0
		for s := range sets {
			o := &m.opinions[s]
			for i := range o.found {
				if t := &o.ways[i]; !looked[s][i] && (next == nil || t.weight > next.weight) {
					next, at, of = t, i, s
				}
			}
		}
		if next == nil || next.weight < weakWay*strongest {
			break
		}
		looked[of][at] = true
		strongest = max(strongest, next.weight)
		o := &m.opinions[of]
		g := next.correlate(o.a, o.b, 0)
		_, _, good := g.means()
		if v := math.Log1p(float64(max(0, next.weight))) + 4*good; way == nil || v > top {
			set, way, seen, top = of, next, g, v
		}
	}
	return set, way, seen
}

// second lets the other set of minutiae speak on the chosen alignment: what
// both can tell is averaged.
func (m *Matcher) second(v *vector) {
	o := &m.opinions[1-m.bestSet]
	t := &m.try
	t.cos, t.sin, t.x, t.y, t.angle = m.best.cos, m.best.sin, m.best.x, m.best.y, m.best.angle
	m.collect(t, o.a, o.b, wideReach, wideTurn, false)
	if len(t.matches) >= 3 {
		m.collect(t, o.a, o.b, wideReach, wideTurn, true)
	}
	m.collect(t, o.a, o.b, closeReach, closeTurn, true)
	v[featGlobal] = (v[featGlobal] + float64(o.global)) / 2
	v[featHeld] = held(v[featGlobal])
	v[featMatches] = (v[featMatches] + math.Log1p(float64(t.weight))) / 2
	share := 0.0
	if inA, inB := m.overlapped(t, o.a, o.b); inA > 0 && inB > 0 {
		share = float64(t.weight) / math.Sqrt(float64(inA*inB))
	}
	v[featShare] = (v[featShare] + share) / 2
	v[featSimilar] = (v[featSimilar] + t.similar(o.a, o.b)) / 2
}

// similar is the mean similarity of the matched cylinders, drawn to zero when
// there are few.
func (t *alignment) similar(a, b *Template) float64 {
	s := 0.0
	for _, k := range t.matches {
		if ca, cb := a.of(k.a), b.of(k.b); ca != nil && cb != nil {
			s += float64(similarity(ca, cb))
		}
	}
	return s / (float64(len(t.matches)) + 3)
}

// weights turn features into a log-likelihood ratio: a constant, then one a
// feature. Logistic regression with both kinds of pairs weighing the same, so
// that the sum is the logarithm of the ratio itself; fitted on the pairs of
// three sets as they are, degraded, and as other sensors would show them, and on
// invented prints, whose strangers are more alike (TestFVCRotation, README.md).
var weights = [features + 1]float64{1.0303, -0.2579, 5.4118, 6.7274, -0.3084, -2.2536, -0.2513, 9.0738, -20.1850, 4.6821, -3.2856, 17.3343, 3.3938}

// plainWeights do the same where at least one print has minutiae only, fitted
// on the same prints, packed (TestFVCPlain).
var plainWeights = [features + 1]float64{-11.0177, 18.3406, 2.3434, 16.7495, -2.1273, 0, 0.5461, 0, -1.7834}

// llr is the log-likelihood ratio of features.
func (v *vector) llr(plain bool) float64 {
	if plain {
		return v.weigh(plainWeights)
	}
	return v.weigh(weights)
}

func (v *vector) weigh(w [features + 1]float64) float64 {
	s := w[0]
	for i, x := range v {
		s += w[i+1] * x
	}
	return s
}

// Score compares two templates: the natural logarithm of how much likelier the
// comparison looks for two prints of one finger than for prints of two. It is
// the same whichever comes first, to the working precision of the search for
// an alignment.
func (m *Matcher) Score(a, b *Template) float64 {
	v := m.compare(a, b)
	return v.llr(plain(a, b))
}
