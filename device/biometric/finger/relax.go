package finger

import (
	"cmp"
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// sortPoints sorts by x, then y.
func sortPoints(p [][2]float32) {
	slices.SortFunc(p, func(a, b [2]float32) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
}

// maxRecord is the most minutiae a template holds (one byte counts them in
// ISO/IEC 19794-2:2005).
const maxRecord = 255

// maxPairs is how many pairs of cylinders the relaxation takes.
const maxPairs = 96

// Parameters of the relaxation (Cappelli, Ferrara, Maltoni 2010, section 4 and
// table 1).
const (
	relaxRounds = 5
	relaxWeight = 0.5
	relaxMinP   = 4
	relaxMaxP   = 12
	relaxMuP    = 20
	relaxTauP   = 0.4
)

// sigmoids of the three differences, tabulated: distance in quarter pixels,
// angles in 1/256 turns.
var (
	relaxDistance = sigmoidTable(256, 0.25, 5, -1.6)
	relaxAngle    = sigmoidTable(129, 2*math.Pi/256, math.Pi/12, -30)
)

func sigmoidTable(n int, step, mu, tau float64) []float32 {
	t := make([]float32, n)
	for i := range t {
		t[i] = float32(1 / (1 + math.Exp(-tau*(float64(i)*step-mu))))
	}
	return t
}

// candidate is a pair of cylinders that look alike.
type candidate struct {
	a, b    int16   // minutiae
	sim     float32 // of the cylinders
	relaxed float32
}

// Matcher compares templates. It keeps its working memory between comparisons,
// and is for one goroutine.
type Matcher struct {
	pairs  []candidate
	keys   []uint64
	laid   []uint64 // keys, in parts
	usedA  [maxRecord]bool
	usedB  [maxRecord]bool
	rho    []float32
	next   [maxPairs]float32
	points []placed
	try    alignment

	opinions [2]opinion
	best     *alignment // chosen, nil for none
	bestSet  int        // of the opinions
}

// NewMatcher returns a matcher.
func NewMatcher() *Matcher { return &Matcher{rho: make([]float32, maxPairs*maxPairs)} }

// leastAlike is the similarity from which on two cylinders may be a pair.
const leastAlike = 0.3

// pairUp fills m.pairs with the best pairs of cylinders, one to one, most
// alike first (greedy assignment).
func (m *Matcher) pairUp(a, b *Template) {
	keys := m.keys[:0]
	for i := range a.cylinders {
		ca := &a.cylinders[i]
		ta := a.Minutiae[ca.minutia].Angle
		for k := range b.cylinders {
			cb := &b.cylinders[k]
			d := ta - b.Minutiae[cb.minutia].Angle
			if d < 0 {
				d = -d
			}
			if d > mccMaxTurn && d < 2*math.Pi-mccMaxTurn {
				continue
			}
			if s := similarity(ca, cb); s > leastAlike {
				// Most alike first, then in order of the minutiae: numbers
				// sort faster than structures. Bits of floats above zero are
				// in their order.
				keys = append(keys, uint64(^math.Float32bits(s))<<32|uint64(uint16(ca.minutia))<<16|uint64(uint16(cb.minutia)))
			}
		}
	}
	m.keys = keys
	m.pairs = m.pairs[:0]
	limit := min(maxPairs, len(a.cylinders), len(b.cylinders))
	clear(m.usedA[:])
	clear(m.usedB[:])
	m.inOrder(func(key uint64) bool {
		x, y, s := int16(key>>16), int16(key), alike(key)
		if !m.usedA[x] && !m.usedB[y] {
			m.usedA[x], m.usedB[y] = true, true
			m.pairs = append(m.pairs, candidate{x, y, s, s})
		}
		return len(m.pairs) < limit
	})
}

// alike is the similarity in a key of pairUp.
func alike(key uint64) float32 { return math.Float32frombits(^uint32(key >> 32)) }

// keyBuckets is how many parts inOrder lays keys in: of some thousand keys a
// few each.
const keyBuckets = 256

func bucket(key uint64) int {
	return min(keyBuckets-1, max(0, int((1-alike(key))*(keyBuckets/(1-leastAlike)))))
}

// inOrder calls f with m.keys, the smallest first, until it returns false.
// Most are never asked for: keys are laid in parts by likeness, and a part is
// sorted when its turn comes.
func (m *Matcher) inOrder(f func(key uint64) bool) {
	var ends [keyBuckets + 1]int32
	for _, key := range m.keys {
		ends[bucket(key)+1]++
	}
	for i := range keyBuckets {
		ends[i+1] += ends[i]
	}
	// ends[i] is where part i begins, and once it is filled where it ends.
	m.laid = grow(m.laid, len(m.keys))
	for _, key := range m.keys {
		at := &ends[bucket(key)]
		m.laid[*at] = key
		*at++
	}
	from := int32(0)
	for _, to := range ends[:keyBuckets] {
		part := m.laid[from:to]
		slices.Sort(part)
		for _, key := range part {
			if !f(key) {
				return
			}
		}
		from = to
	}
}

// relax lets the pairs confirm each other by their distances, directions and
// bearings, and returns the global score: the mean of the pairs that held best.
func (m *Matcher) relax(a, b *Template) float32 {
	p := m.pairs
	n := len(p)
	if n < 2 {
		return 0
	}
	for i := range n {
		m.rho[i*n+i] = 0
		a1, b1 := &a.Minutiae[p[i].a], &b.Minutiae[p[i].b]
		for k := i + 1; k < n; k++ {
			r := compatible(a1, &a.Minutiae[p[k].a], b1, &b.Minutiae[p[k].b])
			m.rho[i*n+k], m.rho[k*n+i] = r, r
		}
	}
	for range relaxRounds {
		for i := range n {
			s := float32(0)
			for k, r := range m.rho[i*n : i*n+n] {
				s += r * p[k].relaxed
			}
			m.next[i] = relaxWeight*p[i].relaxed + (1-relaxWeight)*s/float32(n-1)
		}
		for i := range n {
			p[i].relaxed = m.next[i]
		}
	}
	// The pairs whose score fell least are the trusted ones.
	slices.SortFunc(p, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.relaxed*x.sim, x.relaxed*y.sim), cmp.Compare(x.a, y.a))
	})
	small := float64(min(len(a.cylinders), len(b.cylinders)))
	top := relaxMinP + int(math.Round((relaxMaxP-relaxMinP)/(1+math.Exp(-relaxTauP*(small-relaxMuP)))))
	top = min(top, n)
	s := float32(0)
	for i := range top {
		s += p[i].relaxed
	}
	return s / float32(top)
}

