package image

import (
	"encoding/binary"
	"testing"
)

// bits writes a JPEG entropy-coded segment, most significant bit first, with
// a zero after each FF.
type bits struct {
	out   []byte
	hold  uint32
	count int
}

func (b *bits) put(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		b.hold = b.hold<<1 | v>>i&1
		if b.count++; b.count == 8 {
			b.out = append(b.out, byte(b.hold))
			if byte(b.hold) == 0xff {
				b.out = append(b.out, 0)
			}
			b.hold, b.count = 0, 0
		}
	}
}

// flat is a JPEG of 16x16 pixels of one colour in four components, as stored.
// Its tables are the smallest that say it: DC categories 0 to 8 in four bits
// each, and for AC the end of block alone, in one bit (ISO/IEC 10918-1, annex
// F). The Adobe segment says that the inks are not transformed.
func flat(ink [4]byte) []byte {
	out := []byte{0xff, 0xd8}
	segment := func(marker byte, body ...byte) {
		out = append(out, 0xff, marker)
		out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
		out = append(out, body...)
	}
	segment(0xee, append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, 0)...)
	quant := make([]byte, 65)
	for i := range quant[1:] {
		quant[1+i] = 8 // a DC coefficient of one is a grey level of one
	}
	segment(0xdb, quant...)
	segment(0xc0, 8, 0, 16, 0, 16, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0)
	segment(0xc4, 0x00, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	segment(0xc4, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	segment(0xda, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0)
	var b bits
	for block := range 4 {
		for _, v := range ink {
			diff := int(v) - 128
			if block > 0 {
				diff = 0
			}
			size := 0
			for m := max(diff, -diff); m > 0; m >>= 1 {
				size++
			}
			b.put(uint32(size), 4)
			if diff < 0 {
				diff += 1<<size - 1
			}
			b.put(uint32(diff), size)
			b.put(0, 1) // end of block
		}
	}
	b.put(0xff, 7) // fill
	return append(append(out, b.out...), 0xff, 0xd9)
}

// Inks are stored inverted, as Adobe writes them: 255 is none.
func TestCMYK(t *testing.T) {
	corners(t, "magenta and yellow", flat([4]byte{255, 0, 0, 255}), red, red, red, red, 16, 16)
	corners(t, "cyan and yellow", flat([4]byte{0, 255, 0, 255}), green, green, green, green, 16, 16)
	corners(t, "none", flat([4]byte{255, 255, 255, 255}), white, white, white, white, 16, 16)
}
