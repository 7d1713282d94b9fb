package kernel

// Dims is the length of a face template in float32 values.
const Dims = 128

// Dot returns the inner product of two templates. The order of the additions
// is part of the contract, so that every kernel gives the same bits: eight
// running sums, sum i taking elements i, i+8, i+16 and so on, joined as
// ((s0+s4)+(s2+s6)) + ((s1+s5)+(s3+s7)). The conversions around the products
// forbid fused multiply-add (Go specification, "Floating-point operators"),
// which arm64 would use and a vector kernel would not.
func Dot(a, b *[Dims]float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for i := 0; i < Dims; i += 8 {
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
	return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
}

// DotRows writes the inner product of probe with each row into dst and
// returns how many it wrote. rows holds whole templates one after the other;
// dst has room for each.
func DotRows(dst, rows []float32, probe *[Dims]float32) int {
	n := len(rows) / Dims
	dst = dst[:n]
	for i := range dst {
		dst[i] = Dot((*[Dims]float32)(rows[i*Dims:]), probe)
	}
	return n
}
