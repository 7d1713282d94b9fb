// Package measure times searches in a gallery of made-up faces: milliseconds a query, memory, and
// the memory bound. The faces are vectors drawn at random and stand for nobody.
package measure

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
)

// Crowd draws templates with a mean and a covariance. It is safe for
// concurrent use.
type Crowd struct {
	mean  [kernel.Dims]float64
	lower [kernel.Dims][kernel.Dims]float64 // covariance = lower lower'
}

// leastLike is how few templates a covariance may be taken from.
const leastLike = 50

// Like returns a crowd with the mean and covariance of templates, of which it
// needs at least 50 (bench.like).
func Like(templates []gallery.Template) (*Crowd, error) {
	if len(templates) < leastLike {
		return nil, fault.New("bench.like", "%d faces, %d are needed", len(templates), leastLike)
	}
	c := &Crowd{}
	n := float64(len(templates))
	for i := range templates {
		for j, v := range templates[i] {
			c.mean[j] += float64(v) / n
		}
	}
	var covariance [kernel.Dims][kernel.Dims]float64
	for i := range templates {
		var d [kernel.Dims]float64
		for j, v := range templates[i] {
			d[j] = float64(v) - c.mean[j]
		}
		for j, v := range d {
			for k, w := range d[:j+1] {
				covariance[j][k] += v * w / (n - 1)
			}
		}
	}
	c.factor(&covariance)
	return c, nil
}

// factor sets lower by Cholesky's decomposition (Golub, Van Loan: Matrix
// Computations, 4th edition, 4.2); directions without variance stay empty.
func (c *Crowd) factor(m *[kernel.Dims][kernel.Dims]float64) {
	const least = 1e-12
	l := &c.lower
	for j := range l {
		rest := m[j][j]
		for _, v := range l[j][:j] {
			rest -= v * v
		}
		if rest < least {
			continue
		}
		l[j][j] = math.Sqrt(rest)
		for i := j + 1; i < len(l); i++ {
			s := m[i][j]
			for k, v := range l[j][:j] {
				s -= l[i][k] * v
			}
			l[i][j] = s / l[j][j]
		}
	}
}

// Synthetic returns a crowd that no picture was needed for: a mean direction
// and a falling spectrum in directions drawn at random. Its two constants are
// published statistics of dlib templates (Labeled Faces in the Wild, project
// measurement of 2026): 77 % of the variance along the first 32 of 128 axes,
// and a cosine of 0.85 between two people.
func Synthetic(seed uint64) *Crowd {
	const decay, between = 21.8, 0.85
	r := rand.New(rand.NewPCG(seed, 0xc407d))
	c := &Crowd{}
	var sum float64
	for i := range kernel.Dims {
		sum += math.Exp(-float64(i) / decay)
		c.mean[i] = r.NormFloat64()
	}
	length := math.Sqrt(inner(&c.mean, &c.mean))
	var directions [kernel.Dims][kernel.Dims]float64
	for i := range directions {
		c.mean[i] /= length
		for j := range directions[i] {
			directions[i][j] = r.NormFloat64()
		}
		for k := range i {
			along := inner(&directions[i], &directions[k])
			for j := range directions[i] {
				directions[i][j] -= along * directions[k][j]
			}
		}
		norm := math.Sqrt(inner(&directions[i], &directions[i]))
		deviation := math.Sqrt((1/between - 1) * math.Exp(-float64(i)/decay) / sum)
		for j := range directions[i] {
			directions[i][j] /= norm
			c.lower[j][i] = directions[i][j] * deviation
		}
	}
	return c
}

func inner(a, b *[kernel.Dims]float64) (s float64) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// Draw writes a template of unit length to v.
func (c *Crowd) Draw(r *rand.Rand, v *gallery.Template) {
	var z, x [kernel.Dims]float64
	for i := range z {
		z[i] = r.NormFloat64()
	}
	for i := range x {
		x[i] = c.mean[i] + inner(&c.lower[i], &z)
	}
	length := math.Sqrt(inner(&x, &x))
	for i := range v {
		v[i] = float32(x[i] / length)
	}
}

// Rows draws n templates one after the other, on all cores, the same ones for
// the same seed.
func (c *Crowd) Rows(n int, seed uint64) []float32 {
	const share = 10_000
	rows := make([]float32, n*kernel.Dims)
	var wg sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for from := 0; from < n; from += share {
		free <- struct{}{}
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(from)))
			for i := from; i < min(n, from+share); i++ {
				c.Draw(r, (*gallery.Template)(rows[i*kernel.Dims:]))
			}
			<-free
		})
	}
	wg.Wait()
	return rows
}
