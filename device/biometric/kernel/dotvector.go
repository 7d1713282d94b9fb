//go:build goexperiment.simd && amd64

package kernel

import (
	"math"
	"runtime"
	"simd/archsimd"
)

// join adds the eight sums t of each of four rows, in the order that Dot
// promises, without leaving the vector registers.
func join(s0, s1, s2, s3 archsimd.Float32x8) archsimd.Float32x4 {
	t0, t1 := halves(s0), halves(s1) // s0+s4, s1+s5, s2+s6, s3+s7 of a row
	t2, t3 := halves(s2), halves(s3)
	// Of rows 0 and 1, then 2 and 3: both (s0+s4)+(s2+s6), both (s1+s5)+(s3+s7).
	u := t0.InterleaveLo(t1).AsFloat32x4().Add(t0.InterleaveHi(t1).AsFloat32x4()).AsInt64x2()
	v := t2.InterleaveLo(t3).AsFloat32x4().Add(t2.InterleaveHi(t3).AsFloat32x4()).AsInt64x2()
	return u.InterleaveLo(v).AsFloat32x4().Add(u.InterleaveHi(v).AsFloat32x4())
}

func halves(s archsimd.Float32x8) archsimd.Int32x4 { return s.GetLo().Add(s.GetHi()).AsInt32x4() }

// Products are rounded before they are added, as in plainDot: no MulAdd. A row
// is read from its beginning to its end and then the next one: a processor
// fetches ahead what is read in order, and memory is what a scan waits for.

// row512 returns the sums t of a row.
func row512(row *[Dims]float32, p0, p1, p2, p3, p4, p5, p6, p7 archsimd.Float32x16) archsimd.Float32x8 {
	s := at512(row, 0).Mul(p0)
	s = s.Add(at512(row, 16).Mul(p1))
	s = s.Add(at512(row, 32).Mul(p2))
	s = s.Add(at512(row, 48).Mul(p3))
	s = s.Add(at512(row, 64).Mul(p4))
	s = s.Add(at512(row, 80).Mul(p5))
	s = s.Add(at512(row, 96).Mul(p6))
	s = s.Add(at512(row, 112).Mul(p7))
	return s.GetLo().Add(s.GetHi())
}

func at512(row *[Dims]float32, i int) archsimd.Float32x16 {
	return archsimd.LoadFloat32x16((*[16]float32)(row[i:]))
}

// touch reads one value of the second half of every cache line of a row. Zen 4
// fetches lines that are loaded from twice some 6 % faster from memory
// (measured: one load of 512 bits a line 16.0 ms for 500 MiB, with this 14.9,
// two loads of 256 bits 14.8); elsewhere it only costs.
func touch(row *[Dims]float32) uint32 {
	return math.Float32bits(row[8]) + math.Float32bits(row[24]) + math.Float32bits(row[40]) + math.Float32bits(row[56]) +
		math.Float32bits(row[72]) + math.Float32bits(row[88]) + math.Float32bits(row[104]) + math.Float32bits(row[120])
}

// dotRowsTouched is dotRowsAVX512 with touch.
func dotRowsTouched(dst, rows []float32, probe *[Dims]float32) {
	p0, p1, p2, p3 := at512(probe, 0), at512(probe, 16), at512(probe, 32), at512(probe, 48)
	p4, p5, p6, p7 := at512(probe, 64), at512(probe, 80), at512(probe, 96), at512(probe, 112)
	var touched uint32
	for len(dst) >= 4 {
		four := (*[4 * Dims]float32)(rows)
		touched += touch((*[Dims]float32)(four[0*Dims:]))
		t0 := row512((*[Dims]float32)(four[0*Dims:]), p0, p1, p2, p3, p4, p5, p6, p7)
		touched += touch((*[Dims]float32)(four[1*Dims:]))
		t1 := row512((*[Dims]float32)(four[1*Dims:]), p0, p1, p2, p3, p4, p5, p6, p7)
		touched += touch((*[Dims]float32)(four[2*Dims:]))
		t2 := row512((*[Dims]float32)(four[2*Dims:]), p0, p1, p2, p3, p4, p5, p6, p7)
		touched += touch((*[Dims]float32)(four[3*Dims:]))
		t3 := row512((*[Dims]float32)(four[3*Dims:]), p0, p1, p2, p3, p4, p5, p6, p7)
		join(t0, t1, t2, t3).Store((*[4]float32)(dst))
		dst, rows = dst[4:], rows[4*Dims:]
	}
	runtime.KeepAlive(touched)
	dotRowsAVX512(dst, rows, probe)
}

func dotRowsAVX512(dst, rows []float32, probe *[Dims]float32) {
	p0, p1, p2, p3 := at512(probe, 0), at512(probe, 16), at512(probe, 32), at512(probe, 48)
	p4, p5, p6, p7 := at512(probe, 64), at512(probe, 80), at512(probe, 96), at512(probe, 112)
	for len(dst) >= 4 {
		four := (*[4 * Dims]float32)(rows)
		t0 := row512((*[Dims]float32)(four[0*Dims:]), p0, p1, p2, p3, p4, p5, p6, p7)
		t1 := row512((*[Dims]float32)(four[1*Dims:]), p0, p1, p2, p3, p4, p5, p6, p7)
		t2 := row512((*[Dims]float32)(four[2*Dims:]), p0, p1, p2, p3, p4, p5, p6, p7)
		t3 := row512((*[Dims]float32)(four[3*Dims:]), p0, p1, p2, p3, p4, p5, p6, p7)
		join(t0, t1, t2, t3).Store((*[4]float32)(dst))
		dst, rows = dst[4:], rows[4*Dims:]
	}
	archsimd.ClearAVXUpperBits()
	for i := range dst {
		dst[i] = dotAVX512((*[Dims]float32)(rows[i*Dims:]), probe)
	}
}

