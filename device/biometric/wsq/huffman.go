package wsq

import "sort"

// Symbols (specification, table 3). 1 to 100 are runs of zeros, 107 to 254
// the bins -73 to 74; the others announce a number that follows.
const (
	symbolMaxRun   = 100
	symbolPlus8    = 101
	symbolMinus8   = 102
	symbolPlus16   = 103
	symbolMinus16  = 104
	symbolRun8     = 105
	symbolRun16    = 106
	symbolZero     = 180 // bin v is symbolZero+v
	symbolLeast    = 107
	symbolGreatest = 254
)

// maxCode is the longest code word in bits.
const maxCode = 16

// table is a Huffman table: how many codes of each length there are, and the
// symbols in order of code (as ISO/IEC 10918-1, annex C).
type table struct {
	counts  [maxCode + 1]int // by length, element 0 unused
	symbols []byte
}

// codes returns the code word of each symbol by its length.
func (t *table) codes() (code [256]uint32, length [256]int) {
	next, at := uint32(0), 0
	for n := 1; n <= maxCode; n++ {
		for range t.counts[n] {
			s := t.symbols[at]
			code[s], length[s] = next, n
			next++
			at++
		}
		next <<= 1
	}
	return code, length
}

// check refuses a table whose codes do not fit their lengths.
func (t *table) check() error {
	room := 1
	for n := 1; n <= maxCode; n++ {
		room = 2*room - t.counts[n]
		if room < 0 {
			return malformed("Huffman table with more codes of %d bits than there are", n)
		}
	}
	return nil
}

// newTable makes the best table of codes of at most maxCode bits for symbols
// that occur as often as stated, by package-merge (Larmore and Hirschberg,
// J. ACM 37, 1990). The code of all ones is given to none, as the padding at a
// block's end is made of ones.
func newTable(often *[256]int) *table {
	const reserved = 256
	type item struct {
		weight  int
		symbols []int16
	}
	var single []item
	for s, n := range often {
		if n > 0 {
			single = append(single, item{n, []int16{int16(s)}})
		}
	}
	single = append(single, item{0, []int16{reserved}})
	if len(single) == 1 {
		single = append(single, item{1, []int16{1}}) // a block without any symbol still has a table
	}
	sort.SliceStable(single, func(i, j int) bool { return single[i].weight < single[j].weight })
	level := single
	for range maxCode - 1 {
		var pairs []item
		for i := 0; i+1 < len(level); i += 2 {
			both := append(append([]int16(nil), level[i].symbols...), level[i+1].symbols...)
			pairs = append(pairs, item{level[i].weight + level[i+1].weight, both})
		}
		merged := append(append([]item(nil), single...), pairs...)
		sort.SliceStable(merged, func(i, j int) bool { return merged[i].weight < merged[j].weight })
		level = merged
	}
	var length [257]int
	for _, it := range level[:2*len(single)-2] {
		for _, s := range it.symbols {
			length[s]++
		}
	}
	t := &table{}
	for n := 1; n <= maxCode; n++ {
		for s := range often {
			if length[s] == n {
				t.counts[n]++
				t.symbols = append(t.symbols, byte(s))
			}
		}
	}
	return t
}

// lookup decodes in one step what is at most lookupBits long.
const lookupBits = 9

// decoder reads symbols of a table.
type decoder struct {
	table *table
	fast  [1 << lookupBits]uint16 // length<<8 | symbol, 0 = longer
	first [maxCode + 1]uint32     // first code of each length
	index [maxCode + 1]int        // its place among the symbols
}

func newDecoder(t *table) *decoder {
	d := &decoder{table: t}
	next, at := uint32(0), 0
	for n := 1; n <= maxCode; n++ {
		d.first[n], d.index[n] = next, at
		for range t.counts[n] {
			if n <= lookupBits {
				for i := range 1 << (lookupBits - n) {
					d.fast[int(next)<<(lookupBits-n)|i] = uint16(n)<<8 | uint16(t.symbols[at])
				}
			}
			next++
			at++
		}
		next <<= 1
	}
	return d
}

// symbol reads one. Past the end of its bits r gives ones.
func (d *decoder) symbol(r *bits) (byte, error) {
	v := r.peek()
	if e := d.fast[v>>(maxCode-lookupBits)]; e != 0 {
		return byte(e), r.skip(int(e >> 8))
	}
	for n := 1; n <= maxCode; n++ {
		c := v >> (maxCode - n)
		if i := int(c) - int(d.first[n]); i >= 0 && i < d.table.counts[n] {
			return d.table.symbols[d.index[n]+i], r.skip(n)
		}
	}
	if r.fake > 0 {
		return 0, truncated("its coefficients")
	}
	return 0, malformed("bits that are no code")
}

// bits reads the coded data of a block, in which FF is followed by 00, up to
// a marker or the end of the file.
type bits struct {
	b    []byte
	p    int    // next byte
	acc  uint64 // the low have bits wait
	have int
	fake int // of those waiting, ones put in past the end
}

// fill makes at least maxCode bits wait.
func (r *bits) fill() {
	for r.have < maxCode {
		c := byte(0xFF)
		switch {
		case r.p >= len(r.b), r.b[r.p] == 0xFF && (r.p+1 >= len(r.b) || r.b[r.p+1] != 0):
			r.fake += 8
		default:
			if c = r.b[r.p]; c == 0xFF {
				r.p++
			}
			r.p++
		}
		r.acc = r.acc<<8 | uint64(c)
		r.have += 8
	}
}

// peek returns the next maxCode bits.
func (r *bits) peek() uint32 {
	r.fill()
	return uint32(r.acc>>(r.have-maxCode)) & (1<<maxCode - 1)
}

// skip drops n bits that peek has shown.
func (r *bits) skip(n int) error {
	if n > r.have-r.fake {
		return truncated("its coefficients")
	}
	r.have -= n
	return nil
}

// take reads n bits, at most maxCode.
func (r *bits) take(n int) (int, error) {
	v := r.peek() >> (maxCode - n)
	return int(v), r.skip(n)
}