// Relaxed is the middle stage of a search: the global score of the relaxation
// alone, 0 to 1, without an alignment.
func (m *Matcher) Relaxed(a, b *Template) float32 {
	kernel.Rest()
	m.pairUp(a, b)
	return m.relax(a, b)
}

// compatible says how well two pairs of minutiae agree, 0 to 1: how far the
// second lies from the first, how it is turned, and where it is seen.
func compatible(a1, a2, b1, b2 *Minutia) float32 {
	ax, ay := a2.X-a1.X, a2.Y-a1.Y
	bx, by := b2.X-b1.X, b2.Y-b1.Y
	d := sqrt32(ax*ax+ay*ay) - sqrt32(bx*bx+by*by)
	if d < 0 {
		d = -d
	}
	i := int(d * 4)
	if i >= 48 { // below 1e-4
		return 0
	}
	turn := angleSteps((a1.Angle - a2.Angle) - (b1.Angle - b2.Angle))
	r := relaxDistance[i] * relaxAngle[turn]
	if r < 1e-3 {
		return 0
	}
	seen := angleSteps((a1.Angle - atan2(ay, ax)) - (b1.Angle - atan2(by, bx)))
	return r * relaxAngle[seen]
}

// angleSteps is the size of an angle in 1/256 turns, 0 to 128.
func angleSteps(radians float32) int {
	i := int(radians*(128/math.Pi)+1024.5) & 255
	if i > 128 {
		i = 256 - i
	}
	return i
}
