package wsq

import "slices"

// lanes is how many lines are filtered side by side: enough to use whole
// cache lines where a line is a column.
const lanes = 16

// filters are the two analysis filters, symmetric and of odd length; element
// k is the coefficient at distance k from the middle.
type filters struct {
	low, high []float32
}

// standard is the pair that the specification gives to encoder number 2
// (table A.1): nine and seven taps, a biorthogonal pair of Cohen, Daubechies
// and Feauveau (Comm. Pure Appl. Math. 45, 1992).
var standard = filters{
	low:  []float32{0.85269867900940, 0.37740285561265, -0.11062440441842, -0.02384946501938, 0.03782845550699},
	high: []float32{0.78848561640566, -0.41809227322221, -0.04068941760956, 0.06453888262894},
}

// synthesis are the filters that undo f: each the other with every second
// sign turned.
func (f filters) synthesis() filters {
	turn := func(in []float32) []float32 {
		out := make([]float32, len(in))
		for i, v := range in {
			if i%2 == 1 {
				v = -v
			}
			out[i] = v
		}
		return out
	}
	return filters{low: turn(f.high), high: turn(f.low)}
}

// reach is the longest distance of a coefficient from the middle.
func (f filters) reach() int { return max(len(f.low), len(f.high)) - 1 }

// analyse turns a plane of pixels into coefficients in place.
func analyse(plane []float32, width, height int, f filters) {
	nodes := newTree(width, height).nodes
	s := newLines(max(width, height), f)
	for _, n := range nodes {
		at := n.y*width + n.x
		s.each(plane[at:], n.w, 1, n.h, width, func(n2 int) { s.forward(n2, n.revX) })
		s.each(plane[at:], n.h, width, n.w, 1, func(n2 int) { s.forward(n2, n.revY) })
	}
}

// synthesise turns coefficients back into pixels in place.
func synthesise(plane []float32, width, height int, f filters) {
	nodes := newTree(width, height).nodes
	s := newLines(max(width, height), f.synthesis())
	for _, n := range slices.Backward(nodes) {
		at := n.y*width + n.x
		s.each(plane[at:], n.h, width, n.w, 1, func(n2 int) { s.backward(n2, n.revY) })
		s.each(plane[at:], n.w, 1, n.h, width, func(n2 int) { s.backward(n2, n.revX) })
	}
}

// lines filters some lines side by side: sample i of lane l lies at
// i*lanes+l, after reach samples of margin.
type lines struct {
	f     filters
	reach int
	in    []float32 // with a margin at either end
	out   []float32
}

func newLines(longest int, f filters) *lines {
	r := f.reach()
	return &lines{f: f, reach: r, in: make([]float32, (longest+2*r)*lanes), out: make([]float32, longest*lanes)}
}

// each takes count lines of n samples out of p, work's result back into it.
// step leads from sample to sample, stride from line to line.
func (s *lines) each(p []float32, n, step, count, stride int, work func(n int)) {
	in, out := s.in[s.reach*lanes:], s.out
	for first := 0; first < count; first += lanes {
		some := min(lanes, count-first)
		at := first * stride
		for i := range n {
			for l := range some {
				in[i*lanes+l] = p[at+i*step+l*stride]
			}
		}
		if n > 1 {
			work(n)
		} else {
			copy(out, in[:lanes]) // one sample has no frequencies to part
		}
		for i := range n {
			for l := range some {
				p[at+i*step+l*stride] = out[i*lanes+l]
			}
		}
	}
}

// extend fills the margins of n samples: mirrored about the first and the
// last, which are not repeated (section 2.3.3).
func (s *lines) extend(n int) {
	row := func(i int) []float32 { return s.in[(i+s.reach)*lanes:][:lanes] }
	for d := 1; d <= s.reach; d++ {
		copy(row(-d), row(mirror(-d, n)))
		copy(row(n-1+d), row(mirror(n-1+d, n)))
	}
}

// mirror returns the sample that stands for sample i of n, at least 2.
func mirror(i, n int) int {
	period := 2 * (n - 1)
	i = ((i % period) + period) % period
	return min(i, period-i)
}

// parts returns where the low and the high half of n samples begin.
func parts(n int, reversed bool) (low, high int) {
	first, _ := halves(n, reversed)
	if reversed {
		return first, 0
	}
	return 0, first
}

// forward splits the lines in a low and a high half.
func (s *lines) forward(n int, reversed bool) {
	s.extend(n)
	low, high := parts(n, reversed)
	for i := range n {
		c, to := s.f.low, low+i/2
		if i%2 == 1 {
			c, to = s.f.high, high+i/2
		}
		o := s.out[to*lanes:][:lanes]
		clear(o)
		s.add(o, i, c, 0, 1)
	}
}

// backward joins the halves again. Interleaved they are one line in which low
// coefficients stand at even and high ones at odd places, and the filters,
// each at its own places, give the samples.
func (s *lines) backward(n int, reversed bool) {
	low, high := parts(n, reversed)
	in := s.in[s.reach*lanes:]
	copy(s.out, in[:n*lanes])
	for i := range n {
		from := low + i/2
		if i%2 == 1 {
			from = high + i/2
		}
		copy(in[i*lanes:][:lanes], s.out[from*lanes:][:lanes])
	}
	s.extend(n)
	for i := range n {
		o := s.out[i*lanes:][:lanes]
		clear(o)
		s.add(o, i, s.f.low, i%2, 2)
		s.add(o, i, s.f.high, 1-i%2, 2)
	}
}

// add adds to o the samples around sample i times the coefficients c, at the
// distances first, first+every and so on.
func (s *lines) add(o []float32, i int, c []float32, first, every int) {
	o = o[:lanes]
	for d := first; d < len(c); d += every {
		k := c[d]
		a := s.in[(i+d+s.reach)*lanes:][:lanes]
		if d == 0 {
			for l := range o {
				o[l] += k * a[l]
			}
			continue
		}
		b := s.in[(i-d+s.reach)*lanes:][:lanes]
		for l := range o {
			o[l] += k * (a[l] + b[l])
		}
	}
}
