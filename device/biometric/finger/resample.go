package finger

import "math"

// taps are the weights of consecutive source samples for one target sample.
type taps struct {
	first   int
	weights []float32
}

// cubic is the Catmull-Rom kernel, zero from 2 on (Keys, IEEE TASSP 29:6, 1981).
func cubic(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}

// resampleTaps spreads n samples over m. The kernel is widened when there are
// fewer targets than sources, so that nothing aliases.
func resampleTaps(n, m int) []taps {
	step := float64(n) / float64(m)
	wide := max(1, step)
	out := make([]taps, m)
	for i := range out {
		centre := (float64(i)+0.5)*step - 0.5
		lo := max(0, int(math.Ceil(centre-2*wide)))
		hi := min(n-1, int(math.Floor(centre+2*wide)))
		t := taps{first: lo, weights: make([]float32, hi-lo+1)}
		sum := 0.0
		for k := range t.weights {
			v := cubic((float64(lo+k) - centre) / wide)
			t.weights[k] = float32(v)
			sum += v
		}
		for k := range t.weights {
			t.weights[k] /= float32(sum)
		}
		out[i] = t
	}
	return out
}

// load brings the image to 500 dpi as floats, 0 to 255, in e.src and sets the
// frame.
func (e *Extractor) load(m *Image) {
	scale := DPI / m.DPI
	w := max(1, int(math.Round(float64(m.Width)*scale)))
	h := max(1, int(math.Round(float64(m.Height)*scale)))
	e.resize(w, h)
	if w == m.Width && h == m.Height {
		for i, v := range m.Pix {
			e.src[i] = float32(v)
		}
		return
	}
	tx, ty := resampleTaps(m.Width, w), resampleTaps(m.Height, h)
	rows := make([]float32, w*m.Height)
	for y := range m.Height {
		in, out := m.Pix[y*m.Width:][:m.Width], rows[y*w:][:w]
		for x, t := range tx {
			s := float32(0)
			for k, v := range t.weights {
				s += v * float32(in[t.first+k])
			}
			out[x] = s
		}
	}
	for y, t := range ty {
		out := e.src[y*w:][:w]
		clear(out)
		for k, v := range t.weights {
			for x, p := range rows[(t.first+k)*w:][:w] {
				out[x] += v * p
			}
		}
		for x, v := range out {
			out[x] = min(255, max(0, v))
		}
	}
}
