package header

import "encoding/binary"

const pngSignature = "\x89PNG\r\n\x1a\n"

// readPNG walks the chunks of ISO/IEC 15948:2004, clause 5, to IEND.
func readPNG(b []byte) (Header, error) {
	h := Header{Format: PNG}
	channels := map[byte]int{0: 1, 2: 3, 3: 3, 4: 2, 6: 4} // by colour type; a palette becomes colour
	for p := len(pngSignature); ; {
		if len(b)-p < 12 {
			return h, truncated(PNG, "its chunks")
		}
		n := int64(binary.BigEndian.Uint32(b[p:]))
		kind := string(b[p+4 : p+8])
		if n > 1<<31-1 {
			return h, malformed(PNG, "chunk length over 2^31-1")
		}
		if int64(len(b)-p-12) < n {
			return h, truncated(PNG, "a chunk")
		}
		data := b[p+8 : p+8+int(n)]
		p += 12 + int(n)
		if (kind == "IHDR") != (h.Width == 0) {
			return h, malformed(PNG, "header chunk missing, repeated or empty")
		}
		switch kind {
		case "IHDR":
			if n != 13 {
				return h, malformed(PNG, "header chunk is not 13 bytes")
			}
			w, t := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
			if w == 0 || t == 0 || w > 1<<31-1 || t > 1<<31-1 {
				return h, malformed(PNG, "size out of range")
			}
			h.Width, h.Height, h.Depth = int(w), int(t), int(data[8])
			ok := false
			if h.Components, ok = channels[data[9]]; !ok {
				return h, malformed(PNG, "unknown colour type")
			}
			switch h.Depth {
			case 1, 2, 4, 8, 16:
			default:
				return h, malformed(PNG, "unknown bit depth")
			}
			h.Depth = max(h.Depth, 8) // decoders widen the smaller depths to white = 255
			h.MaxValue = maxValue(h.Depth)
		case "pHYs":
			if n == 9 && data[8] == 1 { // pixels a metre
				h.DPI = float64(binary.BigEndian.Uint32(data)) * 0.0254
			}
		case "IEND":
			return h, nil
		}
	}
}
