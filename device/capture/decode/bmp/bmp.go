// Package bmp reads Windows bitmaps, as old fingerprint sets and scanners write
// them, in pure Go: 1, 4 and 8 bits with a palette, 24 and 32 bits, not
// compressed. Nothing is allocated before the file is known to be whole.
package bmp

import (
	"encoding/binary"

	"github.com/watchpost/watchpost/device/fault"
)

// Sizes of the headers, after "Bitmap Storage", Microsoft, BITMAPFILEHEADER
// and BITMAPINFOHEADER.
const (
	fileHeader = 14
	infoHeader = 40 // the least that is read; newer ones are longer
	maxHeader  = 1 << 10
	maxSide    = 1 << 16
)

// Head is what a bitmap says of itself.
type Head struct {
	Width, Height int
	Bits          int     // a pixel: 1, 4, 8, 24 or 32
	DPI           float64 // 0 where not told

	down    bool // rows run from the top
	palette int  // where it begins
	colours int
	pixels  int // where they begin
	row     int // bytes
}

// Read reads the headers of b and checks that all rows are there. Errors have
// the codes image.format, image.truncated, image.unsupported and
// image.too_large.
func Read(b []byte) (Head, error) {
	if len(b) < fileHeader+infoHeader {
		return Head{}, fault.New("image.truncated", "bitmap: %d bytes", len(b))
	}
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(b[at:])) }
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
	if b[0] != 'B' || b[1] != 'M' {
		return Head{}, fault.New("image.format", "no bitmap")
	}
	size := u32(fileHeader)
	if size < infoHeader || size > maxHeader {
		return Head{}, fault.New("image.unsupported", "bitmap with a header of %d bytes", size)
	}
	wide, high := int(int32(u32(18))), int(int32(u32(22)))
	h := Head{Width: wide, Height: high, Bits: u16(28), palette: fileHeader + size, pixels: u32(10)}
	if high < 0 {
		h.Height, h.down = -high, true
	}
	if h.Width <= 0 || h.Height <= 0 || h.Width > maxSide || h.Height > maxSide {
		return Head{}, fault.New("image.format", "bitmap of %dx%d pixels", wide, high)
	}
	if dots := u32(38); dots > 0 && dots < 1<<20 {
		h.DPI = float64(dots) * 0.0254
	}
	switch compression := u32(30); {
	case compression != 0:
		return Head{}, fault.New("image.unsupported", "bitmap with compression %d", compression)
	case h.Bits == 1 || h.Bits == 4 || h.Bits == 8:
		if h.colours = u32(46); h.colours == 0 {
			h.colours = 1 << h.Bits
		}
		if h.colours > 1<<h.Bits {
			return Head{}, fault.New("image.format", "bitmap of %d bits with %d colours", h.Bits, h.colours)
		}
	case h.Bits != 24 && h.Bits != 32:
		return Head{}, fault.New("image.unsupported", "bitmap of %d bits", h.Bits)
	}
	if h.pixels < h.palette+4*h.colours {
		return Head{}, fault.New("image.format", "bitmap whose pixels begin at %d", h.pixels)
	}
	h.row = (h.Width*h.Bits + 31) / 32 * 4
	if end := h.pixels + h.row*h.Height; end > len(b) {
		return Head{}, fault.New("image.truncated", "bitmap: %d bytes of %d", len(b), end)
	}
	return h, nil
}

// Decode returns the pixels of b, three bytes each: blue, green, red, rows from
// the top without gaps. Transparency is dropped. Errors are those of Read.
func Decode(b []byte) (pix []byte, h Head, err error) {
	if h, err = Read(b); err != nil {
		return nil, Head{}, err
	}
	palette := b[h.palette:][:4*h.colours]
	pix = make([]byte, 0, 3*h.Width*h.Height)
	for y := range h.Height {
		at := h.Height - 1 - y
		if h.down {
			at = y
		}
		row := b[h.pixels+at*h.row:][:h.row]
		for x := range h.Width {
			var p []byte
			if h.colours > 0 {
				// The first pixel of a byte is in its upper bits.
				bit := x * h.Bits
				i := int(row[bit/8]>>(8-h.Bits-bit%8)) & (1<<h.Bits - 1)
				if i >= h.colours {
					return nil, Head{}, fault.New("image.format", "bitmap: colour %d of %d", i, h.colours)
				}
				p = palette[4*i:]
			} else {
				p = row[x*h.Bits/8:]
			}
			pix = append(pix, p[0], p[1], p[2])
		}
	}
	return pix, h, nil
}
