package finger

import (
	"math"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// orientations is the number of directions of the filters, over pi.
const orientations = 64

// Shape of the oriented filters: a Gaussian along the ridge, then a Gabor
// across it. Separating them costs 80 products a pixel instead of 400; a field
// that bends within the filter's length is followed, as each pixel of the
// first pass has its own direction.
const (
	alongHalf  = 10
	acrossHalf = 14
	acrossBeta = 0.45 // deviation of the across filter in periods
)

// alongSigma is the deviation of the along filter in pixels, first and second
// pass.
var alongSigma = [2]float64{4.5, 4.0}

// tap is one sample of a filter.
type tap struct {
	dx, dy int
	w      float32
}

// filterBank holds the filters, and their offsets for one stride of planes.
type filterBank struct {
	stride  int
	alongT  [2][orientations][]tap
	acrossT [orientations][periods][]tap

	along  [2][orientations][]kernel.Tap
	across [orientations][periods][]kernel.Tap
}

// line samples a profile along direction (ux, uy), one step of the longer axis
// at a time, interpolated across.
func line(ux, uy float64, half int, profile func(d float64) float64) []tap {
	var out []tap
	steep := math.Abs(uy) > math.Abs(ux)
	major, minor := ux, uy
	if steep {
		major, minor = uy, ux
	}
	slope := minor / major
	for k := -half; k <= half; k++ {
		d := float64(k) / major // distance along the line, signed
		w := profile(d)
		if math.Abs(w) < 1e-4 {
			continue
		}
		m := float64(k) * slope
		lo := math.Floor(m)
		for _, t := range [2]struct{ at, w float64 }{{lo, 1 - (m - lo)}, {lo + 1, m - lo}} {
			if t.w < 0.02 {
				continue
			}
			x, y := k, int(t.at)
			if steep {
				x, y = y, x
			}
			out = append(out, tap{x, y, float32(w * t.w)})
		}
	}
	return out
}

func newFilterBank() *filterBank {
	b := &filterBank{}
	for o := range orientations {
		a := math.Pi * float64(o) / orientations
		ux, uy := math.Cos(a), math.Sin(a)
		for pass, sigma := range alongSigma {
			t := line(ux, uy, alongHalf, func(d float64) float64 { return math.Exp(-d * d / (2 * sigma * sigma)) })
			sum := float32(0)
			for _, v := range t {
				sum += v.w
			}
			for i := range t {
				t[i].w /= sum
			}
			b.alongT[pass][o] = t
		}
		for p := range periods {
			period := periodOf(float64(p))
			sigma := acrossBeta * period
			t := line(-uy, ux, acrossHalf, func(d float64) float64 {
				return math.Exp(-d*d/(2*sigma*sigma)) * math.Cos(2*math.Pi*d/period)
			})
			b.acrossT[o][p] = balance(t, period, -uy, ux)
		}
	}
	return b
}

// balance takes the mean out of a filter, so that flat ground gives nothing,
// and scales it to answer a wave of its own period with its amplitude.
func balance(t []tap, period, nx, ny float64) []tap {
	sum, weight := 0.0, 0.0
	for _, v := range t {
		sum += float64(v.w)
		d := float64(v.dx)*nx + float64(v.dy)*ny
		weight += math.Exp(-d * d / (0.8 * period * period))
	}
	gain := 0.0
	for i, v := range t {
		d := float64(v.dx)*nx + float64(v.dy)*ny
		w := float64(v.w) - sum/weight*math.Exp(-d*d/(0.8*period*period))
		t[i].w = float32(w)
		gain += w * math.Cos(2*math.Pi*d/period)
	}
	for i := range t {
		t[i].w /= float32(gain)
	}
	return t
}

// place computes the offsets for planes of a stride.
func (b *filterBank) place(stride int) {
	if b.stride == stride {
		return
	}
	b.stride = stride
	for o := range orientations {
		for pass := range b.along {
			b.along[pass][o] = laid(b.along[pass][o], b.alongT[pass][o], stride)
		}
		for p := range periods {
			b.across[o][p] = laid(b.across[o][p], b.acrossT[o][p], stride)
		}
	}
}

// laid returns the taps as offsets into a paired plane, in the memory of to.
func laid(to []kernel.Tap, t []tap, stride int) []kernel.Tap {
	to = grow(to, len(t))
	for i, v := range t {
		to[i] = kernel.Tap{Off: int32(2 * (v.dy*stride + v.dx)), W: v.w}
	}
	return to
}

// choose sets each cell's filter from the field.
func (e *Extractor) choose() {
	f := &e.field
	for cy := range e.ch {
		for cx := range e.cw {
			i := cy*e.cw + cx
			x, y := cx*cellWidth, cy*cellHeight
			b := (y/block)*e.bw + x/block
			if !e.mask[b] {
				e.cellPer[i] = noPeriod
				continue
			}
			a := f.angle(float32(x)+(cellWidth-1)/2.0, float32(y)+(cellHeight-1)/2.0)
			e.cellOri[i] = uint8(int(a*(orientations/math.Pi)+0.5) % orientations)
			e.cellPer[i] = uint8(min(max(int(e.period[b]+0.5), 0), periods-1))
		}
	}
}

// enhance filters e.norm into e.enh.
func (e *Extractor) enhance(pass int) {
	bank := e.filters
	clear(e.along)
	clear(e.enh)
	e.filter(e.along, e.norm, func(i int) []kernel.Tap { return bank.along[pass][e.cellOri[i]] })
	e.filter(e.enh, e.along, func(i int) []kernel.Tap { return bank.across[e.cellOri[i]][e.cellPer[i]] })
}

// filter filters the foreground's cells, each with its own filter. A cell over
// the image's edge writes into the padding, which holds one more row for that.
func (e *Extractor) filter(dst, src []float32, of func(i int) []kernel.Tap) {
	var out [kernel.TapWidth]float32 // left, below, right of it, below, and so on
	e.pairs = grow(e.pairs, 2*len(src))
	kernel.Pair(e.pairs, src, e.stride)
	for cy := range e.ch {
		kernel.Rest()
		row := cy * e.cw
		for cx, per := range e.cellPer[row : row+e.cw] {
			if per == noPeriod {
				continue
			}
			i := e.at(cx*cellWidth, cy*cellHeight)
			kernel.Taps(&out, e.pairs, 2*i, of(row+cx))
			j := i + e.stride
			dst[i], dst[i+1], dst[i+2], dst[i+3] = out[0], out[2], out[4], out[6]
			dst[j], dst[j+1], dst[j+2], dst[j+3] = out[1], out[3], out[5], out[7]
		}
	}
}
