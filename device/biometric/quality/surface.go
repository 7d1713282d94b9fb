package quality

import (
	"math"

	"github.com/watchpost/watchpost/device/biometric/patch"
)

// surface adds what the colours of skin and background tell.
func surface(p patch.Picture, a patch.Axes, add adder) {
	if same, ok := evenness(p, a); ok {
		add("illumination_uniformity", 100*math.Pow(same, 0.3), same, "ratio")
	}
	left, okLeft := p.Mean(a, patch.LeftCheek)
	right, okRight := p.Mean(a, patch.RightCheek)
	if okLeft && okRight {
		d := offSkin(patch.Colour{(left[0] + right[0]) / 2, (left[1] + right[1]) / 2, (left[2] + right[2]) / 2})
		add("natural_colour", 200*logistic(-d, 0, 10), d, "delta_e")
	}
	if gradient, ok := background(p, a); ok {
		add("background_uniformity", 190*logistic(-gradient, -10, 100), gradient, "grey")
	}
}

// levels is how many grey levels the two halves of a face are compared in. The
// standard has 256; the halves of a small face hold too few pixels for that.
const levels = 32

// evenness is the common part of the grey histograms of both halves of the
// face, 0 to 1.
func evenness(p patch.Picture, a patch.Axes) (float64, bool) {
	histogram := func(r patch.Region) (h [levels]float64, ok bool) {
		n := 0.0
		inside := p.Each(a, r, func(red, green, blue byte) {
			h[int(patch.Luma(red, green, blue)*levels/256)]++
			n++
		})
		for i := range h {
			h[i] /= max(n, 1)
		}
		return h, inside >= 0.5
	}
	left, okLeft := histogram(patch.LeftHalf)
	right, okRight := histogram(patch.RightHalf)
	same := 0.0
	for i := range left {
		same += min(left[i], right[i])
	}
	return min(1, same), okLeft && okRight
}

// offSkin is how far a colour lies outside the range that the standard takes
// for skin under neutral light: CIELAB a* 5 to 25, b* 5 to 35 (D65, sRGB).
func offSkin(c patch.Colour) float64 {
	linear := func(v float64) float64 {
		if v /= 255; v > 0.04045 {
			return math.Pow((v+0.055)/1.055, 2.4)
		}
		return v / 12.92
	}
	r, g, b := linear(c[0]), linear(c[1]), linear(c[2])
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124*r + 0.3576*g + 0.1805*b) / 0.9505)
	y := f(0.2126*r + 0.7152*g + 0.0722*b)
	z := f((0.0193*r + 0.1192*g + 0.9505*b) / 1.089)
	aStar, bStar := 500*(x-y), 200*(y-z)
	outside := func(v, lo, hi float64) float64 { return max(0, lo-v, v-hi) }
	return math.Hypot(outside(aStar, 5, 25), outside(bStar, 5, 35))
}

// Where background is looked for: beside and above the head, not below the
// mouth, where shoulders are.
const (
	besideHead = 1.5  // eye distances
	aboveHead  = -2.4 // the crown is some 2.2 above the eyes
	lowest     = 1.0
	gridStep   = 1.0 / 30 // of an eye distance, so that size does not tell
)

// background is the mean strength of edges (Sobel, grey levels) where no head
// should be; ok is false where a picture shows too little of it.
func background(p patch.Picture, a patch.Axes) (float64, bool) {
	step := max(1, int(math.Round(a.Distance*gridStep)))
	luma := func(x, y int) float64 {
		q := p.Pix[y*p.Stride+3*x:]
		return patch.Luma(q[0], q[1], q[2])
	}
	sum, n, all := 0.0, 0, 0
	for y := step; y+step < p.Height; y += step {
		for x := step; x+step < p.Width; x += step {
			all++
			if u, v := a.Place(patch.Point{X: float64(x), Y: float64(y)}); v > lowest || v > aboveHead && math.Abs(u) < besideHead {
				continue
			}
			gx := luma(x+step, y-step) + 2*luma(x+step, y) + luma(x+step, y+step) -
				luma(x-step, y-step) - 2*luma(x-step, y) - luma(x-step, y+step)
			gy := luma(x-step, y+step) + 2*luma(x, y+step) + luma(x+step, y+step) -
				luma(x-step, y-step) - 2*luma(x, y-step) - luma(x+step, y-step)
			sum += math.Hypot(gx, gy)
			n++
		}
	}
	if n < 200 || float64(n) < 0.05*float64(all) {
		return 0, false
	}
	return sum / float64(n), true
}

const (
	blockSide = 8  // of a JPEG block of luminance, pixels
	blockStep = 12 // grey levels
)

// blockiness is how much larger grey steps are at the borders of 8x8 blocks
// than elsewhere: 1 in a picture without blocks. Where the grid begins is
// searched for, since pictures are cut. ok is false for a small picture.
func blockiness(p patch.Picture) (float64, bool) {
	if !p.Valid() || p.Width < 8*blockSide || p.Height < 8*blockSide {
		return 0, false
	}
	// At most about 400 rows and columns are looked at.
	skip := max(1, max(p.Width, p.Height)/400)
	ratio := func(long, across int, luma func(i, j int) float64) float64 {
		var sum [blockSide]float64
		for j := 0; j < across; j += skip {
			// A step counts by how much it stands out of its neighbours, and no
			// more than blocks make: the picture's own edges are larger.
			before, step, last := luma(1, j), math.Abs(luma(1, j)-luma(0, j)), 0.0
			for i := 2; i < long; i++ {
				v := luma(i, j)
				next := math.Abs(v - before)
				sum[(i-1)%blockSide] += max(0, min(blockStep, step-(last+next)/2))
				before, last, step = v, step, next
			}
		}
		most, all := 0.0, 0.0
		for _, s := range sum {
			most = max(most, s)
			all += s
		}
		// A tenth of a level keeps a picture without any step from counting.
		floor := 0.1 * float64(long*across) / float64(skip*blockSide)
		return (most + floor) / ((all-most)/(blockSide-1) + floor)
	}
	at := func(x, y int) float64 {
		q := p.Pix[y*p.Stride+3*x:]
		return patch.Luma(q[0], q[1], q[2])
	}
	wide := ratio(p.Width, p.Height, at)
	high := ratio(p.Height, p.Width, func(i, j int) float64 { return at(j, i) })
	return (wide + high) / 2, true
}
