package prints

import (
	"math"
	"math/rand/v2"
)

// Sizes of the filter bank.
const (
	reach        = 12 // of a kernel, pixels from the middle
	orientations = 48
	periods      = 9
	leastPeriod  = 7.0 // pixels from ridge to ridge
	mostPeriod   = 13.0
	gain         = 4.5 // so that ridges are driven to their full height
)

type tap struct {
	dx, dy int
	weight float32
}

type kernel struct{ taps []tap }

// bank holds Gabor kernels without a mean, by orientation and period.
type bank struct {
	kernels [orientations][periods]kernel
}

func newBank() *bank {
	b := &bank{}
	for o := range orientations {
		for p := range periods {
			b.kernels[o][p] = gabor(math.Pi*float64(o)/orientations, leastPeriod+(mostPeriod-leastPeriod)*float64(p)/(periods-1))
		}
	}
	return b
}

func (b *bank) nearest(angle, period float64) *kernel {
	o := int(math.Round(angle/math.Pi*orientations)) % orientations
	if o < 0 {
		o += orientations
	}
	p := int(math.Round((period - leastPeriod) / (mostPeriod - leastPeriod) * (periods - 1)))
	return &b.kernels[o][min(max(p, 0), periods-1)]
}

// gabor makes the kernel for ridges along angle. Its Gaussian falls to a
// thousandth at one and a half periods (Cappelli and others, section 2.3).
func gabor(angle, period float64) kernel {
	sigma := math.Sqrt(9 * period * period / (32 * math.Ln10))
	sin, cos := math.Sincos(angle)
	var ts []tap
	var sum, norm float64
	for dy := -reach; dy <= reach; dy++ {
		for dx := -reach; dx <= reach; dx++ {
			across := float64(dy)*cos - float64(dx)*sin
			g := math.Exp(-float64(dx*dx+dy*dy) / (2 * sigma * sigma))
			if g < 0.002 {
				continue
			}
			w := g * math.Cos(2*math.Pi*across/period)
			ts = append(ts, tap{dx, dy, float32(w)})
			sum += w
			norm += g
		}
	}
	mean := float32(sum / float64(len(ts)))
	for i := range ts {
		ts[i].weight = gain * (ts[i].weight - mean) / float32(norm)
	}
	return kernel{ts}
}

// noise is a smooth random field, standard deviation about 1.
type noise struct {
	grid   [][]float64
	period float64 // pixels between independent values
}

const noiseCells = 96

func newNoise(rng *rand.Rand, period float64) *noise {
	n := &noise{period: period, grid: make([][]float64, noiseCells)}
	for i := range n.grid {
		n.grid[i] = make([]float64, noiseCells)
		for j := range n.grid[i] {
			n.grid[i][j] = rng.NormFloat64()
		}
	}
	return n
}

// at interpolates; the field repeats after noiseCells periods.
func (n *noise) at(x, y float64) float64 {
	x, y = x/n.period+8, y/n.period+8
	ix, iy := int(math.Floor(x)), int(math.Floor(y))
	fx, fy := smooth(x-float64(ix)), smooth(y-float64(iy))
	v := func(i, j int) float64 { return n.grid[wrap(j)][wrap(i)] }
	top := v(ix, iy)*(1-fx) + v(ix+1, iy)*fx
	low := v(ix, iy+1)*(1-fx) + v(ix+1, iy+1)*fx
	return top*(1-fy) + low*fy
}

func wrap(i int) int { return (i%noiseCells + noiseCells) % noiseCells }

func smooth(t float64) float64 { return t * t * (3 - 2*t) }
