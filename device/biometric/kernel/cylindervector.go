//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// hasPopcount: AVX-512 with a population count of 64-bit lanes, which came
// later than AVX-512 itself.
var hasPopcount = hasAVX512 && archsimd.X86.AVX512VPOPCNTDQ()

// CylinderKernel returns the kernel in use for cylinder codes: plain, avx2 or
// avx512.
func CylinderKernel() string {
	switch {
	case hasPopcount:
		return "avx512"
	case hasAVX2:
		return "avx2"
	}
	return "plain"
}

func cylinders(probe *CylinderProbe, groups []uint64) uint32 {
	switch {
	case hasPopcount:
		return batches(probe, groups, cylindersAVX512)
	case hasAVX2:
		return batches(probe, groups, cylindersAVX2)
	}
	return plainCylinders(probe, groups)
}

// batch is how many groups a vector kernel takes at a time: a template of 64
// codes.
const batch = 8

// batches finds which codes of the probe each group needs and calls a kernel.
// They are found beforehand: this compiler copies small arrays with
// instructions of the old encoding, which stall between AVX ones.
func batches(probe *CylinderProbe, groups []uint64, kernel func(*CylinderProbe, []uint64, *[batch]runs) uint32) uint32 {
	var near [batch]runs
	sum := uint32(0)
	for len(groups) >= CylinderGroup {
		n := min(batch, len(groups)/CylinderGroup)
		for i := range n {
			near[i] = probe.within((*[CylinderGroup]uint64)(groups[i*CylinderGroup:]))
		}
		sum += kernel(probe, groups[:n*CylinderGroup], &near)
		groups = groups[n*CylinderGroup:]
	}
	return sum
}

// within returns the codes that any of a group may be like.
func (p *CylinderProbe) within(group *[CylinderGroup]uint64) runs {
	return p.near(direction(group[MetaRow*CylinderLanes]), direction(group[CylinderGroup-1]))
}

func row8(group *[CylinderGroup]uint64, row int) archsimd.Uint64x8 {
	return archsimd.LoadUint64x8((*[8]uint64)(group[row*CylinderLanes:]))
}

// cylindersAVX512 has one code a lane of 64 bits. Of the lane only the low 16
// bits hold a likeness; what stands above is cut off at the end.
func cylindersAVX512(probe *CylinderProbe, groups []uint64, near *[batch]runs) uint32 {
	low := archsimd.BroadcastUint64x8(0xffff)
	var sum archsimd.Uint64x8
	for g := range len(groups) / CylinderGroup {
		group := (*[CylinderGroup]uint64)(groups[g*CylinderGroup:])
		at := &near[g&(batch-1)]
		w0, w1, w2, w3, w4, w5 := row8(group, 0), row8(group, 1), row8(group, 2), row8(group, 3), row8(group, 4), row8(group, 5)
		meta := row8(group, MetaRow).AsInt16x32()
		var best archsimd.Int16x32
		for r := 0; r < len(at); r += 2 {
			for i := at[r]; i < at[r+1]; i++ {
				c := &probe.wide[i&(MaxProbe-1)]
				d0 := w0.Xor(archsimd.LoadUint64x8(&c[0])).OnesCount().Add(w1.Xor(archsimd.LoadUint64x8(&c[1])).OnesCount())
				d1 := w2.Xor(archsimd.LoadUint64x8(&c[2])).OnesCount().Add(w3.Xor(archsimd.LoadUint64x8(&c[3])).OnesCount())
				d2 := w4.Xor(archsimd.LoadUint64x8(&c[4])).OnesCount().Add(w5.Xor(archsimd.LoadUint64x8(&c[5])).OnesCount())
				d := d0.Add(d1).Add(d2)
				both := meta.Add(archsimd.LoadUint64x8(&c[CodeWords]).AsInt16x32())
				// Bit 31 of the lane is set where the directions are too far
				// apart: all ones, -1, is below any best.
				far := both.AsInt32x16().ShiftAllRight(31).AsInt16x32()
				best = best.Max(both.Sub(d.AsInt16x32()).Or(far))
			}
		}
		sum = sum.Add(best.AsUint64x8().And(low))
	}
	var out [8]uint64
	sum.Store(&out)
	archsimd.ClearAVXUpperBits()
	total := uint64(0)
	for _, v := range out {
		total += v
	}
	return uint32(total)
}

