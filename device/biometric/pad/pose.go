package pad

import (
	"math"

	"github.com/watchpost/watchpost/device/biometric/patch"
)

// relief is how far the five points of an adult's face stand before the plane
// of the inner eye corners, in eye distances (63 mm): outer corners 11 mm
// behind, base of the nose 17 mm before.
var relief = [5]float64{-0.17, 0, -0.17, 0, 0.27}

// focal is the focal length taken for granted, in widths of the picture: most
// built-in cameras see 55 to 75 degrees across.
const focal = 0.85

// misfit is how badly a rigid motion of the reference explains a frame's
// points: root mean square in eye distances of the frame. solid gives the
// reference the relief of a face; without it the reference is flat.
func (r *reference) misfit(f *Frame, solid bool) (float64, bool) {
	left, right := f.eyes()
	a, ok := patch.AxesOf(left, right)
	if !ok || f.Width < 1 || f.Height < 1 {
		return 0, false
	}
	fl := focal * float64(f.Width)
	// Points as rays, and the reference in eye distances: the depth of a face
	// whose eyes are d pixels apart is focal/d of them.
	var rays [5][2]float64
	for i, p := range f.Points {
		rays[i] = [2]float64{(p.X - float64(f.Width)/2) / fl, (p.Y - float64(f.Height)/2) / fl}
	}
	depth := fl / a.Distance
	scale := depth // a ray's error in eye distances
	residuals := func(q *[6]float64) (out [10]float64) {
		rot := rotation(q[0], q[1], q[2])
		for i, m := range r.points {
			z := 0.0
			if solid {
				z = -relief[i] // depth grows away from the camera
			}
			x := rot[0]*m[0] + rot[1]*m[1] + rot[2]*z + q[3]
			y := rot[3]*m[0] + rot[4]*m[1] + rot[5]*z + q[4]
			w := rot[6]*m[0] + rot[7]*m[1] + rot[8]*z + q[5]
			if w < 0.1 {
				w = 0.1
			}
			out[2*i], out[2*i+1] = scale*(x/w-rays[i][0]), scale*(y/w-rays[i][1])
		}
		return out
	}
	best := math.Inf(1)
	// Two starts, for a turned face can be explained by either hand at first.
	for _, yaw := range [...]float64{-0.4, 0.4} {
		q := [6]float64{0, yaw, math.Atan2(a.Right.Y, a.Right.X), depth * (a.Origin.X - float64(f.Width)/2) / fl, depth * (a.Origin.Y - float64(f.Height)/2) / fl, depth}
		best = min(best, descend(&q, residuals))
	}
	return best, !math.IsInf(best, 0) && !math.IsNaN(best)
}

// descend minimises the squares by Levenberg's damped steps and returns the
// root mean square that is left.
func descend(q *[6]float64, residuals func(*[6]float64) [10]float64) float64 {
	sum := func(r [10]float64) (s float64) {
		for _, v := range r {
			s += v * v
		}
		return s
	}
	r := residuals(q)
	now, damp := sum(r), 1e-3
	for range 40 {
		var jacobian [10][6]float64
		for k := range 6 {
			const h = 1e-5
			moved := *q
			moved[k] += h
			next := residuals(&moved)
			for i := range next {
				jacobian[i][k] = (next[i] - r[i]) / h
			}
		}
		var m [6][7]float64
		for i := range r {
			for a := range 6 {
				for b := range 6 {
					m[a][b] += jacobian[i][a] * jacobian[i][b]
				}
				m[a][6] -= jacobian[i][a] * r[i]
			}
		}
		for a := range 6 {
			m[a][a] += damp * (m[a][a] + 1e-9)
		}
		step, ok := solve(&m)
		if !ok {
			break
		}
		moved := *q
		for k := range 6 {
			moved[k] += step[k]
		}
		next := residuals(&moved)
		if s := sum(next); s < now {
			gain := now - s
			*q, r, now, damp = moved, next, s, max(damp/5, 1e-9)
			if gain < 1e-10 {
				break
			}
		} else if damp *= 8; damp > 1e6 {
			break
		}
	}
	return math.Sqrt(now / 10)
}

// solve eliminates with the largest pivot; ok is false for a singular system.
func solve(m *[6][7]float64) (x [6]float64, ok bool) {
	for c := range 6 {
		p := c
		for i := c + 1; i < 6; i++ {
			if math.Abs(m[i][c]) > math.Abs(m[p][c]) {
				p = i
			}
		}
		if !(math.Abs(m[p][c]) > 1e-14) {
			return x, false
		}
		m[c], m[p] = m[p], m[c]
		for i := c + 1; i < 6; i++ {
			k := m[i][c] / m[c][c]
			for j := c; j < 7; j++ {
				m[i][j] -= k * m[c][j]
			}
		}
	}
	for c := 5; c >= 0; c-- {
		x[c] = m[c][6]
		for j := c + 1; j < 6; j++ {
			x[c] -= m[c][j] * x[j]
		}
		x[c] /= m[c][c]
	}
	return x, true
}

// rotation is about x, then y, then z, row by row.
func rotation(x, y, z float64) [9]float64 {
	sx, cx := math.Sincos(x)
	sy, cy := math.Sincos(y)
	sz, cz := math.Sincos(z)
	return [9]float64{
		cz * cy, cz*sy*sx - sz*cx, cz*sy*cx + sz*sx,
		sz * cy, sz*sy*sx + cz*cx, sz*sy*cx - cz*sx,
		-sy, cy * sx, cy * cx,
	}
}
