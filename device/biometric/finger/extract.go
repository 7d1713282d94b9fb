package finger

import (
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
)

// Geometry of the planes. Blocks carry orientation and foreground, cells the
// oriented filters' choice: kernel.Taps filters one at a time.
const (
	pad        = 24 // margin of padded planes: no filter reaches further
	block      = 8
	cellWidth  = 4
	cellHeight = 2
)

// Extractor finds minutiae. It keeps its working memory between images, and is
// for one goroutine.
type Extractor struct {
	w, h   int // of the image at 500 dpi
	stride int // of padded planes
	bw, bh int // blocks
	cw, ch int // cells

	src, high, mean, tmp []float32 // w x h
	norm, along, enh     []float32 // padded
	pairs                []float32 // what is being filtered, as kernel.Pair lays it
	mask                 []bool    // blocks in the foreground
	energy               []float32 // blocks: local deviation in grey levels
	field                field
	period               []float32 // blocks, pixels
	cellOri              []uint8   // cells: index of orientation
	cellPer              []uint8   // cells: index of period, noCell in the background
	filters              *filterBank
	skel                 skeleton
}

// NewExtractor returns an extractor. It allocates about 5 MB for an image of
// 400x400 pixels when first used.
func NewExtractor() *Extractor { return &Extractor{filters: newFilterBank()} }

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

func (e *Extractor) resize(w, h int) {
	e.w, e.h = w, h
	e.stride = w + 2*pad
	e.bw, e.bh = (w+block-1)/block, (h+block-1)/block
	e.cw, e.ch = (w+cellWidth-1)/cellWidth, (h+cellHeight-1)/cellHeight
	for _, p := range []*[]float32{&e.src, &e.high, &e.mean, &e.tmp} {
		*p = grow(*p, w*h)
	}
	n := e.stride * (h + 2*pad + cellHeight)
	for _, p := range []*[]float32{&e.norm, &e.along, &e.enh} {
		*p = grow(*p, n)
		clear(*p)
	}
	b := e.bw * e.bh
	e.mask, e.energy, e.period = grow(e.mask, b), grow(e.energy, b), grow(e.period, b)
	e.field.resize(e.bw, e.bh)
	e.cellOri, e.cellPer = grow(e.cellOri, e.cw*e.ch), grow(e.cellPer, e.cw*e.ch)
	e.filters.place(e.stride)
}

// at is the index of a pixel in a padded plane.
func (e *Extractor) at(x, y int) int { return (y+pad)*e.stride + x + pad }

// Extract finds the minutiae of a print and computes its template. Errors:
// ErrImageSize, ErrDPI, and ErrEnrol for an image with fewer than MinMinutiae.
func (e *Extractor) Extract(m *Image) (*Template, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	e.load(m)
	if e.w < minSide || e.h < minSide {
		return nil, fault.New(ErrImageSize.Code, "%dx%d pixels at %d dpi", e.w, e.h, DPI)
	}
	for _, step := range []func(){e.unframe, e.normalise, func() { e.tensor(e.norm) }, e.segment, e.orient, e.periods, e.choose} {
		kernel.Rest()
		step()
	}
	e.enhance(0)
	second := slices.Clone(e.minutiae(true))
	kernel.Rest()
	e.tensor(e.enh)
	e.reorient()
	e.choose()
	e.enhance(1)
	found := e.minutiae(false)
	if len(found) < MinMinutiae && len(second) > len(found) {
		found = second // a poor print of which the valleys tell more
	}
	if len(found) < MinMinutiae {
		return nil, fault.New(ErrEnrol.Code, "%d minutiae", len(found))
	}
	t := &Template{Width: e.w, Height: e.h, Minutiae: found}
	t.map16(e)
	t.copyRelief(e)
	t.Quality = e.quality(found)
	t.prepare()
	t.other = &Template{Width: t.Width, Height: t.Height, Minutiae: second, ridges: t.ridges, relief: t.relief}
	t.other.prepare()
	return t, nil
}

// normalise takes away the local mean and divides by the local deviation.
func (e *Extractor) normalise() {
	w, h := e.w, e.h
	boxMean(e.mean, e.src, e.tmp, w, h, 10)
	for i, v := range e.src {
		e.high[i] = v - e.mean[i]
	}
	for i, v := range e.high {
		e.mean[i] = v * v
	}
	boxMean(e.src, e.mean, e.tmp, w, h, 10) // src is not needed any more
	top := 0.0
	for by := range e.bh {
		for bx := range e.bw {
			s, n := float32(0), 0
			for y := by * block; y < min(h, by*block+block); y++ {
				for _, v := range e.mean[y*w+bx*block : y*w+min(w, bx*block+block)] {
					s += v
					n++
				}
			}
			v := math.Sqrt(float64(s / float32(n)))
			e.energy[by*e.bw+bx] = float32(v)
			top += v
		}
	}
	top /= float64(len(e.energy))
	floor := float32(0.15*top + 1)
	for y := range h {
		out, high, mean := e.norm[e.at(0, y):][:w], e.high[y*w:][:w], e.src[y*w:][:w]
		for x, v := range high {
			out[x] = min(2.5, max(-2.5, v/(sqrt32(mean[x])+floor)))
		}
	}
}

// boxMean writes the mean over a square of side 2r+1, cut at the borders.
func boxMean(dst, src, tmp []float32, w, h, r int) {
	for y := range h {
		in, out := src[y*w:][:w], tmp[y*w:][:w]
		sum, n := float32(0), 0
		for x := range min(r, w) {
			sum += in[x]
			n++
		}
		for x := range out {
			if x+r < w {
				sum += in[x+r]
				n++
			}
			if x-r-1 >= 0 {
				sum -= in[x-r-1]
				n--
			}
			out[x] = sum / float32(n)
		}
	}
	column := make([]float32, w)
	n := 0
	add := func(y int) {
		for x, v := range tmp[y*w:][:w] {
			column[x] += v
		}
		n++
	}
	for y := range min(r, h) {
		add(y)
	}
	for y := range h {
		if y+r < h {
			add(y + r)
		}
		if y-r-1 >= 0 {
			for x, v := range tmp[(y-r-1)*w:][:w] {
				column[x] -= v
			}
			n--
		}
		out, inv := dst[y*w:][:w], 1/float32(n)
		for x, v := range column {
			out[x] = max(0, v*inv)
		}
	}
}