// nibbles counts the bits of half a byte, for VPSHUFB.
var nibbles = [32]int8{0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4}

func row4(group *[CylinderGroup]uint64, at int) archsimd.Uint64x4 {
	return archsimd.LoadUint64x4((*[4]uint64)(group[at:]))
}

// cylindersAVX2 does the same with half a group a register, and counts bits
// by looking up half bytes.
func cylindersAVX2(probe *CylinderProbe, groups []uint64, near *[batch]runs) uint32 {
	low := archsimd.BroadcastUint64x4(0xffff)
	nibble := archsimd.BroadcastInt8x32(15)
	table := archsimd.LoadInt8x32(&nibbles)
	// A shift by a register: this compiler loads a constant count with an
	// instruction of the old encoding, which stalls between AVX ones.
	four := archsimd.BroadcastUint32x8(4)
	var zero archsimd.Uint8x32
	var sum archsimd.Uint64x4
	for g := range len(groups) / CylinderGroup {
		group := (*[CylinderGroup]uint64)(groups[g*CylinderGroup:])
		at := &near[g&(batch-1)]
		for half := 0; half < CylinderLanes; half += 4 {
			w0, w1, w2 := row4(group, half), row4(group, half+CylinderLanes), row4(group, half+2*CylinderLanes)
			w3, w4, w5 := row4(group, half+3*CylinderLanes), row4(group, half+4*CylinderLanes), row4(group, half+5*CylinderLanes)
			meta := row4(group, half+MetaRow*CylinderLanes).AsInt16x16()
			var best archsimd.Int16x16
			for r := 0; r < len(at); r += 2 {
				for i := at[r]; i < at[r+1]; i++ {
					c := &probe.wide[i&(MaxProbe-1)]
					// Bytes count up to 48.
					n := lookUp(w0.Xor(archsimd.LoadUint64x4((*[4]uint64)(c[0][:]))), nibble, table, four)
					n = n.Add(lookUp(w1.Xor(archsimd.LoadUint64x4((*[4]uint64)(c[1][:]))), nibble, table, four))
					n = n.Add(lookUp(w2.Xor(archsimd.LoadUint64x4((*[4]uint64)(c[2][:]))), nibble, table, four))
					n = n.Add(lookUp(w3.Xor(archsimd.LoadUint64x4((*[4]uint64)(c[3][:]))), nibble, table, four))
					n = n.Add(lookUp(w4.Xor(archsimd.LoadUint64x4((*[4]uint64)(c[4][:]))), nibble, table, four))
					n = n.Add(lookUp(w5.Xor(archsimd.LoadUint64x4((*[4]uint64)(c[5][:]))), nibble, table, four))
					d := n.AsUint8x32().SumAbsDiff(zero).AsInt16x16()
					both := meta.Add(archsimd.LoadUint64x4((*[4]uint64)(c[CodeWords][:])).AsInt16x16())
					far := both.AsInt32x8().ShiftAllRight(31).AsInt16x16()
					best = best.Max(both.Sub(d).Or(far))
				}
			}
			sum = sum.Add(best.AsUint64x4().And(low))
		}
	}
	var out [4]uint64
	sum.Store(&out)
	archsimd.ClearAVXUpperBits()
	return uint32(out[0] + out[1] + out[2] + out[3])
}

// lookUp counts the bits of each byte.
func lookUp(v archsimd.Uint64x4, nibble, table archsimd.Int8x32, four archsimd.Uint32x8) archsimd.Int8x32 {
	lo := v.AsInt8x32().And(nibble)
	hi := v.AsUint32x8().ShiftRight(four).AsInt8x32().And(nibble)
	return table.PermuteOrZeroGrouped(lo).Add(table.PermuteOrZeroGrouped(hi))
}
