package finger

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
)

// A packed template is what a gallery keeps of a print: minutiae, and the
// cylinders of the best of them in the layout of the filter's kernels. There
// are no ridges and no second opinion. Words:
//
//	row 0         word 0: sizes (below); words 1 to 7: minutiae without cylinder
//	rows 1 to     more minutiae without cylinder, eight a row
//	then          groups of kernel.CylinderGroup words, in order of direction
//
// A minutia is a word as in the groups' last row: above base and direction
// come x and y of 12 bits, quality of 6 and kind of 2. A row is 8 words, so
// that what begins on a cache line stays on one.
const (
	// PackVersion changes when packed templates of before cannot be compared
	// with those of now: layout, or the parameters of the cylinders.
	PackVersion = 1

	// MaxCylinders is how many cylinders of a print are packed, those of the
	// minutiae of best quality.
	MaxCylinders = 48

	packRow      = kernel.CylinderLanes
	packMinutiae = 96 // with and without cylinder
	packGroups   = MaxCylinders / kernel.CylinderLanes

	// MaxPacked is the largest packed template in words.
	MaxPacked = packRow * (1 + (packMinutiae+1+packRow-1)/packRow + packGroups*(kernel.CylinderGroup/packRow))
)

// Sizes in word 0 of a packed template.
const (
	packGroupsAt  = 0  // 8 bits: groups
	packCodesAt   = 8  // 8 bits: cylinders
	packLooseAt   = 16 // 8 bits: minutiae without
	packQualityAt = 24 // 8 bits: quality + 1
	packWidthAt   = 32 // 16 bits, pixels
	packHeightAt  = 48
)

// mccBase is how much of a cylinder's bits counts towards its likeness to
// another: a pair is worth 0.45 of the bits of both less those that differ.
const mccBase = 0.45

// ErrPacked is the sentinel of packed templates that cannot be read.
var ErrPacked = &fault.Error{Code: "finger.packed"}

// code is the form of a cylinder that the filter compares.
func (t *Template) code(c *cylinder) kernel.CylinderCode {
	n := 0
	for _, w := range c.bits {
		n += bits.OnesCount64(w)
	}
	return kernel.CylinderCode{Bits: c.bits, Base: int(mccBase*float64(n) + 0.5), Direction: uint8(turn256(t.Minutiae[c.minutia].Angle))}
}

// strongest are the cylinders of the minutiae of best quality, at most most and
// MaxCylinders, in order of their directions.
func (t *Template) strongest(most int) []*cylinder {
	all := make([]*cylinder, len(t.cylinders))
	for i := range all {
		all[i] = &t.cylinders[i]
	}
	slices.SortStableFunc(all, func(a, b *cylinder) int {
		return cmp.Compare(t.Minutiae[b.minutia].Quality, t.Minutiae[a.minutia].Quality)
	})
	all = all[:min(len(all), most, MaxCylinders)]
	slices.SortStableFunc(all, func(a, b *cylinder) int {
		return cmp.Compare(uint8(turn256(t.Minutiae[a.minutia].Angle)), uint8(turn256(t.Minutiae[b.minutia].Angle)))
	})
	return all
}

// FilterProbe lays t out as the probe of a filter; see Likeness. It has the
// cylinders of the best minutiae, at most most: the time of a comparison goes
// with their number.
func (t *Template) FilterProbe(most int) *kernel.CylinderProbe {
	var codes []kernel.CylinderCode
	for _, c := range t.strongest(most) {
		codes = append(codes, t.code(c))
	}
	p := &kernel.CylinderProbe{}
	p.Fill(codes)
	return p
}

// packMinutia is a minutia in the upper 40 bits of a word, direction included.
func packMinutia(m *Minutia) uint64 {
	place := func(v float32) uint64 { return uint64(min(4095, max(0, math.Round(float64(v))))) }
	return uint64(uint8(turn256(m.Angle)))<<24 | place(m.X)<<32 | place(m.Y)<<44 |
		uint64(min(m.Quality, 100))*63/100<<56 | uint64(m.Kind&3)<<62
}

func unpackMinutia(w uint64) Minutia {
	return Minutia{
		X: float32(w >> 32 & 0xfff), Y: float32(w >> 44 & 0xfff), Angle: float32(uint8(w>>24)) * (2 * math.Pi / 256),
		Quality: uint8((w >> 56 & 63) * 100 / 63), Kind: Kind(w >> 62),
	}
}

