//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// The probe comes prepared: a frame on the stack large enough for it is cleared
// by REP STOS at every call, at which an AMD EPYC (Zen 4) stops fetching ahead
// and takes twice as long for the codes of a chunk.

// pruneAVX512 widens 32 code bytes to int16 and multiplies them with one pair
// of probe values: VPMADDWD adds the two products of a row into its lane.
func pruneAVX512(masks []uint16, codes []int8, probe *CodeProbe, least int32) {
	wide := &probe.wide
	floor := archsimd.BroadcastInt32x16(least)
	for g := range masks {
		c := (*[GroupSize]int8)(codes[g*GroupSize:])
		// Written out: in a loop this compiler computes every address anew,
		// which takes as long again as the products.
		a, b := step512(c, wide, 0), step512(c, wide, 1)
		a, b = a.Add(step512(c, wide, 2)), b.Add(step512(c, wide, 3))
		a, b = a.Add(step512(c, wide, 4)), b.Add(step512(c, wide, 5))
		a, b = a.Add(step512(c, wide, 6)), b.Add(step512(c, wide, 7))
		a, b = a.Add(step512(c, wide, 8)), b.Add(step512(c, wide, 9))
		a, b = a.Add(step512(c, wide, 10)), b.Add(step512(c, wide, 11))
		a, b = a.Add(step512(c, wide, 12)), b.Add(step512(c, wide, 13))
		a, b = a.Add(step512(c, wide, 14)), b.Add(step512(c, wide, 15))
		a, b = a.Add(step512(c, wide, 16)), b.Add(step512(c, wide, 17))
		a, b = a.Add(step512(c, wide, 18)), b.Add(step512(c, wide, 19))
		masks[g] = a.Add(b).GreaterEqual(floor).ToBits()
	}
	archsimd.ClearAVXUpperBits()
}

// step512 is pair i of the sixteen rows of a group.
func step512(c *[GroupSize]int8, wide *[CodeDims / 2][GroupRows]int32, i int) archsimd.Int32x16 {
	return archsimd.LoadInt8x32((*[32]int8)(c[32*i:])).ExtendToInt16().DotProductPairs(archsimd.LoadInt32x16(&wide[i]).AsInt16x32())
}

// pruneAVX2 does the same with half a group a register.
func pruneAVX2(masks []uint16, codes []int8, probe *CodeProbe, least int32) {
	wide := &probe.wide
	floor := archsimd.BroadcastInt32x8(least)
	for g := range masks {
		c := (*[GroupSize]int8)(codes[g*GroupSize:])
		a, b := step256(c, wide, 0, 0), step256(c, wide, 0, 16)
		a, b = a.Add(step256(c, wide, 1, 0)), b.Add(step256(c, wide, 1, 16))
		a, b = a.Add(step256(c, wide, 2, 0)), b.Add(step256(c, wide, 2, 16))
		a, b = a.Add(step256(c, wide, 3, 0)), b.Add(step256(c, wide, 3, 16))
		a, b = a.Add(step256(c, wide, 4, 0)), b.Add(step256(c, wide, 4, 16))
		a, b = a.Add(step256(c, wide, 5, 0)), b.Add(step256(c, wide, 5, 16))
		a, b = a.Add(step256(c, wide, 6, 0)), b.Add(step256(c, wide, 6, 16))
		a, b = a.Add(step256(c, wide, 7, 0)), b.Add(step256(c, wide, 7, 16))
		a, b = a.Add(step256(c, wide, 8, 0)), b.Add(step256(c, wide, 8, 16))
		a, b = a.Add(step256(c, wide, 9, 0)), b.Add(step256(c, wide, 9, 16))
		a, b = a.Add(step256(c, wide, 10, 0)), b.Add(step256(c, wide, 10, 16))
		a, b = a.Add(step256(c, wide, 11, 0)), b.Add(step256(c, wide, 11, 16))
		a, b = a.Add(step256(c, wide, 12, 0)), b.Add(step256(c, wide, 12, 16))
		a, b = a.Add(step256(c, wide, 13, 0)), b.Add(step256(c, wide, 13, 16))
		a, b = a.Add(step256(c, wide, 14, 0)), b.Add(step256(c, wide, 14, 16))
		a, b = a.Add(step256(c, wide, 15, 0)), b.Add(step256(c, wide, 15, 16))
		a, b = a.Add(step256(c, wide, 16, 0)), b.Add(step256(c, wide, 16, 16))
		a, b = a.Add(step256(c, wide, 17, 0)), b.Add(step256(c, wide, 17, 16))
		a, b = a.Add(step256(c, wide, 18, 0)), b.Add(step256(c, wide, 18, 16))
		a, b = a.Add(step256(c, wide, 19, 0)), b.Add(step256(c, wide, 19, 16))
		// AVX2 has no "greater or equal": not (least > sum).
		masks[g] = ^(uint16(floor.Greater(a).ToBits()) | uint16(floor.Greater(b).ToBits())<<8)
	}
	archsimd.ClearAVXUpperBits()
}

// step256 is pair i of eight rows of a group: 0 or 16 bytes into the pair.
func step256(c *[GroupSize]int8, wide *[CodeDims / 2][GroupRows]int32, i, into int) archsimd.Int32x8 {
	return archsimd.LoadInt8x16((*[16]int8)(c[32*i+into:])).ExtendToInt16().DotProductPairs(archsimd.LoadInt32x8((*[8]int32)(wide[i][:])).AsInt16x16())
}
