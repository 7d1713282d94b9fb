//go:build goexperiment.simd && amd64

package kernel

import "simd/archsimd"

// pairs is CodeDims in steps of two, the width of VPMADDWD.
const pairs = CodeDims / 2

// pairAt packs two probe values as VPMADDWD takes them.
func pairAt(probe *[CodeDims]int16, i int) int32 {
	return int32(uint32(uint16(probe[2*i])) | uint32(uint16(probe[2*i+1]))<<16)
}

// pruneAVX512 widens 32 code bytes to int16 and multiplies them with one pair
// of probe values: VPMADDWD adds the two products of a row into its lane.
func pruneAVX512(masks []uint16, codes []int8, probe *[CodeDims]int16, least int32) {
	var wide [pairs][16]int32
	for i := range wide {
		archsimd.BroadcastInt32x16(pairAt(probe, i)).Store(&wide[i])
	}
	floor := archsimd.BroadcastInt32x16(least)
	for g := range masks {
		c := (*[GroupSize]int8)(codes)
		codes = codes[GroupSize:]
		// Written out: in a loop this compiler computes every address anew,
		// which takes as long again as the products.
		a, b := step512(c, &wide, 0), step512(c, &wide, 1)
		a, b = a.Add(step512(c, &wide, 2)), b.Add(step512(c, &wide, 3))
		a, b = a.Add(step512(c, &wide, 4)), b.Add(step512(c, &wide, 5))
		a, b = a.Add(step512(c, &wide, 6)), b.Add(step512(c, &wide, 7))
		a, b = a.Add(step512(c, &wide, 8)), b.Add(step512(c, &wide, 9))
		a, b = a.Add(step512(c, &wide, 10)), b.Add(step512(c, &wide, 11))
		a, b = a.Add(step512(c, &wide, 12)), b.Add(step512(c, &wide, 13))
		a, b = a.Add(step512(c, &wide, 14)), b.Add(step512(c, &wide, 15))
		a, b = a.Add(step512(c, &wide, 16)), b.Add(step512(c, &wide, 17))
		a, b = a.Add(step512(c, &wide, 18)), b.Add(step512(c, &wide, 19))
		a, b = a.Add(step512(c, &wide, 20)), b.Add(step512(c, &wide, 21))
		a, b = a.Add(step512(c, &wide, 22)), b.Add(step512(c, &wide, 23))
		masks[g] = a.Add(b).GreaterEqual(floor).ToBits()
	}
	archsimd.ClearAVXUpperBits()
}

// step512 is pair i of the sixteen rows of a group.
func step512(c *[GroupSize]int8, wide *[pairs][16]int32, i int) archsimd.Int32x16 {
	return archsimd.LoadInt8x32((*[32]int8)(c[32*i:])).ExtendToInt16().DotProductPairs(archsimd.LoadInt32x16(&wide[i]).AsInt16x32())
}

// pruneAVX2 does the same with half a group a register.
func pruneAVX2(masks []uint16, codes []int8, probe *[CodeDims]int16, least int32) {
	var wide [pairs][8]int32
	for i := range wide {
		archsimd.BroadcastInt32x8(pairAt(probe, i)).Store(&wide[i])
	}
	floor := archsimd.BroadcastInt32x8(least)
	for g := range masks {
		group := (*[GroupSize]int8)(codes[g*GroupSize:])
		var a, b archsimd.Int32x8
		for i := range wide {
			p := archsimd.LoadInt32x8(&wide[i]).AsInt16x16()
			a = a.Add(archsimd.LoadInt8x16((*[16]int8)(group[32*i:])).ExtendToInt16().DotProductPairs(p))
			b = b.Add(archsimd.LoadInt8x16((*[16]int8)(group[32*i+16:])).ExtendToInt16().DotProductPairs(p))
		}
		// AVX2 has no "greater or equal": not (least > sum).
		masks[g] = ^(uint16(floor.Greater(a).ToBits()) | uint16(floor.Greater(b).ToBits())<<8)
	}
	archsimd.ClearAVXUpperBits()
}
