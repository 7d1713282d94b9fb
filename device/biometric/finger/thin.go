package finger

import "math/bits"

// skeleton is a padded plane of one-pixel lines.
type skeleton struct {
	stride int
	words  int      // of a row of bits
	bits   []uint64 // pixels, the first of a row in bit 0 of its first word
	gone   []uint64
	on     []uint8 // pixels, 0 or 1
	codes  []uint8 // neighbours of what is on
	list   []int32 // what was on after thin, from the top
}

// ring is the order of neighbours: east, then clockwise as seen.
func (s *skeleton) ring() [8]int {
	w := s.stride
	return [8]int{1, w + 1, w, w - 1, -1, -w - 1, -w, -w + 1}
}

// code packs the eight neighbours of i, which is on: east in bit 0, then as in
// ring. thin computes the codes, turnOff and turnOn keep them.
func (s *skeleton) code(i int) int { return int(s.codes[i]) }

// turnOff takes a pixel away. It may be off already.
func (s *skeleton) turnOff(i int32) {
	s.on[i] = 0
	word, mask := s.bit(int(i))
	s.bits[word] &^= mask
	for k, d := range s.ring() {
		s.codes[int(i)+d] &^= 1 << (k ^ 4) // the bit that points here
	}
}

// turnOn adds a pixel. It may be on already.
func (s *skeleton) turnOn(i int) {
	s.on[i] = 1
	word, mask := s.bit(i)
	s.bits[word] |= mask
	c := uint8(0)
	for k, d := range s.ring() {
		s.codes[i+d] |= 1 << (k ^ 4)
		c |= s.on[i+d] << k
	}
	s.codes[i] = c
}

// crossings is the number of off-to-on steps around a pixel, by code: 1 at an
// ending, 2 on a line, 3 at a bifurcation.
var crossings = makeCrossings()

func makeCrossings() (t [256]uint8) {
	for c := range t {
		for k := range 8 {
			if c>>k&1 == 0 && c>>((k+1)%8)&1 == 1 {
				t[c]++
			}
		}
	}
	return t
}

// begin makes the skeleton an empty plane.
func (s *skeleton) begin(stride, size int) {
	s.stride, s.words = stride, (stride+63)/64
	rows := size / stride
	s.on, s.codes = grow(s.on, size), grow(s.codes, size)
	s.bits, s.gone = grow(s.bits, rows*s.words), grow(s.gone, rows*s.words)
	clear(s.on)
	clear(s.bits)
	s.list = s.list[:0]
}

// bit is where a pixel lies in s.bits.
func (s *skeleton) bit(i int) (word int, mask uint64) {
	x := i % s.stride
	return i/s.stride*s.words + x>>6, 1 << (x & 63)
}

// thin reduces what is on in s.bits to lines, and sets s.on, the codes and the
// list by them. What is on must keep one pixel from the plane's edge.
func (s *skeleton) thin() {
	for changed := true; changed; {
		changed = false
		for second := range 2 {
			if s.peel(second == 1) {
				changed = true
			}
		}
	}
	for _, i := range s.list {
		s.on[i] = 0
	}
	s.list = s.list[:0]
	for k, w := range s.bits {
		for ; w != 0; w &= w - 1 {
			i := k/s.words*s.stride + k%s.words*64 + bits.TrailingZeros64(w)
			s.on[i] = 1
			s.list = append(s.list, int32(i))
		}
	}
	w := s.stride
	for _, i := range s.list {
		o := s.on[int(i)-w-1:][:2*w+3]
		s.codes[i] = o[w+2] | o[2*w+2]<<1 | o[2*w+1]<<2 | o[2*w]<<3 | o[w]<<4 | o[0]<<5 | o[1]<<6 | o[2]<<7
	}
}

// peel is one of the two sub-iterations of Guo and Hall, CACM 32:3, 1989,
// algorithm A1, which leaves lines of one pixel in eight-connection: 64 pixels
// at once, all by what was before. It reports whether any pixel went.
func (s *skeleton) peel(second bool) (any bool) {
	n := s.words
	for k := n; k < len(s.bits)-n; k++ {
		p := s.bits[k]
		s.gone[k] = 0
		if p == 0 {
			continue
		}
		// The neighbours as the paper numbers them: north, then clockwise.
		p2, p6 := s.bits[k-n], s.bits[k+n]
		before, after := k-1, k+1 // the plane's margin is off: rows may run together
		p3, p4, p5 := p2>>1|s.bits[after-n]<<63, p>>1|s.bits[after]<<63, p6>>1|s.bits[min(after+n, len(s.bits)-1)]<<63
		p7, p8, p9 := p6<<1|s.bits[before+n]>>63, p<<1|s.bits[before]>>63, p2<<1|s.bits[max(before-n, 0)]>>63
		a, b, c, d := ^p2&(p3|p4), ^p4&(p5|p6), ^p6&(p7|p8), ^p8&(p9|p2)
		one := (a ^ b ^ c ^ d) &^ (a&b | c&d)
		a, b, c, d = p9|p2, p3|p4, p5|p6, p7|p8
		two, four := a&b|c&d|(a|b)&(c|d), a&b&c&d
		a, b, c, d = p2|p3, p4|p5, p6|p7, p8|p9
		two &= a&b | c&d | (a|b)&(c|d)
		four &= a & b & c & d
		held := (p2 | p3 | ^p5) & p4
		if second {
			held = (p6 | p7 | ^p9) & p8
		}
		gone := p & one & two &^ four &^ held
		s.gone[k] = gone
		any = any || gone != 0
	}
	if any {
		for k := n; k < len(s.bits)-n; k++ {
			s.bits[k] &^= s.gone[k]
		}
	}
	return any
}

// trace follows a line from start by way of first for at most limit steps and
// appends the pixels passed, start not among them. It stops at an ending, at
// a bifurcation (node true), or at the limit.
func (s *skeleton) trace(start, first, limit int, path []int32) (out []int32, node bool) {
	ring := s.ring()
	prev, at := start, first
	for range limit {
		path = append(path, int32(at))
		c := s.code(at)
		if crossings[c] >= 3 {
			return path, true
		}
		if crossings[c] < 2 {
			return path, false
		}
		next := 0
		// Straight neighbours first: a corner pixel has two in one direction.
		for _, k := range [8]int{0, 2, 4, 6, 1, 3, 5, 7} {
			n := at + ring[k]
			if c>>k&1 != 0 && n != prev && !adjacent(prev, n, s.stride) {
				next = n
				break
			}
		}
		if next == 0 {
			return path, false
		}
		prev, at = at, next
	}
	return path, false
}

// adjacent reports whether two pixels share an edge: then they belong to the
// same branch.
func adjacent(a, b, stride int) bool {
	d := a - b
	if d < 0 {
		d = -d
	}
	return d == 1 || d == stride
}

// branches are the neighbours at which lines leave a pixel, one for each run
// of neighbours that are on; straight ones are preferred within a run.
func (s *skeleton) branches(i int, out []int) []int {
	ring := s.ring()
	c := s.code(i)
	start := 0
	for start < 8 && c>>start&1 != 0 {
		start++
	}
	if start == 8 {
		return out
	}
	for k := 1; k <= 8; {
		b := (start + k) % 8
		if c>>b&1 == 0 {
			k++
			continue
		}
		pick := b
		for k <= 8 && c>>((start+k)%8)&1 != 0 {
			if q := (start + k) % 8; q%2 == 0 && pick%2 != 0 {
				pick = q
			}
			k++
		}
		out = append(out, i+ring[pick])
	}
	return out
}
