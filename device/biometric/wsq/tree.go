package wsq

// Numbers of subbands (specification, section 2.3.5 and figure 7).
const (
	subbands  = 64
	sentBands = 60 // the four of the highest frequencies are never sent
)

// blockEnds are the subbands at which the three coded blocks end.
var blockEnds = [3]int{19, 52, sentBands}

// band is a rectangle of the plane of coefficients. Along each axis a band
// that came out of a high-pass filter is reversed in frequency, so that its
// own low half lies second.
type band struct {
	x, y, w, h int
	revX, revY bool
}

// halves gives the lengths of the two parts that n samples are split in: the
// low-pass part has the odd sample, and lies second in a reversed band.
func halves(n int, reversed bool) (first, second int) {
	if reversed {
		return n / 2, n - n/2
	}
	return n - n/2, n / 2
}

// split returns the four parts: upper left, upper right, lower left, lower
// right.
func (b band) split() [4]band {
	w0, w1 := halves(b.w, b.revX)
	h0, h1 := halves(b.h, b.revY)
	return [4]band{
		{b.x, b.y, w0, h0, false, false},
		{b.x + w0, b.y, w1, h0, true, false},
		{b.x, b.y + h0, w0, h1, false, true},
		{b.x + w0, b.y + h0, w1, h1, true, true},
	}
}

// tree is the decomposition of an image.
type tree struct {
	nodes  []band // those that are split, parents before their parts
	leaves [subbands]band
}

// newTree lays out the decomposition of figure 7: the lower quarter of the
// frequencies twice more in sixteen each, its lowest part to five levels, the
// next quarters in four.
func newTree(w, h int) *tree {
	t := &tree{nodes: make([]band, 0, 20)}
	split := func(b band) [4]band {
		if b.w > 0 && b.h > 0 { // a picture of few pixels has empty subbands
			t.nodes = append(t.nodes, b)
		}
		return b.split()
	}
	put := func(at int, parts [4]band) { copy(t.leaves[at:], parts[:]) }
	whole := split(band{w: w, h: h})
	quarter := split(whole[0])
	put(52, split(whole[1]))
	put(56, split(whole[2]))
	put(60, whole[3].split()) // never sent, so its coefficients need no filter
	t.leaves[51] = quarter[3]
	for i, at := range [3]int{3, 19, 35} {
		for j, part := range split(quarter[i]) {
			parts := split(part)
			put(at+4*j, parts)
			if i == 0 && j == 0 {
				put(0, split(parts[0])) // after its sisters: they are 4, 5 and 6
			}
		}
	}
	return t
}
