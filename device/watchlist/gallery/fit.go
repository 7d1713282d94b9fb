package gallery

import (
	"cmp"
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

const (
	fitSample = 8192 // templates that axes are made from
	// deviations is the half range of a code in standard deviations: beyond it
	// a value is cut off and its row's rounding error grows.
	deviations = 4.0
	// headroom is how far above the sample's longest a length may lie before
	// its row has to be compared always.
	headroom = 1.5
	tiny     = 1e-6 // smallest step, for templates that do not vary
)

// fit makes a basis from a sample of the templates: the first axis is the
// direction of their mean, the others the principal axes of what is left, so
// that what they vary in is centred. It returns nil where rounding has spoilt
// the axes, and the gallery goes on without a filter.
func fit(v *view) *basis {
	all := (len(v.chunks)-1)*chunkRows + v.tail
	var sample []*Template
	for i := 0; i < all; i += max(1, all/fitSample) {
		sample = append(sample, v.chunks[i/chunkRows].row(i%chunkRows))
	}
	b := &basis{fitted: v.templates, rooms: &rooms[int8]{size: chunkRows * kernel.CodeDims}}
	mean := meanOf(sample)
	if !b.orthonormalise(append([]axis{mean}, principal(covariance(sample, &mean))...)) {
		return nil
	}
	b.scale(sample)
	return b
}

func meanOf(sample []*Template) (mean axis) {
	for _, x := range sample {
		for i, v := range x {
			mean[i] += float64(v) / float64(len(sample))
		}
	}
	return mean
}

// covariance leaves out the direction of the mean.
func covariance(sample []*Template, mean *axis) *[kernel.Dims]axis {
	length := max(inner(mean, mean), tiny*tiny)
	c := &[kernel.Dims]axis{}
	for _, x := range sample {
		var d axis
		for i, v := range x {
			d[i] = float64(v)
		}
		along := inner(&d, mean) / length
		for i := range d {
			d[i] -= along * mean[i]
		}
		for i, u := range d {
			for j, w := range d[:i+1] {
				c[i][j] += u * w
			}
		}
	}
	for i := range c {
		for j := range i {
			c[j][i] = c[i][j]
		}
	}
	return c
}

// principal returns the eigenvectors of a symmetric matrix, the greatest
// eigenvalue first, by cyclic Jacobi rotations (Golub, Van Loan: Matrix
// Computations, 4th edition, 8.5). It destroys the matrix.
func principal(m *[kernel.Dims]axis) []axis {
	const sweeps = 12 // it converges quadratically: some eight are enough
	vectors := make([]axis, kernel.Dims)
	var trace float64
	for i := range vectors {
		vectors[i][i] = 1
		trace += math.Abs(m[i][i])
	}
	for range sweeps {
		for p := range kernel.Dims {
			for q := p + 1; q < kernel.Dims; q++ {
				if math.Abs(m[p][q]) > 1e-16*trace {
					rotate(m, vectors, p, q)
				}
			}
		}
	}
	order := make([]int, kernel.Dims)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(m[b][b], m[a][a]) })
	sorted := make([]axis, kernel.Dims)
	for i, o := range order {
		sorted[i] = vectors[o]
	}
	return sorted
}

// rotate makes element p, q zero. Row i of vectors becomes eigenvector i.
func rotate(m *[kernel.Dims]axis, vectors []axis, p, q int) {
	tau := (m[q][q] - m[p][p]) / (2 * m[p][q])
	t := math.Copysign(1/(math.Abs(tau)+math.Sqrt(1+tau*tau)), tau)
	c := 1 / math.Sqrt(1+t*t)
	s := t * c
	for i := range m {
		a, b := m[i][p], m[i][q]
		m[i][p], m[i][q] = c*a-s*b, s*a+c*b
	}
	turn(&m[p], &m[q], c, s)
	turn(&vectors[p], &vectors[q], c, s)
}

func turn(x, y *axis, c, s float64) {
	for i := range x {
		a, b := x[i], y[i]
		x[i], y[i] = c*a-s*b, s*a+c*b
	}
}

// orthonormalise sets the axes from candidates, best first, by Gram and
// Schmidt, twice over against rounding, and checks them.
func (b *basis) orthonormalise(candidates []axis) bool {
	n := 0
	for _, c := range candidates {
		if n == axisCount {
			break
		}
		for range 2 {
			for k := range n {
				along := inner(&c, &b.axes[k])
				for i := range c {
					c[i] -= along * b.axes[k][i]
				}
			}
			length := math.Sqrt(inner(&c, &c))
			if !(length > 1e-3) { // hardly anything new in it
				c = axis{}
				break
			}
			for i := range c {
				c[i] /= length
			}
		}
		if c != (axis{}) {
			b.axes[n] = c
			n++
		}
	}
	for i := range b.axes {
		for k := range i + 1 {
			want := 0.0
			if i == k {
				want = 1
			}
			if !(math.Abs(inner(&b.axes[i], &b.axes[k])-want) <= orthonormal) {
				return false
			}
		}
	}
	return n == axisCount
}

// scale sets offsets, steps and weights from the sample.
func (b *basis) scale(sample []*Template) {
	var squares [axisCount]float64
	for _, x := range sample {
		along, rest := b.coordinates(x)
		b.rest = max(b.rest, rest)
		for i, v := range along {
			b.offset[i] += v
			squares[i] += v * v
		}
	}
	n := float64(len(sample))
	var spread float64
	for i := range squares {
		b.offset[i] /= n
		deviation := math.Sqrt(max(0, squares[i]/n-b.offset[i]*b.offset[i]))
		b.step[i] = max(tiny, deviations*deviation/kernel.CodeMax)
		b.weight[i] = 1
		if i > 0 {
			spread += squares[i] / n
		}
	}
	// A probe is long along the mean and short along the rest: errors along the
	// mean weigh more by as much.
	b.weight[0] = min(1, max(0.02, math.Sqrt(spread)/max(math.Abs(b.offset[0]), tiny)))
	b.rest = max(tiny, headroom*b.rest/kernel.CodeMax)
	b.rounded = b.longestError(sample) * headroom / kernel.CodeMax
}

// longestError returns the greatest |E/w| of the sample.
func (b *basis) longestError(sample []*Template) float64 {
	longest := tiny
	for _, x := range sample {
		along, _ := b.coordinates(x)
		var errors float64
		for i, v := range along {
			v -= b.offset[i]
			code := min(max(math.Round(v/b.step[i]), -kernel.CodeMax), kernel.CodeMax)
			e := (v - code*b.step[i]) / b.weight[i]
			errors += e * e
		}
		longest = max(longest, math.Sqrt(errors))
	}
	return longest
}
