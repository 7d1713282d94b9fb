package finger

// What makes a side of an image a frame that somebody or something drew around
// it: lines of one grey level that what they enclose is far from. Its edge is
// the same in every image of a sensor, and would be taken for ridges.
const (
	frameFlat = 6  // grey levels within a line, and from line to line
	frameStep = 40 // grey levels between the frame and what lies inside
	frameSoft = 3  // lines that resampling mixes
	frameThin = 4  // lines that a frame has at least: less does no harm
)

// unframe paints frames over with the mean of what they enclose.
func (e *Extractor) unframe() {
	x0, y0, x1, y1 := 0, 0, e.w, e.h // what is left of the image
	for range 2 {                    // a frame of four sides shows its second two once the first are gone
		y0 += e.frame(x0, y0, x1-x0, y1-y0, 0, 1)
		y1 -= e.frame(x0, y1-1, x1-x0, y1-y0, 0, -1)
		x0 += e.frame(x0, y0, x1-x0, y1-y0, 1, 0)
		x1 -= e.frame(x1-1, y0, x1-x0, y1-y0, -1, 0)
	}
}

// frame paints the frame of one side: lines of a w x h rectangle, from the one
// at (x, y) on, each (sx, sy) further in. It returns how many there were.
func (e *Extractor) frame(x, y, w, h, sx, sy int) int {
	lines, length, along := h, w, 1
	if sx != 0 {
		lines, length, along = w, h, e.w
	}
	start := y*e.w + x
	step := sy*e.w + sx
	level, n := e.src[start], 0
	for n < lines && e.flat(start+n*step, length, along, level) {
		n++
	}
	if n < frameThin || n+frameSoft >= lines {
		return 0
	}
	sum := float32(0)
	for i := range length {
		sum += e.src[start+(n+frameSoft)*step+i*along]
	}
	mean := sum / float32(length)
	if d := mean - level; d < frameStep && d > -frameStep {
		return 0
	}
	n += frameSoft
	for k := range n {
		for i := range length {
			e.src[start+k*step+i*along] = mean
		}
	}
	return n
}

// flat tells whether a line has one grey level.
func (e *Extractor) flat(start, length, along int, level float32) bool {
	for i := range length {
		if d := e.src[start+i*along] - level; d > frameFlat || d < -frameFlat {
			return false
		}
	}
	return true
}
