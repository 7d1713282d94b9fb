package lds

import (
	"encoding/binary"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// Bombs are contents of DG2 that are small and ask for much.
const (
	BombJPEG       = "jpeg"       // a JPEG whose frame header states 65,535 by 65,535 pixels
	BombJP2        = "jp2"        // a JP2 file of 60,000 by 60,000 pixels
	BombCodestream = "codestream" // a bare codestream of 60,000 by 60,000 pixels, in tiles of one
	BombTLV        = "tlv"        // data objects in each other, 4,000 deep
	BombCount      = "count"      // a template of 255 faces, each of which is empty
)

const bombSide = 60_000 // pixels

// bombDepth is how deep the objects of BombTLV lie in each other.
const bombDepth = 4000

// Bomb is DG2 with a bomb in it.
func Bomb(kind, sex string) ([]byte, error) {
	side := binary.BigEndian.AppendUint32(nil, bombSide)
	switch kind {
	case BombJPEG:
		return DG2([]byte{0xFF, 0xD8, 0xFF, 0xC0, 0, 17, 8, 0xFF, 0xFF, 0xFF, 0xFF, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xFF, 0xD9}, sex)
	case BombJP2:
		b := append([]byte{}, "\x00\x00\x00\x0CjP  \r\n\x87\n\x00\x00\x00\x14ftypjp2 \x00\x00\x00\x00jp2 \x00\x00\x00\x1Ejp2h\x00\x00\x00\x16ihdr"...)
		b = append(append(b, side...), side...)
		b = append(b, 0, 3, 7, 7, 0, 0)
		stream := codestream(side, side)
		b = binary.BigEndian.AppendUint32(b, uint32(8+len(stream)))
		return DG2(append(append(b, "jp2c"...), stream...), sex)
	case BombCodestream:
		return DG2(codestream(side, []byte{0, 0, 0, 1}), sex)
	case BombTLV:
		inner := []byte{0x7F, 0x61, 0}
		for range bombDepth {
			inner = der.TLV(0x7F61, inner)
		}
		return der.TLV(0x75, inner), nil
	case BombCount:
		parts := [][]byte{der.TLV(0x02, []byte{255})}
		for range 255 {
			parts = append(parts, der.TLV(0x7F60))
		}
		return der.TLV(0x75, der.TLV(0x7F61, parts...)), nil
	}
	return nil, fault.New(codePortrait, "no bomb %q", kind)
}

// codestream is the main header of ISO/IEC 15444-1:2019, A.5.1 to A.6.4, of a
// square picture of three components, and an end.
func codestream(side, tile []byte) []byte {
	b := []byte{0xFF, 0x4F, 0xFF, 0x51, 0, 47, 0, 0}
	zero := []byte{0, 0, 0, 0}
	for _, v := range [][]byte{side, side, zero, zero, tile, tile, zero, zero} {
		b = append(b, v...)
	}
	b = append(b, 0, 3, 7, 1, 1, 7, 1, 1, 7, 1, 1)
	b = append(b, 0xFF, 0x52, 0, 12, 0, 0, 0, 1, 0, 5, 4, 4, 0, 1)                         // COD
	b = append(b, 0xFF, 0x5C, 0, 19, 0x40, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8) // QCD
	return append(b, 0xFF, 0xD9)
}
