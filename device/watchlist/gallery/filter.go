package gallery

import (
	"math"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// axisCount is how many coordinates a code row holds; the last two of its
// values are lengths.
const axisCount = kernel.CodeDims - 2

// basis turns templates into code rows whose integer product with a coded
// probe bounds the score from above.
//
// Let a_i be the axes, orthonormal; X_i = a_i·x the coordinates of a row x,
// and Q_i those of a probe q; x' and q' what the axes do not reach. Then
//
//	q·x = Σ Q_i X_i + q'·x'.
//
// A row stores integers g_i, and its rounding errors E_i are known when it is
// stored: X_i = o_i + s_i g_i + E_i, with offset o and step s of the axis. With
// any weights w_i > 0, the inequality of Cauchy and Schwarz gives
//
//	Σ Q_i E_i <= |Qw| |E/w|  and  q'·x' <= |q'| |x'|,
//
// and the row stores both of its lengths rounded up, |x'| <= s_r g_r and
// |E/w| <= s_e g_e. Hence
//
//	q·x <= Σ Q_i o_i + Σ Q_i s_i g_i + |q'| s_r g_r + |Qw| s_e g_e.
//
// The first sum is one number a probe. The rest is an inner product of v =
// (Q_i s_i, |q'| s_r, |Qw| s_e) with the row's integers, for which the probe
// is rounded too: v_i = S h_i + D_i with |D_i| <= S/2. As |g_i| <= CodeMax,
//
//	Σ v_i g_i <= S (Σ h_i g_i + CodeDims CodeMax / 2).
//
// So a row can only reach the score T if
//
//	Σ h_i g_i >= (T - slack - Σ Q_i o_i) / S - CodeDims CodeMax / 2.
//
// slack covers the arithmetic: kernel.Dot in float32, 1 product and at most 12
// additions deep, is off by at most 13 * 2^-24 * |q||x| = 8e-7 (lengths are 1
// within unitTolerance); all else is float64 on sums of at most 128 terms of
// size 1, below 1e-12, with axes whose products are checked to 1e-12 when they
// are made; the root in |x'| magnifies that, so 1e-9 is added below it. Rows
// whose integers do not fit are marked and always compared. Axes fitted to
// other templates make the lengths longer and the filter weaker, never wrong.
type basis struct {
	axes          [axisCount]axis
	offset, step  [axisCount]float64
	weight        [axisCount]float64
	rest, rounded float64 // s_r and s_e
	fitted        int     // templates in the gallery when it was made
	rooms         *rooms[int8]
}

type axis = [kernel.Dims]float64

const (
	slack       = 4e-6
	underRoot   = 1e-9
	probeSlack  = kernel.CodeDims * kernel.CodeMax / 2.0
	orthonormal = 1e-12
)

// coordinates returns a_i·x and |x'|, the latter rounded up.
func (b *basis) coordinates(x *Template) (along [axisCount]float64, rest float64) {
	var wide axis
	for i, v := range x {
		wide[i] = float64(v)
		rest += wide[i] * wide[i]
	}
	for i := range along {
		along[i] = inner(&b.axes[i], &wide)
		rest -= along[i] * along[i]
	}
	return along, math.Sqrt(max(0, rest) + underRoot)
}

// encode writes x as row r of a group, and reports false where the filter
// cannot bound it.
func (b *basis) encode(group *[kernel.GroupSize]int8, r int, x *Template) bool {
	along, rest := b.coordinates(x)
	var errors float64
	for i, v := range along {
		code := min(max(math.Round((v-b.offset[i])/b.step[i]), -kernel.CodeMax), kernel.CodeMax)
		group[kernel.CodeAt(r, i)] = int8(code)
		e := (v - b.offset[i] - code*b.step[i]) / b.weight[i]
		errors += e * e
	}
	rest = math.Ceil(rest / b.rest)
	rounded := math.Ceil(math.Sqrt(errors) / b.rounded)
	if !(rest <= kernel.CodeMax && rounded <= kernel.CodeMax) {
		return false
	}
	group[kernel.CodeAt(r, axisCount)] = int8(rest)
	group[kernel.CodeAt(r, axisCount+1)] = int8(rounded)
	return true
}

// coded is a probe for the code rows of one basis.
type coded struct {
	values *kernel.CodeProbe
	scale  float64 // S
	offset float64 // Σ Q_i o_i
}

func (b *basis) probe(q *Template) *coded {
	along, rest := b.coordinates(q)
	var v [kernel.CodeDims]float64
	var errors float64
	p := &coded{}
	for i, x := range along {
		v[i] = x * b.step[i]
		p.offset += x * b.offset[i]
		errors += x * b.weight[i] * x * b.weight[i]
	}
	v[axisCount] = rest * b.rest
	v[axisCount+1] = math.Sqrt(errors) * b.rounded
	for _, x := range v {
		p.scale = max(p.scale, math.Abs(x)/kernel.ProbeMax)
	}
	var values [kernel.CodeDims]int16
	for i, x := range v { // rest is above 0, and so is the scale
		values[i] = int16(math.Round(x / p.scale))
	}
	p.values = kernel.NewCodeProbe(&values)
	return p
}

// least returns the smallest integer product of a row that may score t.
func (p *coded) least(t float32) int32 {
	least := math.Floor((float64(t)-slack-p.offset)/p.scale - probeSlack)
	switch {
	case least >= math.MaxInt32: // above what any row has
		return math.MaxInt32
	case least >= math.MinInt32:
		return int32(least)
	}
	return math.MinInt32 // also for NaN
}

func inner(a, b *axis) float64 {
	var s0, s1, s2, s3 float64
	for i := 0; i < len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	return s0 + s1 + s2 + s3
}
