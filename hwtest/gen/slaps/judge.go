package slaps

import "math"

// Tolerance of a box: intersection over union with the truth.
const LeastOverlap = 0.6

// Overlap is the intersection of two turned boxes over their union, 0 to 1.
func Overlap(a, b Box) float64 {
	poly := make([][2]float64, 0, 8)
	for _, c := range a.Corners() {
		poly = append(poly, c)
	}
	sin, cos := math.Sincos(b.Angle * math.Pi / 180)
	// Clip by each side of b: points p with n.(p-centre) <= half.
	for _, side := range [4][3]float64{{cos, sin, b.Width / 2}, {-cos, -sin, b.Width / 2}, {-sin, cos, b.Height / 2}, {sin, -cos, b.Height / 2}} {
		off := func(p [2]float64) float64 { return side[0]*(p[0]-b.X) + side[1]*(p[1]-b.Y) - side[2] }
		var out [][2]float64
		for i, p := range poly {
			q := poly[(i+1)%len(poly)]
			dp, dq := off(p), off(q)
			if dp <= 0 {
				out = append(out, p)
			}
			if dp < 0 && dq > 0 || dp > 0 && dq < 0 {
				k := dp / (dp - dq)
				out = append(out, [2]float64{p[0] + k*(q[0]-p[0]), p[1] + k*(q[1]-p[1])})
			}
		}
		poly = out
	}
	var area float64
	for i, p := range poly {
		q := poly[(i+1)%len(poly)]
		area += p[0]*q[1] - q[0]*p[1]
	}
	area = math.Abs(area) / 2
	return area / (a.Width*a.Height + b.Width*b.Height - area)
}
