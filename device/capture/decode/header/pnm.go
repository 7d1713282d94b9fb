package header

// readPNM reads a Netpbm header (pgm(5), ppm(5)) and counts the raster.
func readPNM(b []byte) (Header, error) {
	h := Header{Format: PNM, Components: 1}
	if b[1] == '3' || b[1] == '6' {
		h.Components = 3
	}
	p := 2
	var values [3]int
	for i := range values {
		v, next, err := pnmNumber(b, p)
		if err != nil {
			return h, err
		}
		values[i], p = v, next
	}
	h.Width, h.Height, h.MaxValue = values[0], values[1], values[2]
	if h.Width == 0 || h.Height == 0 || h.MaxValue == 0 || h.MaxValue > 65535 {
		return h, malformed(PNM, "size or largest value out of range")
	}
	h.Depth = 8
	if h.MaxValue > 255 {
		h.Depth = 16
	}
	if b[1] == '5' || b[1] == '6' {
		want := int64(h.Width) * int64(h.Height) * int64(h.Components) * int64(h.Depth/8)
		if int64(len(b)-p-1) < want { // one white space ends the header
			return h, pnmShort(h)
		}
		return h, nil
	}
	// A plain raster holds at least one digit and one separator a sample.
	want := 2*int64(h.Width)*int64(h.Height)*int64(h.Components) - 1
	if int64(len(b)-p-1) < want {
		return h, pnmShort(h)
	}
	return h, nil
}

// pnmShort says that the raster is not all there; an image over the limit is
// called that first, as its size was the lie.
func pnmShort(h Header) error {
	if h.Width > MaxSide || h.Height > MaxSide || h.Width*h.Height > MaxPixels {
		return nil
	}
	return truncated(PNM, "its raster")
}

// pnmNumber reads a decimal number after white space and comments. The
// position returned is that of the byte after it.
func pnmNumber(b []byte, p int) (v, next int, err error) {
	for p < len(b) && (isSpace(b[p]) || b[p] == '#') {
		if b[p] == '#' {
			for p < len(b) && b[p] != '\n' {
				p++
			}
			continue
		}
		p++
	}
	start := p
	for p < len(b) && b[p] >= '0' && b[p] <= '9' {
		if v = v*10 + int(b[p]-'0'); v > 1<<28 {
			return 0, 0, malformed(PNM, "number too large")
		}
		p++
	}
	if p == len(b) {
		return 0, 0, truncated(PNM, "its header")
	}
	if p == start || !isSpace(b[p]) {
		return 0, 0, malformed(PNM, "not a number in the header")
	}
	return v, p, nil
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
