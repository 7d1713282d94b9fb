package finger

import "math"

// Ridge periods that are looked for, in pixels at 500 dpi: quarter steps of an
// octave from 4 up. Adults have 7 to 12, children down to 5.
const (
	periods    = 17
	minPeriod  = 4.0
	octaveStep = 8
	noPeriod   = 0xff // a cell in the background
)

func periodOf(i float64) float64 { return minPeriod * math.Exp2(i/octaveStep) }

// Signature of a block: the mean along the ridge over a window as wide as four
// common periods.
const (
	sigHalf  = 20 // samples to each side, across the ridge
	sigAlong = 8  // pixels to each side, along the ridge
	sigSide  = 2 * block
)

// periodTable holds the windowed waves to multiply signatures with.
var periodTable = makePeriodTable()

func makePeriodTable() (t [periods][2][2*sigHalf + 1]float32) {
	for p := range t {
		f := 2 * math.Pi / periodOf(float64(p))
		// Every wave sees about three of its own periods, so that long ones are
		// not favoured by a narrow line and short ones not by a noisy one.
		sigma := min(1.3*periodOf(float64(p)), sigHalf/2.0)
		mean, sum := 0.0, 0.0
		for i := range 2*sigHalf + 1 {
			d := float64(i - sigHalf)
			g := math.Exp(-d * d / (2 * sigma * sigma))
			mean += g * math.Cos(f*d)
			sum += g
		}
		mean /= sum
		norm := 0.0
		for i := range 2*sigHalf + 1 {
			d := float64(i - sigHalf)
			g := math.Exp(-d * d / (2 * sigma * sigma))
			c := g * (math.Cos(f*d) - mean)
			t[p][0][i] = float32(c)
			t[p][1][i] = float32(g * math.Sin(f*d))
			norm += c * c
		}
		for i := range 2*sigHalf + 1 {
			t[p][0][i] /= float32(math.Sqrt(norm))
			t[p][1][i] /= float32(math.Sqrt(norm))
		}
	}
	return t
}

// periods sets the ridge period of every block: the strongest wave across the
// ridge, agreed upon with the neighbourhood.
func (e *Extractor) periods() {
	f := &e.field
	gw, gh := (e.bw+1)/2, (e.bh+1)/2
	power := make([][periods]float32, gw*gh)
	for gy := range gh {
		for gx := range gw {
			x, y := gx*sigSide+sigSide/2, gy*sigSide+sigSide/2
			if e.inside(x, y) {
				e.spectrum(x, y, &power[gy*gw+gx])
			}
		}
	}
	// Neighbours within 3 grid steps share their spectra.
	var shared [3*3 + 3*3 + 1]float32 // weight by squared distance
	for d := range shared {
		shared[d] = float32(math.Exp(-float64(d) / 4))
	}
	smooth := make([][periods]float32, len(power))
	for gy := range gh {
		for gx := range gw {
			out := &smooth[gy*gw+gx]
			for v := max(0, gy-3); v <= min(gh-1, gy+3); v++ {
				for u := max(0, gx-3); u <= min(gw-1, gx+3); u++ {
					w := shared[(u-gx)*(u-gx)+(v-gy)*(v-gy)]
					for p, s := range power[v*gw+u] {
						out[p] += w * s
					}
				}
			}
		}
	}
	for by := range e.bh {
		for bx := range e.bw {
			s := &smooth[(by/2)*gw+bx/2]
			best := 0
			for p := range s {
				if s[p] > s[best] {
					best = p
				}
			}
			at := float64(best)
			if best > 0 && best < periods-1 {
				l, c, r := s[best-1], s[best], s[best+1]
				if den := l - 2*c + r; den < 0 {
					at += 0.5 * float64((l-r)/den)
				}
			}
			e.period[by*e.bw+bx] = float32(at)
		}
	}
	f.gauss(f.a, e.period, 1.5) // indexes; the margin is wrong by the zeros outside
	for i := range f.b {
		f.b[i] = 1
	}
	f.gauss(f.b, f.b, 1.5)
	for i := range e.period {
		e.period[i] = f.a[i] / f.b[i]
	}
}

// spectrum adds the normalised power of the signature at (x, y).
func (e *Extractor) spectrum(x, y int, out *[periods]float32) {
	a := float64(e.field.angle(float32(x), float32(y)))
	ux, uy := float32(math.Cos(a)), float32(math.Sin(a)) // along the ridge
	nx, ny := -uy, ux
	var sig [2*sigHalf + 1]float32
	for i := range sig {
		d := float32(i - sigHalf)
		s, n := float32(0), float32(0)
		for k := -sigAlong; k <= sigAlong; k += 2 {
			px := float32(x) + d*nx + float32(k)*ux
			py := float32(y) + d*ny + float32(k)*uy
			ix, iy := int(px+0.5), int(py+0.5)
			if uint(ix) >= uint(e.w) || uint(iy) >= uint(e.h) {
				continue
			}
			s += e.norm[e.at(ix, iy)]
			n++
		}
		if n > 0 {
			sig[i] = s / n
		}
	}
	// The waves are even and odd about the middle: half the products do.
	var even, odd [sigHalf + 1]float32
	even[0] = sig[sigHalf]
	for i := 1; i <= sigHalf; i++ {
		even[i], odd[i] = sig[sigHalf+i]+sig[sigHalf-i], sig[sigHalf+i]-sig[sigHalf-i]
	}
	total := float32(1e-6)
	var pw [periods]float32
	for p := range pw {
		c, s := float32(0), float32(0)
		cosine, sine := periodTable[p][0][sigHalf:], periodTable[p][1][sigHalf:]
		for i, v := range even {
			c += v * cosine[i]
			s += odd[i] * sine[i]
		}
		pw[p] = c*c + s*s
		total += pw[p]
	}
	for p := range pw {
		out[p] += pw[p] / total * min(1, total)
	}
}
