package finger

import "slices"

// segment decides which blocks are print: enough contrast against the print's
// own, and enough of it in one direction.
func (e *Extractor) segment() {
	f := &e.field
	f.gauss(f.a, f.xx, 1.2)
	f.gauss(f.b, f.xy, 1.2)
	f.gauss(f.c, f.en, 1.2)
	sorted := append([]float32(nil), e.energy...)
	slices.Sort(sorted)
	top := sorted[len(sorted)*9/10]
	soft := f.coh // set anew by orient
	f.gauss(soft, e.energy, 1)
	for i := range e.mask {
		c := float32(0)
		if f.c[i] > 0 {
			c = sqrt32(f.a[i]*f.a[i]+f.b[i]*f.b[i]) / f.c[i]
		}
		rel := min(1, soft[i]/top)
		// What is so faint is print only where it has a direction.
		e.mask[i] = (soft[i] > 3 || soft[i] > 0.7 && c > 0.35) && rel > 0.12 && rel*(0.25+c) > 0.11
	}
	for range 2 {
		e.majority()
	}
	e.regions()
}

// majority gives each block the value of most of its 5x5 neighbours; outside
// counts as the block itself.
func (e *Extractor) majority() {
	old := append([]bool(nil), e.mask...)
	for y := range e.bh {
		for x := range e.bw {
			n, all := 0, 0
			for v := max(0, y-2); v <= min(e.bh-1, y+2); v++ {
				for u := max(0, x-2); u <= min(e.bw-1, x+2); u++ {
					all++
					if old[v*e.bw+u] {
						n++
					}
				}
			}
			e.mask[y*e.bw+x] = 2*n > all
		}
	}
}

// regions drops foreground pieces smaller than a fifth of the largest, and
// fills holes smaller than 60 blocks.
func (e *Extractor) regions() {
	label := make([]int, len(e.mask))
	var stack []int
	flood := func(start, id int, want bool) (size int, edge bool) {
		stack = append(stack[:0], start)
		label[start] = id
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			size++
			x, y := i%e.bw, i/e.bw
			if x == 0 || y == 0 || x == e.bw-1 || y == e.bh-1 {
				edge = true
			}
			for _, d := range [4][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
				u, v := x+d[0], y+d[1]
				if u < 0 || v < 0 || u >= e.bw || v >= e.bh {
					continue
				}
				if j := v*e.bw + u; label[j] == 0 && e.mask[j] == want {
					label[j] = id
					stack = append(stack, j)
				}
			}
		}
		return size, edge
	}
	sizes := []int{0}
	drop := []bool{false}
	largest := 0
	for i := range e.mask {
		if label[i] != 0 {
			continue
		}
		size, edge := flood(i, len(sizes), e.mask[i])
		if e.mask[i] {
			largest = max(largest, size)
			drop = append(drop, false)
			sizes = append(sizes, size)
		} else {
			drop = append(drop, size < 60 && !edge) // a hole to fill
			sizes = append(sizes, 0)
		}
	}
	for i := range e.mask {
		id := label[i]
		if e.mask[i] {
			e.mask[i] = sizes[id]*5 >= largest
		} else {
			e.mask[i] = drop[id]
		}
	}
}

// inside reports whether a pixel lies in the foreground.
func (e *Extractor) inside(x, y int) bool {
	return x >= 0 && y >= 0 && x < e.w && y < e.h && e.mask[(y/block)*e.bw+x/block]
}
