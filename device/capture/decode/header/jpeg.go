package header

import "encoding/binary"

// readJPEG walks the marker segments of ISO/IEC 10918-1:1994, annex B, to the
// end-of-image marker.
func readJPEG(b []byte) (Header, error) {
	h := Header{Format: JPEG}
	for p := 2; ; {
		marker, next, ok := jpegMarker(b, p)
		if !ok {
			return h, truncated(JPEG, "its markers")
		}
		p = next
		switch {
		case marker == 0xd9: // EOI
			if h.Width == 0 {
				return h, malformed(JPEG, "no frame header before the end of image")
			}
			return h, nil
		case marker >= 0xd0 && marker <= 0xd7, marker == 0x01: // RSTn, TEM: no segment
			continue
		case marker == 0x00 || marker == 0xd8:
			return h, malformed(JPEG, "marker out of place")
		}
		if p+2 > len(b) {
			return h, truncated(JPEG, "a segment")
		}
		n := int(binary.BigEndian.Uint16(b[p:]))
		if n < 2 {
			return h, malformed(JPEG, "segment length below 2")
		}
		if p+n > len(b) {
			return h, truncated(JPEG, "a segment")
		}
		seg := b[p+2 : p+n]
		p += n
		switch {
		case marker == 0xe0:
			h.DPI = jfifDensity(seg)
		case isFrame(marker):
			if len(seg) < 6 {
				return h, malformed(JPEG, "short frame header")
			}
			if h.Width != 0 {
				return h, malformed(JPEG, "two frame headers")
			}
			h.Depth, h.Components = int(seg[0]), int(seg[5])
			h.Height, h.Width = int(binary.BigEndian.Uint16(seg[1:])), int(binary.BigEndian.Uint16(seg[3:]))
			if h.Depth != 8 || h.Width == 0 || h.Height == 0 || h.Components == 0 || h.Components > 4 {
				return h, malformed(JPEG, "frame of a depth, size or number of components that is not read")
			}
			h.MaxValue = maxValue(h.Depth)
		case marker == 0xda:
			if h.Width == 0 {
				return h, malformed(JPEG, "scan before its frame header")
			}
			p = skipScan(b, p)
		}
	}
}

// jpegMarker returns the marker at p, after any fill bytes, and what follows
// it. Bytes that are no marker are passed over as decoders do.
func jpegMarker(b []byte, p int) (marker byte, next int, ok bool) {
	for p < len(b) && b[p] != 0xff {
		p++
	}
	for p < len(b) && b[p] == 0xff {
		p++
	}
	if p >= len(b) {
		return 0, p, false
	}
	return b[p], p + 1, true
}

// isFrame reports whether marker is a start of frame: C0 to CF without the
// tables DHT (C4), JPG (C8) and DAC (CC).
func isFrame(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}

// skipScan returns the position of the first marker after entropy-coded data:
// an FF that is followed neither by 00 (stuffing), by another FF (fill) nor by
// a restart marker.
func skipScan(b []byte, p int) int {
	for ; p+1 < len(b); p++ {
		if b[p] != 0xff {
			continue
		}
		if c := b[p+1]; c != 0 && c != 0xff && (c < 0xd0 || c > 0xd7) {
			return p
		}
	}
	return len(b)
}

// jfifDensity returns the horizontal density of a JFIF segment in DPI, 0
// where it states none.
func jfifDensity(seg []byte) float64 {
	if len(seg) < 12 || !has(seg, 0, "JFIF\x00") {
		return 0
	}
	d := float64(binary.BigEndian.Uint16(seg[8:]))
	switch seg[7] {
	case 1:
		return d
	case 2:
		return d * 2.54
	}
	return 0
}
