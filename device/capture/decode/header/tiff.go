package header

import (
	"encoding/binary"
)

// Tags of TIFF 6.0 (1992), section 8, that are looked at.
const (
	tagWidth       = 256
	tagHeight      = 257
	tagBits        = 258
	tagStrips      = 273
	tagSamples     = 277
	tagStripBytes  = 279
	tagXResolution = 282
	tagUnit        = 296
	tagTiles       = 324
	tagTileBytes   = 325
	tagFormat      = 339
)

const maxTIFFValues = 1 << 20 // values of one field; a strip a row needs MaxSide

// readTIFF reads the first directory and checks that its strips or tiles lie
// inside the file. Later pages are not read.
func readTIFF(b []byte) (Header, error) {
	t := tiff{b: b, order: binary.ByteOrder(binary.LittleEndian)}
	if b[0] == 'M' {
		t.order = binary.BigEndian
	}
	h := Header{Format: TIFF, Components: 1, Depth: 1}
	if len(b) < 8 {
		return h, truncated(TIFF, "its header")
	}
	fields, err := t.directory(int64(t.order.Uint32(b[4:])))
	if err != nil {
		return h, err
	}
	h.Width, h.Height = t.first(fields[tagWidth], 0), t.first(fields[tagHeight], 0)
	h.Components = t.first(fields[tagSamples], 1)
	bits := fields[tagBits]
	for i := range min(bits.count, 4) {
		h.Depth = max(h.Depth, t.value(bits, i))
	}
	if t.first(fields[tagFormat], 1) != 1 {
		return h, unsupported("TIFF of signed or floating samples")
	}
	switch h.Depth {
	case 1, 2, 4, 8:
		h.Depth = 8
	case 16:
	default:
		return h, unsupported("TIFF of another depth than 1, 2, 4, 8 or 16 bits")
	}
	if h.Width <= 0 || h.Height <= 0 || h.Components < 1 || h.Components > 4 {
		return h, malformed(TIFF, "size or number of samples out of range")
	}
	h.MaxValue = maxValue(h.Depth)
	h.DPI = t.resolution(fields)
	offsets, sizes := fields[tagStrips], fields[tagStripBytes]
	if offsets.count == 0 {
		offsets, sizes = fields[tagTiles], fields[tagTileBytes]
	}
	return h, t.inside(offsets, sizes)
}

type tiff struct {
	b     []byte
	order binary.ByteOrder
}

// field is an entry of the directory; its values begin at at.
type field struct {
	kind  uint16
	count int
	at    int
}

var tiffSizes = map[uint16]int{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}

func (t tiff) directory(at int64) (map[uint16]field, error) {
	if at < 8 || at+2 > int64(len(t.b)) {
		return nil, truncated(TIFF, "its directory")
	}
	n := int64(t.order.Uint16(t.b[at:]))
	if at+2+12*n > int64(len(t.b)) {
		return nil, truncated(TIFF, "its directory")
	}
	fields := make(map[uint16]field)
	for i := range n {
		p := int(at + 2 + 12*i)
		tag := t.order.Uint16(t.b[p:])
		f := field{kind: t.order.Uint16(t.b[p+2:]), at: p + 8}
		count := t.order.Uint32(t.b[p+4:])
		if count > maxTIFFValues && needed(tag) {
			return nil, malformed(TIFF, "field of too many values")
		}
		size := tiffSizes[f.kind]
		if size == 0 || count > maxTIFFValues {
			continue // a kind that later readers pass over too, or a field nobody needs
		}
		f.count = int(count)
		if size*f.count > 4 {
			far := int64(t.order.Uint32(t.b[p+8:]))
			if far+int64(size*f.count) > int64(len(t.b)) {
				if !needed(tag) {
					continue
				}
				return nil, truncated(TIFF, "a field")
			}
			f.at = int(far)
		}
		fields[tag] = f
	}
	return fields, nil
}

func needed(tag uint16) bool {
	switch tag {
	case tagStrips, tagStripBytes, tagTiles, tagTileBytes, tagBits:
		return true
	}
	return false
}

// value returns value i of a field of bytes, shorts or longs, else 0.
func (t tiff) value(f field, i int) int {
	switch {
	case i >= f.count:
		return 0
	case f.kind == 1:
		return int(t.b[f.at+i])
	case f.kind == 3:
		return int(t.order.Uint16(t.b[f.at+2*i:]))
	case f.kind == 4:
		return int(t.order.Uint32(t.b[f.at+4*i:]))
	}
	return 0
}

func (t tiff) first(f field, otherwise int) int {
	if f.count == 0 {
		return otherwise
	}
	return t.value(f, 0)
}

// resolution returns DPI from XResolution and ResolutionUnit.
func (t tiff) resolution(fields map[uint16]field) float64 {
	f := fields[tagXResolution]
	if f.kind != 5 || f.count == 0 {
		return 0
	}
	num, den := t.order.Uint32(t.b[f.at:]), t.order.Uint32(t.b[f.at+4:])
	if den == 0 {
		return 0
	}
	d := float64(num) / float64(den)
	switch t.first(fields[tagUnit], 2) {
	case 2:
		return d
	case 3:
		return d * 2.54
	}
	return 0
}

// inside checks that every strip or tile lies inside the file.
func (t tiff) inside(offsets, sizes field) error {
	if offsets.count == 0 || sizes.count < offsets.count {
		return malformed(TIFF, "no strips and no tiles")
	}
	for i := range offsets.count {
		if int64(t.value(offsets, i))+int64(t.value(sizes, i)) > int64(len(t.b)) {
			return truncated(TIFF, "its strips")
		}
	}
	return nil
}
