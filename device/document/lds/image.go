package lds

import (
	"bytes"
	"encoding/binary"

	"github.com/watchpost/watchpost/device/fault"
)

// ImageFormat is the format of an image, told by its first bytes and never by
// what a record says of it. The numbers are published and never reused.
type ImageFormat uint8

// Image formats.
const (
	ImageUnknown    ImageFormat = 0
	ImageJPEG       ImageFormat = 1
	ImageJPEG2000   ImageFormat = 2 // JP2 file
	ImageCodestream ImageFormat = 3 // JPEG 2000 without the file around it, as Chinese passports have it
	ImageWSQ        ImageFormat = 4
	ImagePNG        ImageFormat = 5
	ImageRaw        ImageFormat = 6 // the record says that pixels are not compressed
)

// String returns the word used in inspections.
func (f ImageFormat) String() string {
	switch f {
	case ImageJPEG:
		return "jpeg"
	case ImageJPEG2000:
		return "jpeg2000"
	case ImageCodestream:
		return "jpeg2000-codestream"
	case ImageWSQ:
		return "wsq"
	case ImagePNG:
		return "png"
	case ImageRaw:
		return "raw"
	}
	return "unknown"
}

// Image is one picture inside a data group. Data aliases the file.
type Image struct {
	Format        ImageFormat
	Data          []byte
	Width, Height int    // pixels as the image itself says, else as the record says, 0 unknown
	Standard      string // "ISO/IEC 19794-5:2005"
	Position      int    // finger (ISO/IEC 19794-2 table 2) or eye (1 right, 2 left), 0 unknown or face
}

var (
	magicJP2        = []byte{0, 0, 0, 12, 'j', 'P', ' ', ' ', 13, 10, 0x87, 10}
	magicCodestream = []byte{0xFF, 0x4F, 0xFF, 0x51}
	magicJPEG       = []byte{0xFF, 0xD8, 0xFF}
	magicWSQ        = []byte{0xFF, 0xA0}
	magicPNG        = []byte{0x89, 'P', 'N', 'G', 13, 10, 26, 10}
)

// formatOf tells the format by the first bytes.
func formatOf(b []byte) ImageFormat {
	switch {
	case bytes.HasPrefix(b, magicJPEG):
		return ImageJPEG
	case bytes.HasPrefix(b, magicJP2):
		return ImageJPEG2000
	case bytes.HasPrefix(b, magicCodestream):
		return ImageCodestream
	case bytes.HasPrefix(b, magicWSQ):
		return ImageWSQ
	case bytes.HasPrefix(b, magicPNG):
		return ImagePNG
	}
	return ImageUnknown
}

// newImage describes data. What the image itself says of its size wins over
// the record's words.
func newImage(data []byte, standard string, width, height int) Image {
	img := Image{Format: formatOf(data), Data: data, Standard: standard, Width: width, Height: height}
	if w, h := sizeOf(img.Format, data); w > 0 && h > 0 {
		img.Width, img.Height = w, h
	}
	return img
}

// MaxPixels is the largest picture of a document, in pixels; it is the decode
// role's limit too. A portrait has under a million.
const MaxPixels = 64_000_000

// check reports an image of no known format, or of a size that only an attack
// states.
func (i Image) check(what string) error {
	switch {
	case i.Format == ImageUnknown:
		return fault.New(ErrImage.Code, "%s image of no known format", what)
	case uint64(i.Width)*uint64(i.Height) > MaxPixels:
		return fault.New(ErrImageSize.Code, "%s image states %d by %d pixels", what, i.Width, i.Height)
	}
	return nil
}

// sizeOf returns the size in pixels that an image states, 0, 0 where it
// states none. It decodes nothing.
func sizeOf(format ImageFormat, b []byte) (width, height int) {
	switch format {
	case ImageJPEG:
		return sizeJPEG(b)
	case ImageJPEG2000:
		// Signature box, then boxes until jp2h, whose first box is ihdr
		// (ISO/IEC 15444-1:2019, annex I).
		if i := bytes.Index(b[:min(len(b), 512)], []byte("ihdr")); i >= 0 && i+12 <= len(b) {
			return bounded(binary.BigEndian.Uint32(b[i+8:]), binary.BigEndian.Uint32(b[i+4:]))
		}
	case ImageCodestream:
		// SIZ marker: Xsiz, Ysiz, XOsiz, YOsiz (ISO/IEC 15444-1:2019, A.5.1).
		if len(b) >= 24 {
			u := func(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
			if u(16) >= u(8) || u(20) >= u(12) {
				return 0, 0 // an offset beyond the grid: nothing is stated
			}
			return bounded(u(8)-u(16), u(12)-u(20))
		}
	case ImageWSQ:
		return sizeWSQ(b)
	case ImagePNG:
		if len(b) >= 24 {
			return bounded(binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:]))
		}
	}
	return 0, 0
}

// bounded lets a side be told that is no more than twice what passes at all.
func bounded(width, height uint32) (int, int) {
	return int(min(width, 2*MaxPixels)), int(min(height, 2*MaxPixels))
}

// sizeJPEG looks for the frame header (ISO/IEC 10918-1:1994, B.2.2).
func sizeJPEG(b []byte) (int, int) {
	for i := 2; i+9 <= len(b) && b[i] == 0xFF; {
		marker := b[i+1]
		if marker == 0xFF {
			i++
			continue
		}
		if marker == 0xD8 || marker >= 0xD0 && marker <= 0xD7 || marker == 0x01 {
			i += 2
			continue
		}
		if marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC {
			return int(binary.BigEndian.Uint16(b[i+7:])), int(binary.BigEndian.Uint16(b[i+5:]))
		}
		if marker == 0xDA || marker == 0xD9 {
			break
		}
		i += 2 + int(binary.BigEndian.Uint16(b[i+2:]))
	}
	return 0, 0
}

// sizeWSQ looks for the frame header (WSQ Gray-scale Fingerprint Image
// Compression Specification 3.1, 2010, marker SOF).
func sizeWSQ(b []byte) (int, int) {
	for i := 2; i+10 <= len(b) && b[i] == 0xFF; {
		if b[i+1] == 0xA2 {
			return int(binary.BigEndian.Uint16(b[i+8:])), int(binary.BigEndian.Uint16(b[i+6:]))
		}
		i += 2 + int(binary.BigEndian.Uint16(b[i+2:]))
	}
	return 0, 0
}
