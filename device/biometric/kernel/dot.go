package kernel

// Dims is the length of a face template in float32 values.
const Dims = 128

// Dot returns the inner product of two templates. The order of the additions
// is part of the contract, so that every kernel gives the same bits: sixteen
// running sums, sum i taking elements i, i+16, i+32 and so on, joined as
// ((t0+t4)+(t2+t6)) + ((t1+t5)+(t3+t7)), where ti is si + s(i+8).
func Dot(a, b *[Dims]float32) float32 { return dot(a, b) }

// DotRows writes the inner product of probe with each row into dst and
// returns how many it wrote. rows holds whole templates one after the other;
// dst has room for each.
func DotRows(dst, rows []float32, probe *[Dims]float32) int {
	n := len(rows) / Dims
	dotRows(dst[:n], rows[:n*Dims], probe)
	return n
}

// Reach sets bit i%16 of masks[i/16] where score i is not below least, clears
// the others, and returns how many masks it wrote. masks has room for every
// score. Nothing is below NaN, and NaN below nothing.
func Reach(masks []uint16, scores []float32, least float32) int {
	n := (len(scores) + GroupRows - 1) / GroupRows
	reach(masks[:n], scores, least)
	return n
}

// Sum reads every value once and returns their sum, in an order that differs
// between kernels: its time is what reading that memory costs, the bound that
// no exact scan goes below.
func Sum(values []float32) float32 { return sum(values) }

// plainDot is Dot in plain Go. The conversions around the products forbid
// fused multiply-add (Go specification, "Floating-point operators"), which
// arm64 would use and the vector kernels do not.
func plainDot(a, b *[Dims]float32) float32 {
	var t [8]float32
	// A half at a time: sixteen sums and their products do not fit into the
	// registers of amd64.
	for half := 8; half >= 0; half -= 8 {
		var s0, s1, s2, s3, s4, s5, s6, s7 float32
		for i := half; i < Dims; i += 16 {
			x, y := (*[8]float32)(a[i:]), (*[8]float32)(b[i:])
			s0 += float32(x[0] * y[0])
			s1 += float32(x[1] * y[1])
			s2 += float32(x[2] * y[2])
			s3 += float32(x[3] * y[3])
			s4 += float32(x[4] * y[4])
			s5 += float32(x[5] * y[5])
			s6 += float32(x[6] * y[6])
			s7 += float32(x[7] * y[7])
		}
		for i, s := range [8]float32{s0, s1, s2, s3, s4, s5, s6, s7} {
			t[i] += s
		}
	}
	return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]))
}

func plainDotRows(dst, rows []float32, probe *[Dims]float32) {
	for i := range dst {
		dst[i] = plainDot((*[Dims]float32)(rows[i*Dims:]), probe)
	}
}

func plainReach(masks []uint16, scores []float32, least float32) {
	for g := range masks {
		var mask uint16
		for i, s := range scores[g*GroupRows : min(len(scores), (g+1)*GroupRows)] {
			if !(s < least) {
				mask |= 1 << i
			}
		}
		masks[g] = mask
	}
}

func plainSum(values []float32) float32 {
	var s [8]float32
	for len(values) >= len(s) {
		v := (*[8]float32)(values)
		for i := range s {
			s[i] += v[i]
		}
		values = values[len(s):]
	}
	for i, v := range values {
		s[i] += v
	}
	return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]
}
