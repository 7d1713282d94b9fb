package kernel

// A code row is CodeDims bytes that stand for a template in a filter. Rows lie
// in groups of GroupRows: a group holds dimensions 0 and 1 of its first row,
// then of its second, and after the sixteenth row dimensions 2 and 3, and so
// on, so that a vector kernel gets one row a lane and never sums across lanes.
const (
	CodeDims  = 40
	GroupRows = 16
	GroupSize = CodeDims * GroupRows // bytes
)

// CodeMax bounds the size of a code value, and ProbeMax that of a probe value:
// the sum over CodeDims products then fits an int32 four times over.
const (
	CodeMax  = 127
	ProbeMax = 32767
)

// CodeAt returns where in a group dimension dim of row row lies.
func CodeAt(row, dim int) int { return dim/2*2*GroupRows + 2*row + dim%2 }

// CodeProbe is a coded probe as kernels take it. It is for any number of
// goroutines once it is made.
type CodeProbe struct {
	wide   [CodeDims / 2][GroupRows]int32 // two values, as VPMADDWD takes them, in every lane
	values [CodeDims]int16
}

// NewCodeProbe prepares the values of a probe, at most ProbeMax in size.
func NewCodeProbe(values *[CodeDims]int16) *CodeProbe {
	p := &CodeProbe{values: *values}
	for i := range p.wide {
		two := int32(uint32(uint16(values[2*i])) | uint32(uint16(values[2*i+1]))<<16)
		for lane := range p.wide[i] {
			p.wide[i][lane] = two
		}
	}
	return p
}

// Prune compares the integer inner product of probe and each code row with
// least: bit r of masks[g] is set where row r of group g reaches it. codes
// holds whole groups, masks has room for one mask a group; it returns the
// number of groups. Code values are at most CodeMax in size. Integer sums are
// exact, so every kernel gives the same masks.
func Prune(masks []uint16, codes []int8, probe *CodeProbe, least int32) int {
	n := len(codes) / GroupSize
	prune(masks[:n], codes[:n*GroupSize], probe, least)
	return n
}

func plainPrune(masks []uint16, codes []int8, probe *[CodeDims]int16, least int32) {
	for g := range masks {
		group := (*[GroupSize]int8)(codes[g*GroupSize:])
		var sums [GroupRows]int32
		for d := 0; d < CodeDims; d += 2 {
			p0, p1 := int32(probe[d]), int32(probe[d+1])
			pairs := (*[2 * GroupRows]int8)(group[d*GroupRows:])
			for r := range sums {
				sums[r] += p0*int32(pairs[2*r]) + p1*int32(pairs[2*r+1])
			}
		}
		var mask uint16
		for r, s := range sums {
			if s >= least {
				mask |= 1 << r
			}
		}
		masks[g] = mask
	}
}