// AppendPacked appends the packed form of t to words and returns them.
func (t *Template) AppendPacked(words []uint64) []uint64 {
	kept := t.strongest(MaxCylinders)
	has := make([]bool, len(t.Minutiae))
	for _, c := range kept {
		has[c.minutia] = true
	}
	var loose []int
	for i := range t.Minutiae {
		if !has[i] {
			loose = append(loose, i)
		}
	}
	slices.SortStableFunc(loose, func(a, b int) int { return cmp.Compare(t.Minutiae[b].Quality, t.Minutiae[a].Quality) })
	loose = loose[:min(len(loose), packMinutiae-len(kept))]

	start := len(words)
	groups := (len(kept) + packRow - 1) / packRow
	words = append(words, uint64(groups)<<packGroupsAt|uint64(len(kept))<<packCodesAt|uint64(len(loose))<<packLooseAt|
		uint64(min(101, max(-1, t.Quality))+1)<<packQualityAt|
		uint64(min(math.MaxUint16, t.Width))<<packWidthAt|uint64(min(math.MaxUint16, t.Height))<<packHeightAt)
	for _, i := range loose {
		words = append(words, packMinutia(&t.Minutiae[i]))
	}
	for (len(words)-start)%packRow != 0 {
		words = append(words, 0)
	}
	for g := range groups {
		at := len(words)
		words = append(words, make([]uint64, kernel.CylinderGroup)...)
		group := words[at:]
		empty := kernel.Meta(kernel.NoBase, 255)
		for lane := range packRow {
			i := g*packRow + lane
			if i >= len(kept) {
				group[kernel.MetaRow*packRow+lane] = empty
				continue
			}
			c := kept[i]
			code := t.code(c)
			for k, w := range code.Bits {
				group[k*packRow+lane] = w
			}
			group[kernel.CodeWords*packRow+lane] = c.mask
			group[kernel.MetaRow*packRow+lane] = kernel.Meta(code.Base, code.Direction) | packMinutia(&t.Minutiae[c.minutia])
		}
	}
	return words
}

// PackedSize returns how many words the packed template at the beginning of
// words takes. It refuses what AppendPacked does not write: errors have the
// code of ErrPacked.
func PackedSize(words []uint64) (int, error) {
	if len(words) < packRow {
		return 0, fault.New(ErrPacked.Code, "%d words", len(words))
	}
	head := words[0]
	groups, codes, loose := int(head>>packGroupsAt&255), int(head>>packCodesAt&255), int(head>>packLooseAt&255)
	if groups > packGroups || groups != (codes+packRow-1)/packRow || codes+loose > packMinutiae {
		return 0, fault.New(ErrPacked.Code, "%d groups, %d cylinders, %d minutiae besides", groups, codes, loose)
	}
	n := packedRows(head)*packRow + groups*kernel.CylinderGroup
	if n > len(words) {
		return 0, fault.New(ErrPacked.Code, "%d words of %d", len(words), n)
	}
	at := n - groups*kernel.CylinderGroup
	last := uint8(0)
	for g := range groups {
		for lane := range packRow {
			meta := words[at+g*kernel.CylinderGroup+kernel.MetaRow*packRow+lane]
			base, held := int16(meta), g*packRow+lane < codes
			if uint8(meta>>24) < last || uint8(meta>>16) != 0 || held && (base < 0 || base > 64*kernel.CodeWords) || !held && base != kernel.NoBase {
				return 0, fault.New(ErrPacked.Code, "a cylinder out of order")
			}
			last = uint8(meta >> 24)
		}
	}
	return n, nil
}

// packedRows is the number of rows before the groups.
func packedRows(head uint64) int {
	return (1 + int(head>>packLooseAt&255) + packRow - 1) / packRow
}

// Likeness compares a probe with the packed template at the beginning of
// words, which PackedSize has accepted: the filter's score, 0 or more, on a
// scale of its own.
func Likeness(probe *kernel.CylinderProbe, packed []uint64) float32 {
	head := packed[0]
	from, groups := packedRows(head)*packRow, int(head>>packGroupsAt&255)
	return float32(kernel.Cylinders(probe, packed[from:from+groups*kernel.CylinderGroup])) * packScale[head>>packCodesAt&63]
}

// packScale weighs a sum over cylinders by their number: a print with many
// finds more that are alike by chance.
var packScale = func() (t [64]float32) {
	for i := 1; i < len(t); i++ {
		t[i] = float32(1 / math.Sqrt(float64(i)))
	}
	return t
}()

// Unpack makes t the template at the beginning of words, which PackedSize has
// accepted, reusing its memory.
func (t *Template) Unpack(packed []uint64) {
	head := packed[0]
	codes, loose := int(head>>packCodesAt&255), int(head>>packLooseAt&255)
	*t = Template{
		Width: int(head >> packWidthAt & 0xffff), Height: int(head >> packHeightAt & 0xffff), Quality: int(head>>packQualityAt&255) - 1,
		Minutiae: t.Minutiae[:0], cylinders: t.cylinders[:0], order: t.order,
	}
	at := packed[packedRows(head)*packRow:]
	for i := range codes {
		g, lane := at[i/packRow*kernel.CylinderGroup:], i%packRow
		c := cylinder{mask: g[kernel.CodeWords*packRow+lane], minutia: int16(i)}
		for k := range c.bits {
			c.bits[k] = g[k*packRow+lane]
		}
		t.cylinders = append(t.cylinders, c)
		t.Minutiae = append(t.Minutiae, unpackMinutia(g[kernel.MetaRow*packRow+lane]))
	}
	for _, w := range packed[1 : 1+loose] {
		t.Minutiae = append(t.Minutiae, unpackMinutia(w))
	}
	t.hull = convexHull(t.Minutiae)
	t.order.sort(t.Minutiae)
}
