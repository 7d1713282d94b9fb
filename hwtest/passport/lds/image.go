package lds

import (
	"bytes"
	"encoding/binary"

	"github.com/watchpost/watchpost/device/fault"
)

// imageSize reads width and height from the head of a JPEG, a JP2 file or a
// JPEG 2000 codestream. jp2 tells the two families apart.
func imageSize(data []byte) (width, height int, jp2 bool, err error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xD8}):
		width, height = jpegSize(data)
	case bytes.HasPrefix(data, []byte("\x00\x00\x00\x0CjP  ")):
		jp2 = true
		// ihdr is the first box inside jp2h (ISO/IEC 15444-1:2019, I.5.3.1): height, then width.
		if i := bytes.Index(data, []byte("ihdr")); i >= 0 && len(data) >= i+12 {
			height = int(binary.BigEndian.Uint32(data[i+4:]))
			width = int(binary.BigEndian.Uint32(data[i+8:]))
		}
	case bytes.HasPrefix(data, []byte{0xFF, 0x4F, 0xFF, 0x51}):
		jp2 = true
		// SIZ (ISO/IEC 15444-1:2019, A.5.1): Lsiz, Rsiz, then Xsiz, Ysiz, XOsiz, YOsiz.
		if len(data) >= 24 {
			width = int(binary.BigEndian.Uint32(data[8:])) - int(binary.BigEndian.Uint32(data[16:]))
			height = int(binary.BigEndian.Uint32(data[12:])) - int(binary.BigEndian.Uint32(data[20:]))
		}
	}
	if width <= 0 || height <= 0 || width > 0xFFFF || height > 0xFFFF {
		return 0, 0, false, fault.New(codePortrait, "the portrait is neither JPEG nor JPEG 2000 with a size").
			WithHint("Give a .jpg, .jp2 or .j2k file of at most 65535 pixels a side.")
	}
	return width, height, jp2, nil
}

// jpegSize walks the marker segments up to the frame header (ITU-T T.81
// (1992), B.2.2).
func jpegSize(data []byte) (width, height int) {
	for i := 2; i+9 <= len(data) && data[i] == 0xFF; {
		marker := data[i+1]
		if marker == 0xFF { // fill byte
			i++
			continue
		}
		if marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC {
			return int(binary.BigEndian.Uint16(data[i+7:])), int(binary.BigEndian.Uint16(data[i+5:]))
		}
		i += 2 + int(binary.BigEndian.Uint16(data[i+2:]))
	}
	return 0, 0
}
