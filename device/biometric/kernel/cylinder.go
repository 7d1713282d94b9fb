package kernel

import (
	"math/bits"
	"slices"
)

// A cylinder code stands for the neighbourhood of one minutia: CodeWords
// words of bits, a direction, and a base, which is what the code adds to the
// likeness of a pair. Codes lie in groups of CylinderLanes, word by word, so
// that a vector kernel gets one code a lane:
//
//	rows 0 to 5   the bits
//	row 6         nothing that a kernel reads
//	row 7         bits 0 to 15 the base, 24 to 31 the direction in 1/256
//	              turns, 16 to 23 zero; the rest nothing that a kernel reads
//
// A row is CylinderLanes words. The directions of a group rise from lane to
// lane or stay, those of lanes that hold no code as well: a kernel leaves out
// what lies too far from the first and the last.
const (
	CodeWords      = 6
	CylinderLanes  = 8
	CylinderGroup  = (CodeWords + 2) * CylinderLanes // words
	MetaRow        = CodeWords + 1
	MaxProbe       = 64     // codes
	NoBase         = -16384 // of a lane that holds no code
	maxBase        = 4096
	turn           = 256 // steps of a direction
	quarter        = turn / 4
	directionShift = 24
)

// Meta packs base and direction as row 7 takes them. A base is NoBase or 0 to
// 4,096.
func Meta(base int, direction uint8) uint64 {
	return uint64(uint16(int16(min(maxBase, base)))) | uint64(direction)<<directionShift
}

// CylinderCode is one code of a probe.
type CylinderCode struct {
	Bits      [CodeWords]uint64
	Base      int
	Direction uint8 // 1/256 turns
}

// CylinderProbe is a print to compare others with, laid out for the kernels.
// It is safe for concurrent use once filled.
type CylinderProbe struct {
	n     int
	below [turn + 1]uint8 // how many codes have a smaller direction
	code  [MaxProbe]struct {
		bits [CodeWords]uint64
		meta uint64 // as the kernels add it to a code's
	}
	// wide is the same, each word CylinderLanes times: what would be a
	// broadcast in the inner loop is a load.
	wide [MaxProbe][CodeWords + 1][CylinderLanes]uint64
}

// Fill makes p the probe of codes; those after MaxProbe are left out.
func (p *CylinderProbe) Fill(codes []CylinderCode) {
	order := slices.Clone(codes[:min(len(codes), MaxProbe)])
	slices.SortStableFunc(order, func(a, b CylinderCode) int { return int(a.Direction) - int(b.Direction) })
	p.n = len(order)
	clear(p.below[:])
	for i := range order {
		c := &order[i]
		p.below[int(c.Direction)+1]++
		p.code[i].bits = c.Bits
		// The sum of both directions' fields is not negative, as int16, where
		// the other lies within a quarter turn of this one.
		p.code[i].meta = Meta(c.Base, quarter-c.Direction)
		for k, w := range append(c.Bits[:], p.code[i].meta) {
			for lane := range p.wide[i][k] {
				p.wide[i][k][lane] = w
			}
		}
	}
	for d := range turn {
		p.below[d+1] += p.below[d]
	}
}

// Len is the number of codes.
func (p *CylinderProbe) Len() int { return p.n }

// runs are codes of a probe by index: two from, to.
type runs [4]uint8

func direction(meta uint64) int { return int(meta >> directionShift & (turn - 1)) }

// near returns the codes that lie within a quarter turn of any direction from
// first to last.
func (p *CylinderProbe) near(first, last int) runs {
	if last-first+2*quarter >= turn || last < first {
		return runs{0, uint8(p.n)}
	}
	from, to := (first-quarter+1)&(turn-1), (last+quarter)&(turn-1)
	if from <= to {
		return runs{p.below[from], p.below[to+1]}
	}
	return runs{0, p.below[to+1], p.below[from], uint8(p.n)}
}

// Cylinders compares whole groups of codes with a probe: the sum over the
// codes of the best likeness to any code of the probe. The
// likeness of a pair is both bases less the number of bits that differ; it is
// 0 where that is negative or where the directions differ by more than a
// quarter turn (-64 to 63 steps are let through). Integers are exact: every
// kernel gives the same sum. Words beyond the last whole group are left out.
func Cylinders(probe *CylinderProbe, groups []uint64) uint32 { return cylinders(probe, groups) }

func plainCylinders(probe *CylinderProbe, groups []uint64) uint32 {
	sum := uint32(0)
	for ; len(groups) >= CylinderGroup; groups = groups[CylinderGroup:] {
		group := (*[CylinderGroup]uint64)(groups)
		for lane := range CylinderLanes {
			w0, w1, w2 := group[lane], group[lane+CylinderLanes], group[lane+2*CylinderLanes]
			w3, w4, w5 := group[lane+3*CylinderLanes], group[lane+4*CylinderLanes], group[lane+5*CylinderLanes]
			meta := group[lane+MetaRow*CylinderLanes]
			best := NoBase
			// One direction's run is exact.
			at := probe.near(direction(meta), direction(meta))
			for r := 0; r < len(at); r += 2 {
				for i := at[r]; i < at[r+1]; i++ {
					c := &probe.code[i&(MaxProbe-1)]
					d := bits.OnesCount64(w0^c.bits[0]) + bits.OnesCount64(w1^c.bits[1]) + bits.OnesCount64(w2^c.bits[2]) +
						bits.OnesCount64(w3^c.bits[3]) + bits.OnesCount64(w4^c.bits[4]) + bits.OnesCount64(w5^c.bits[5])
					best = max(best, int(int16(c.meta))-d)
				}
			}
			best = max(0, best+int(int16(meta)))
			sum += uint32(best)
		}
	}
	return sum
}
