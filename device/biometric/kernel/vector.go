//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// What the processor can do, asked once.
var (
	hasAVX2   = archsimd.X86.AVX2()
	hasAVX512 = archsimd.X86.AVX512()
)

// Name returns the kernel in use: plain, avx2 or avx512.
func Name() string {
	switch {
	case hasAVX512:
		return "avx512"
	case hasAVX2:
		return "avx2"
	}
	return "plain"
}

func dot(a, b *[Dims]float32) float32 {
	if hasAVX2 {
		return dotAVX2(a, b)
	}
	return plainDot(a, b)
}

func dotRows(dst, rows []float32, probe *[Dims]float32) {
	if hasAVX2 {
		dotRowsAVX2(dst, rows, probe)
		return
	}
	plainDotRows(dst, rows, probe)
}

func sum(values []float32) float32 {
	if hasAVX2 {
		return sumAVX2(values)
	}
	return plainSum(values)
}

func prune(masks []uint16, codes []int8, probe *[CodeDims]int16, least int32) {
	switch {
	case hasAVX512:
		pruneAVX512(masks, codes, probe, least)
	case hasAVX2:
		pruneAVX2(masks, codes, probe, least)
	default:
		plainPrune(masks, codes, probe, least)
	}
}

// join adds the eight running sums of each of four rows, in the order that
// Dot promises, without leaving the vector registers.
func join(s0, s1, s2, s3 archsimd.Float32x8) archsimd.Float32x4 {
	t0, t1 := halves(s0), halves(s1) // s0+s4, s1+s5, s2+s6, s3+s7 of a row
	t2, t3 := halves(s2), halves(s3)
	// Of rows 0 and 1, then 2 and 3: both (s0+s4)+(s2+s6), both (s1+s5)+(s3+s7).
	u := t0.InterleaveLo(t1).AsFloat32x4().Add(t0.InterleaveHi(t1).AsFloat32x4()).AsInt64x2()
	v := t2.InterleaveLo(t3).AsFloat32x4().Add(t2.InterleaveHi(t3).AsFloat32x4()).AsInt64x2()
	return u.InterleaveLo(v).AsFloat32x4().Add(u.InterleaveHi(v).AsFloat32x4())
}

func halves(s archsimd.Float32x8) archsimd.Int32x4 { return s.GetLo().Add(s.GetHi()).AsInt32x4() }

// Products are rounded before they are added, as in plainDot: no MulAdd.
func dotAVX2(a, b *[Dims]float32) float32 {
	var s archsimd.Float32x8
	for i := 0; i < Dims; i += 8 {
		s = s.Add(archsimd.LoadFloat32x8((*[8]float32)(a[i:])).Mul(archsimd.LoadFloat32x8((*[8]float32)(b[i:]))))
	}
	var out [4]float32
	join(s, s, s, s).Store(&out)
	archsimd.ClearAVXUpperBits()
	return out[0]
}

// dotRowsAVX2 takes four rows at once: the additions of one row wait for each
// other, those of four rows do not.
func dotRowsAVX2(dst, rows []float32, probe *[Dims]float32) {
	for len(dst) >= 4 {
		four := (*[4 * Dims]float32)(rows)
		var s0, s1, s2, s3 archsimd.Float32x8
		for i := 0; i < Dims; i += 8 {
			p := archsimd.LoadFloat32x8((*[8]float32)(probe[i:]))
			s0 = s0.Add(p.Mul(archsimd.LoadFloat32x8((*[8]float32)(four[i:]))))
			s1 = s1.Add(p.Mul(archsimd.LoadFloat32x8((*[8]float32)(four[i+Dims:]))))
			s2 = s2.Add(p.Mul(archsimd.LoadFloat32x8((*[8]float32)(four[i+2*Dims:]))))
			s3 = s3.Add(p.Mul(archsimd.LoadFloat32x8((*[8]float32)(four[i+3*Dims:]))))
		}
		join(s0, s1, s2, s3).Store((*[4]float32)(dst))
		dst, rows = dst[4:], rows[4*Dims:]
	}
	archsimd.ClearAVXUpperBits()
	for i := range dst {
		dst[i] = dotAVX2((*[Dims]float32)(rows[i*Dims:]), probe)
	}
}

func sumAVX2(values []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 archsimd.Float32x8
	for len(values) >= 64 {
		v := (*[64]float32)(values)
		s0 = s0.Add(archsimd.LoadFloat32x8((*[8]float32)(v[0:])))
		s1 = s1.Add(archsimd.LoadFloat32x8((*[8]float32)(v[8:])))
		s2 = s2.Add(archsimd.LoadFloat32x8((*[8]float32)(v[16:])))
		s3 = s3.Add(archsimd.LoadFloat32x8((*[8]float32)(v[24:])))
		s4 = s4.Add(archsimd.LoadFloat32x8((*[8]float32)(v[32:])))
		s5 = s5.Add(archsimd.LoadFloat32x8((*[8]float32)(v[40:])))
		s6 = s6.Add(archsimd.LoadFloat32x8((*[8]float32)(v[48:])))
		s7 = s7.Add(archsimd.LoadFloat32x8((*[8]float32)(v[56:])))
		values = values[64:]
	}
	var out [8]float32
	s0.Add(s1).Add(s2.Add(s3)).Add(s4.Add(s5).Add(s6.Add(s7))).Store(&out)
	archsimd.ClearAVXUpperBits()
	return plainSum(out[:]) + plainSum(values)
}
