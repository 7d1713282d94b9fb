package finger

import (
	"cmp"
	"slices"
)

// columnWidth is how wide the columns of an order are, in pixels: about the
// reach within which partners are looked for.
const columnWidth = 16

// order lists minutiae from left to right, so that those near a point are
// found without a look at all.
type order struct {
	list  []uint8 // numbers of minutiae
	start []uint8 // by column, the first in list that is in it or right of it
}

// sort makes o the order of minutiae, at most maxRecord, reusing its memory.
func (o *order) sort(all []Minutia) {
	o.list, o.start = grow(o.list, len(all)), o.start[:0]
	for i := range o.list {
		o.list[i] = uint8(i)
	}
	slices.SortFunc(o.list, func(a, b uint8) int {
		return cmp.Or(cmp.Compare(all[a].X, all[b].X), cmp.Compare(a, b))
	})
	for at, i := range o.list {
		for int(all[i].X) >= len(o.start)*columnWidth {
			o.start = append(o.start, uint8(at))
		}
	}
}

// from lists the minutiae at x or right of it, and some of those left of it in
// its column.
func (o *order) from(x float32) []uint8 {
	column := int(max(0, x)) / columnWidth
	if column >= len(o.start) {
		return nil
	}
	return o.list[o.start[column]:]
}
