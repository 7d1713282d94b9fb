// Package prints invents fingerprints: a master that a finger would have, grown
// from an orientation field by Gabor filters, and impressions of it as a
// sensor would see them. The way is that of Cappelli, Maio and Maltoni
// ("Synthetic fingerprint-database generation", ICPR 2002) with the
// orientation model of Sherlock and Monro (Pattern Recognition 26, 1993).
// Nobody's finger is in it. How far the prints resemble real ones stands in
// README.md; a figure of accuracy measured on them alone says nothing.
package prints

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
)

// DPI is the resolution of masters and impressions in pixels an inch.
const DPI = 500

// Side lengths of a master in pixels: 20 by 24 mm.
const (
	masterWidth  = 400
	masterHeight = 470
)

// Pattern is the class of Galton and Henry. The numbers are published.
type Pattern int

const (
	Arch       Pattern = 1
	TentedArch Pattern = 2
	LeftLoop   Pattern = 3
	RightLoop  Pattern = 4
	Whorl      Pattern = 5
)

func (p Pattern) String() string {
	switch p {
	case Arch:
		return "arch"
	case TentedArch:
		return "tented arch"
	case LeftLoop:
		return "left loop"
	case RightLoop:
		return "right loop"
	case Whorl:
		return "whorl"
	}
	return "unknown"
}

// drawPattern picks a class as often as it occurs (Wilson, Candela and Watson,
// "Neural network fingerprint classification", J. Artificial Neural Networks
// 1, 1994).
func drawPattern(rng *rand.Rand) Pattern {
	switch v := rng.Float64(); {
	case v < 0.037:
		return Arch
	case v < 0.037+0.029:
		return TentedArch
	case v < 0.066+0.338:
		return LeftLoop
	case v < 0.404+0.317:
		return RightLoop
	}
	return Whorl
}

// Master is the skin of one finger, laid flat. It is not changed once made and
// may be used by several goroutines.
type Master struct {
	Pattern Pattern
	height  []float32 // -1 in a valley to 1 on a ridge, row by row
}

// NewMaster grows a finger. The same seed gives the same finger.
func NewMaster(seed uint64) *Master {
	rng := rand.New(rand.NewPCG(seed, 0x66696e676572))
	m := &Master{Pattern: drawPattern(rng)}
	f := newFlow(m.Pattern, rng)
	ridge := newNoise(rng, 90) // a finger's ridges are not equally far apart all over
	mean := min(max(9.1+0.55*rng.NormFloat64(), 7.6), 10.8)
	bank := newBank()
	choice := make([]*kernel, masterWidth*masterHeight)
	for y := range masterHeight {
		for x := range masterWidth {
			period := mean * (1 + 0.10*ridge.at(float64(x), float64(y)))
			if low := float64(y) - 0.72*masterHeight; low > 0 {
				period *= 1 + 0.25*low/masterHeight // wider towards the crease
			}
			choice[y*masterWidth+x] = bank.nearest(f.at(float64(x), float64(y)), period)
		}
	}
	m.height = grow(choice, rng)
	return m
}

// rounds of filtering make ridges of noise; more change little.
const rounds = 14

// grow filters noise with the kernel chosen for each pixel until ridges stand.
func grow(choice []*kernel, rng *rand.Rand) []float32 {
	const w, h = masterWidth + 2*reach, masterHeight + 2*reach
	in, out := make([]float32, w*h), make([]float32, w*h)
	for i := range in {
		in[i] = float32(rng.Float64()*2-1) * 0.3
	}
	for range rounds {
		var wg sync.WaitGroup
		n := runtime.GOMAXPROCS(0)
		for part := range n {
			wg.Go(func() {
				for y := part; y < masterHeight; y += n {
					for x := range masterWidth {
						var v float32
						at := (y+reach)*w + x + reach
						for _, t := range choice[y*masterWidth+x].taps {
							v += t.weight * in[at+t.dy*w+t.dx]
						}
						out[at] = min(max(v, -1), 1)
					}
				}
			})
		}
		wg.Wait()
		mirrorMargin(out, w, h)
		in, out = out, in
	}
	flat := make([]float32, masterWidth*masterHeight)
	for y := range masterHeight {
		copy(flat[y*masterWidth:][:masterWidth], in[(y+reach)*w+reach:])
	}
	return flat
}

// mirrorMargin fills the margin about the rectangle grown.
func mirrorMargin(p []float32, w, h int) {
	for y := range h {
		from := min(max(y, reach), h-reach-1)
		if y < reach {
			from = 2*reach - y
		} else if y >= h-reach {
			from = 2*(h-reach-1) - y
		}
		row := p[y*w:][:w]
		if y != from {
			copy(row, p[from*w:][:w])
		}
		for d := 1; d <= reach; d++ {
			row[reach-d] = row[reach+d]
			row[w-reach-1+d] = row[w-reach-1-d]
		}
	}
}

// flow is the orientation field: loops turn it by half a turn one way, deltas
// the other way. y points up, the origin is the master's middle.
type flow struct {
	loops, deltas [][2]float64
	arch          float64 // height of an arch that has no loop
	wander        *noise
}

func newFlow(p Pattern, rng *rand.Rand) *flow {
	f := &flow{wander: newNoise(rng, 120)}
	j := func(sd float64) float64 { return sd * rng.NormFloat64() }
	side := 1.0
	switch p {
	case Arch:
		f.arch = 0.9 + j(0.15)
	case TentedArch:
		x := j(8)
		f.loops = [][2]float64{{x, 10 + j(12)}}
		f.deltas = [][2]float64{{x + j(5), -95 + j(15)}}
	case RightLoop:
		side = -1
		fallthrough
	case LeftLoop:
		f.loops = [][2]float64{{j(12), 25 + j(15)}}
		f.deltas = [][2]float64{{side * (80 + j(16)), -115 + j(20)}}
	case Whorl:
		gap := 22 + math.Abs(j(18))
		tilt := j(0.5)
		dx, dy := gap*math.Sin(tilt), gap*math.Cos(tilt)
		cx, cy := j(10), 20+j(12)
		f.loops = [][2]float64{{cx + dx, cy + dy}, {cx - dx, cy - dy}}
		f.deltas = [][2]float64{{-100 + j(18), -105 + j(20)}, {100 + j(18), -105 + j(20)}}
	}
	return f
}

// at returns the direction of the ridges at a pixel in radians, of a half
// turn, x to the right and y down as in the picture.
func (f *flow) at(px, py float64) float64 {
	x, y := px-masterWidth/2, masterHeight/2-py
	wander := 0.12 * f.wander.at(px, py)
	if f.arch > 0 {
		rise := f.arch * math.Exp(-(y+40)*(y+40)/(2*90*90))
		return -math.Atan(rise*math.Sin(-x*math.Pi/masterWidth)*math.Pi/2) + wander
	}
	var a float64
	for _, l := range f.loops {
		a += math.Atan2(y-l[1], x-l[0])
	}
	for _, d := range f.deltas {
		a -= math.Atan2(y-d[1], x-d[0])
	}
	return -a/2 + wander
}
