package header

import "encoding/binary"

const jp2Signature = "\x00\x00\x00\x0cjP  \r\n\x87\n"

// readJP2 walks the boxes of ISO/IEC 15444-1:2019, annex I, to the codestream.
func readJP2(b []byte) (Header, error) {
	dpi := 0.0
	for p := 0; ; {
		kind, body, next, err := jp2Box(b, p)
		if err != nil {
			return Header{}, err
		}
		switch kind {
		case "jp2h":
			dpi = jp2Resolution(body)
		case "jp2c":
			h, err := readCodestream(body)
			h.Format, h.DPI = JP2, dpi
			return h, err
		}
		p = next
	}
}

// jp2Box returns the box at p: its type, its content and where the next
// begins (clause I.4). A box of length 0 reaches to the end of the file.
func jp2Box(b []byte, p int) (kind string, body []byte, next int, err error) {
	if len(b)-p < 8 {
		return "", nil, 0, truncated(JP2, "its boxes")
	}
	n, head := uint64(binary.BigEndian.Uint32(b[p:])), uint64(8)
	kind = string(b[p+4 : p+8])
	switch n {
	case 0:
		n = uint64(len(b) - p)
	case 1:
		if len(b)-p < 16 {
			return "", nil, 0, truncated(JP2, "a box header")
		}
		n, head = binary.BigEndian.Uint64(b[p+8:]), 16
	}
	if n < head {
		return "", nil, 0, malformed(JP2, "box shorter than its header")
	}
	if n > uint64(len(b)-p) {
		return "", nil, 0, truncated(JP2, "a box")
	}
	return kind, b[p+int(head) : p+int(n)], p + int(n), nil
}

// jp2Resolution returns the horizontal capture resolution of a header box in
// DPI (clause I.5.3.7), 0 where it states none.
func jp2Resolution(boxes []byte) float64 {
	for p := 0; p < len(boxes); {
		kind, body, next, err := jp2Box(boxes, p)
		if err != nil {
			return 0
		}
		switch {
		case kind == "res ":
			return jp2Resolution(body)
		case (kind == "resc" || kind == "resd") && len(body) == 10:
			num, den := binary.BigEndian.Uint16(body[4:]), binary.BigEndian.Uint16(body[6:])
			scale := 1.0
			for e := int8(body[9]); e != 0; {
				if e > 0 {
					scale, e = scale*10, e-1
				} else {
					scale, e = scale/10, e+1
				}
			}
			if den == 0 {
				return 0
			}
			return float64(num) / float64(den) * scale * 0.0254
		}
		p = next
	}
	return 0
}

// readCodestream reads the size segment and walks the tile parts of a JPEG
// 2000 codestream (annex A) to its end.
func readCodestream(b []byte) (Header, error) {
	h := Header{Format: J2K}
	if len(b) < 4 {
		return h, truncated(J2K, "its first marker")
	}
	if !has(b, 0, "\xff\x4f\xff\x51") {
		return h, malformed(J2K, "no codestream")
	}
	for p := 2; ; {
		if len(b)-p < 2 {
			return h, truncated(J2K, "its markers")
		}
		marker := binary.BigEndian.Uint16(b[p:])
		if marker == 0xffd9 { // EOC
			return h, nil
		}
		if marker < 0xff30 || marker == 0xff4f || marker == 0xff93 {
			return h, malformed(J2K, "marker out of place")
		}
		if len(b)-p < 4 {
			return h, truncated(J2K, "a segment")
		}
		n := int(binary.BigEndian.Uint16(b[p+2:]))
		if n < 2 {
			return h, malformed(J2K, "segment length below 2")
		}
		if len(b)-p-2 < n {
			return h, truncated(J2K, "a segment")
		}
		seg := b[p+4 : p+2+n]
		switch marker {
		case 0xff51: // SIZ
			if err := h.size(seg); err != nil {
				return h, err
			}
		case 0xff90: // SOT
			if len(seg) != 8 {
				return h, malformed(J2K, "tile-part header is not 8 bytes")
			}
			part := uint64(binary.BigEndian.Uint32(seg[2:])) // Psot, from the SOT marker on
			if part == 0 {                                   // the last part, to the EOC marker
				if !has(b, len(b)-2, "\xff\xd9") {
					return h, truncated(J2K, "its last tile part")
				}
				return h, nil
			}
			if part < 14 {
				return h, malformed(J2K, "tile part shorter than its header")
			}
			if part > uint64(len(b)-p) {
				return h, truncated(J2K, "a tile part")
			}
			p += int(part)
			continue
		}
		p += 2 + n
	}
}

// size reads a SIZ segment (clause A.5.1).
func (h *Header) size(seg []byte) error {
	if h.Width != 0 || len(seg) < 37 {
		return malformed(J2K, "size segment short or repeated")
	}
	at := func(i int) int64 { return int64(binary.BigEndian.Uint32(seg[i:])) }
	w, t := at(2)-at(10), at(6)-at(14)
	tileW, tileH := at(18), at(22)
	n := int(binary.BigEndian.Uint16(seg[34:]))
	if w <= 0 || t <= 0 || tileW == 0 || tileH == 0 || n == 0 || n > 4 || len(seg) < 36+3*n {
		return malformed(J2K, "size segment out of range")
	}
	if tiles := ((w + tileW - 1) / tileW) * ((t + tileH - 1) / tileH); tiles > 65535 {
		return malformed(J2K, "more than 65535 tiles")
	}
	h.Width, h.Height, h.Components = int(w), int(t), n
	for c := range n {
		depth, dx, dy := int(seg[36+3*c]&0x7f)+1, seg[37+3*c], seg[38+3*c]
		if dx == 0 || dy == 0 || depth > 16 || seg[36+3*c]&0x80 != 0 {
			return malformed(J2K, "component signed, deeper than 16 bits or of no sampling")
		}
		h.Depth = max(h.Depth, depth)
	}
	h.MaxValue = maxValue(h.Depth)
	return nil
}
