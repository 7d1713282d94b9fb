package finger

// skeleton is a padded plane of one-pixel lines.
type skeleton struct {
	stride int
	on     []uint8
	codes  []uint8 // of what is on, while thin runs
	list   []int32
	gone   []int32
}

// ring is the order of neighbours: east, then clockwise as seen.
func (s *skeleton) ring() [8]int {
	w := s.stride
	return [8]int{1, w + 1, w, w - 1, -1, -w - 1, -w, -w + 1}
}

// code packs the eight neighbours of i, east in bit 0.
func (s *skeleton) code(i int) int {
	w := s.stride
	o := s.on
	return int(o[i+1]) | int(o[i+w+1])<<1 | int(o[i+w])<<2 | int(o[i+w-1])<<3 |
		int(o[i-1])<<4 | int(o[i-w-1])<<5 | int(o[i-w])<<6 | int(o[i-w+1])<<7
}

// thinTable says in which of the two sub-iterations a pixel with a neighbour
// code goes (bits 0 and 1). After Guo and Hall, CACM 32:3, 1989, algorithm A1,
// which leaves lines of one pixel in eight-connection.
var thinTable = makeThinTable()

func makeThinTable() (t [256]uint8) {
	for c := range t {
		// p[1..8] as in the paper: north first, clockwise as seen.
		var p [10]int
		for k := range 8 {
			// bit k is east+k*45 degrees clockwise; north is 6.
			p[1+(k+2)%8] = c >> k & 1
		}
		p[9] = p[1]
		// The paper's numbering: P2 north, P3 north-east, ... P9 north-west.
		p2, p3, p4, p5, p6, p7, p8, p9 := p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]
		not := func(v int) int { return 1 - v }
		cross := not(p2)&(p3|p4) + not(p4)&(p5|p6) + not(p6)&(p7|p8) + not(p8)&(p9|p2)
		n1 := (p9 | p2) + (p3 | p4) + (p5 | p6) + (p7 | p8)
		n2 := (p2 | p3) + (p4 | p5) + (p6 | p7) + (p8 | p9)
		n := min(n1, n2)
		if cross != 1 || n < 2 || n > 3 {
			continue
		}
		if (p2|p3|not(p5))&p4 == 0 {
			t[c] |= 1
		}
		if (p6|p7|not(p9))&p8 == 0 {
			t[c] |= 2
		}
	}
	return t
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

// thin reduces s.on to lines. What is on must keep one pixel from the plane's
// edge.
func (s *skeleton) thin() {
	s.list = s.list[:0]
	for i, v := range s.on {
		if v != 0 {
			s.list = append(s.list, int32(i))
		}
	}
	// Codes are kept up to date as pixels go: most stay as they are.
	s.codes = grow(s.codes, len(s.on))
	for _, i := range s.list {
		s.codes[i] = uint8(s.code(int(i)))
	}
	w := s.stride
	for changed := true; changed; {
		changed = false
		for sub := range 2 {
			s.gone = s.gone[:0]
			keep := s.list[:0]
			for _, i := range s.list {
				if thinTable[s.codes[i]]>>sub&1 != 0 {
					s.gone = append(s.gone, i)
				} else {
					keep = append(keep, i)
				}
			}
			s.list = keep
			changed = changed || len(s.gone) > 0
			for _, i := range s.gone {
				s.on[i] = 0
				// Each neighbour loses the bit that points here.
				c := s.codes[int(i)-w-1:][:2*w+3]
				c[0] &^= 1 << 1
				c[1] &^= 1 << 2
				c[2] &^= 1 << 3
				c[w] &^= 1 << 0
				c[w+2] &^= 1 << 4
				c[2*w] &^= 1 << 7
				c[2*w+1] &^= 1 << 6
				c[2*w+2] &^= 1 << 5
			}
		}
	}
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
