package slap

import "slices"

// neckShare is how narrow, against the narrower of what it joins, a neck between
// two fingers is.
const neckShare = 0.8

// necks parts the foreground where it is narrow: a watershed of the distance to the
// ground, in which two basins stay apart if the pass between them lies well below
// both peaks.
func (g *grid) necks() [][]int {
	d := distance(g.mask, false, g.w, g.h)
	var order []int
	for i, on := range g.mask {
		if on {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case d[a] > d[b]:
			return -1
		case d[a] < d[b]:
			return 1
		}
		return 0
	})
	basin := make([]int, len(d)) // 0 none, else 1 + the index of one above
	peak := make(map[int]float32)
	size := make(map[int]int)
	find := func(i int) int {
		for basin[i] != i+1 {
			basin[i] = basin[basin[i]-1]
			i = basin[i] - 1
		}
		return i
	}
	for _, i := range order {
		basin[i] = i + 1
		peak[i], size[i] = d[i], 1
		x, y := i%g.w, i/g.w
		var near []int
		steep := -1 // the neighbour furthest inside: a cell belongs with it
		for v := max(y-1, 0); v <= min(y+1, g.h-1); v++ {
			for u := max(x-1, 0); u <= min(x+1, g.w-1); u++ {
				if j := v*g.w + u; basin[j] != 0 && j != i {
					near = append(near, j)
					if steep < 0 || d[j] > d[steep] {
						steep = j
					}
				}
			}
		}
		if steep < 0 {
			continue
		}
		home := find(steep)
		basin[i] = home + 1
		size[home]++
		for _, j := range near {
			other := find(j)
			if other == home {
				continue
			}
			low := min(peak[home], peak[other])
			if d[i] < neckShare*low && min(size[home], size[other]) >= leastHeap/3 {
				continue
			}
			if peak[other] > peak[home] {
				home, other = other, home
			}
			basin[other] = home + 1
			size[home] += size[other]
		}
	}
	heaps := make(map[int]int)
	var out [][]int
	for _, i := range order {
		root := find(i)
		k, ok := heaps[root]
		if !ok {
			k = len(out)
			heaps[root] = k
			out = append(out, nil)
		}
		out[k] = append(out[k], i)
	}
	return out
}