func dotAVX512(a, b *[Dims]float32) float32 {
	t := row512(a, at512(b, 0), at512(b, 16), at512(b, 32), at512(b, 48), at512(b, 64), at512(b, 80), at512(b, 96), at512(b, 112))
	var out [4]float32
	join(t, t, t, t).Store(&out)
	archsimd.ClearAVXUpperBits()
	return out[0]
}

func at256(row *[Dims]float32, i int) archsimd.Float32x8 {
	return archsimd.LoadFloat32x8((*[8]float32)(row[i:]))
}

// row256 is row512 with half the sums a register. It is written out: in a loop
// this compiler computes every address anew, which takes three times as long.
func row256(row, probe *[Dims]float32) archsimd.Float32x8 {
	lo, hi := at256(row, 0).Mul(at256(probe, 0)), at256(row, 8).Mul(at256(probe, 8))
	lo, hi = lo.Add(at256(row, 16).Mul(at256(probe, 16))), hi.Add(at256(row, 24).Mul(at256(probe, 24)))
	lo, hi = lo.Add(at256(row, 32).Mul(at256(probe, 32))), hi.Add(at256(row, 40).Mul(at256(probe, 40)))
	lo, hi = lo.Add(at256(row, 48).Mul(at256(probe, 48))), hi.Add(at256(row, 56).Mul(at256(probe, 56)))
	lo, hi = lo.Add(at256(row, 64).Mul(at256(probe, 64))), hi.Add(at256(row, 72).Mul(at256(probe, 72)))
	lo, hi = lo.Add(at256(row, 80).Mul(at256(probe, 80))), hi.Add(at256(row, 88).Mul(at256(probe, 88)))
	lo, hi = lo.Add(at256(row, 96).Mul(at256(probe, 96))), hi.Add(at256(row, 104).Mul(at256(probe, 104)))
	lo, hi = lo.Add(at256(row, 112).Mul(at256(probe, 112))), hi.Add(at256(row, 120).Mul(at256(probe, 120)))
	return lo.Add(hi)
}

func dotRowsAVX2(dst, rows []float32, probe *[Dims]float32) {
	for len(dst) >= 4 {
		four := (*[4 * Dims]float32)(rows)
		t0, t1 := row256((*[Dims]float32)(four[:]), probe), row256((*[Dims]float32)(four[Dims:]), probe)
		t2, t3 := row256((*[Dims]float32)(four[2*Dims:]), probe), row256((*[Dims]float32)(four[3*Dims:]), probe)
		join(t0, t1, t2, t3).Store((*[4]float32)(dst))
		dst, rows = dst[4:], rows[4*Dims:]
	}
	archsimd.ClearAVXUpperBits()
	for i := range dst {
		dst[i] = dotAVX2((*[Dims]float32)(rows[i*Dims:]), probe)
	}
}

func dotAVX2(a, b *[Dims]float32) float32 {
	t := row256(a, b)
	var out [4]float32
	join(t, t, t, t).Store(&out)
	archsimd.ClearAVXUpperBits()
	return out[0]
}

// Scores beyond the last whole mask are left to plain Go.
func reachAVX512(masks []uint16, scores []float32, least float32) {
	floor := archsimd.BroadcastFloat32x16(least)
	for len(scores) >= GroupRows {
		// Not below: NaN is not, as in plainReach.
		masks[0] = ^archsimd.LoadFloat32x16((*[GroupRows]float32)(scores)).Less(floor).ToBits()
		masks, scores = masks[1:], scores[GroupRows:]
	}
	archsimd.ClearAVXUpperBits()
	plainReach(masks, scores, least)
}

func reachAVX2(masks []uint16, scores []float32, least float32) {
	floor := archsimd.BroadcastFloat32x8(least)
	for len(scores) >= GroupRows {
		lo := archsimd.LoadFloat32x8((*[8]float32)(scores)).Less(floor).ToBits()
		hi := archsimd.LoadFloat32x8((*[8]float32)(scores[8:])).Less(floor).ToBits()
		masks[0] = ^(uint16(lo) | uint16(hi)<<8)
		masks, scores = masks[1:], scores[GroupRows:]
	}
	archsimd.ClearAVXUpperBits()
	plainReach(masks, scores, least)
}

func sumAVX512(values []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 archsimd.Float32x16
	for len(values) >= Dims {
		v := (*[Dims]float32)(values)
		s0, s1, s2, s3 = s0.Add(at512(v, 0)), s1.Add(at512(v, 16)), s2.Add(at512(v, 32)), s3.Add(at512(v, 48))
		s4, s5, s6, s7 = s4.Add(at512(v, 64)), s5.Add(at512(v, 80)), s6.Add(at512(v, 96)), s7.Add(at512(v, 112))
		values = values[Dims:]
	}
	var out [16]float32
	s0.Add(s1).Add(s2.Add(s3)).Add(s4.Add(s5).Add(s6.Add(s7))).Store(&out)
	archsimd.ClearAVXUpperBits()
	return plainSum(out[:]) + plainSum(values)
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
