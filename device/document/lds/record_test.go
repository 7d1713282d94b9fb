package lds

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// fingerRecord makes an ISO/IEC 19794-4:2005 record; fingers is the count
// written, stated the length of the last image block written (0: the right one).
func fingerRecord(fingers byte, stated int, images ...[]byte) []byte {
	var blocks []byte
	for n, img := range images {
		length := 14 + len(img)
		if stated != 0 && n == len(images)-1 {
			length = stated
		}
		block := binary.BigEndian.AppendUint32(nil, uint32(length))
		block = append(block, byte(n+2), 1, 1, 80, 0, 0, 50, 0, 60, 0)
		blocks = append(blocks, append(block, img...)...)
	}
	head := append([]byte("FIR\x00010\x00"), 0, 0, 0, 0, byte((32+len(blocks))>>8), byte(32+len(blocks)))
	head = append(head, 0, 0, 0, 31, fingers, 1, 1, 0xF4, 1, 0xF4, 1, 0xF4, 1, 0xF4, 8, 0, 0, 0)
	return append(head, blocks...)
}

// irisRecord makes an ISO/IEC 19794-6:2005 record of one eye with one image.
func irisRecord(eyes byte, count uint16, size uint32, img []byte) []byte {
	b := append([]byte("IIR\x00010\x00"), 0, 0, 0, 0, 0, 0, eyes, 0, 45, 0, 0, 0, 0, 0, 2, 2, 128, 1, 224, 8, 0)
	b = append(b, make([]byte, 16)...)
	b = append(b, 2)
	b = binary.BigEndian.AppendUint16(b, count)
	b = append(b, 0, 1, 90, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, size)
	b = append(b, img...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)))
	return b
}

func TestFingerRecord(t *testing.T) {
	wsq := []byte{0xFF, 0xA0, 0xFF, 0xA2, 0, 17, 0, 255, 1, 64, 1, 44}
	images, err := fingerRecords(fingerRecord(2, 0, wsq, make([]byte, 3000)))
	if err != nil || len(images) != 2 {
		t.Fatalf("%d images, %v", len(images), err)
	}
	if i := images[0]; i.Format != ImageWSQ || i.Width != 300 || i.Height != 320 || i.Position != 2 {
		t.Errorf("%s %dx%d at %d", i.Format, i.Width, i.Height, i.Position)
	}
	if i := images[1]; i.Format != ImageRaw || i.Width != 50 || i.Height != 60 || i.Position != 3 {
		t.Errorf("%s %dx%d at %d: no compression is declared", i.Format, i.Width, i.Height, i.Position)
	}
	for name, raw := range map[string][]byte{
		"past the end":   fingerRecord(1, 5000, wsq),
		"length of zero": fingerRecord(1, 1, wsq),
		"no image":       fingerRecord(1, 14, nil),
		"one is missing": fingerRecord(3, 0, wsq, wsq),
		"header cut off": fingerRecord(1, 0, wsq)[:25],
		"length too big": append(fingerRecord(1, 0, wsq)[:8], append([]byte{0, 0, 0, 1, 0, 0}, fingerRecord(1, 0, wsq)[14:]...)...),
		"many fingers":   fingerRecord(200, 0, wsq),
	} {
		if _, err := fingerRecords(raw); err == nil || fault.CodeOf(err) == fault.Unknown {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIrisRecord(t *testing.T) {
	images, err := irisRecords(irisRecord(1, 1, 4, []byte{1, 2, 3, 4}))
	if err != nil || len(images) != 1 || images[0].Format != ImageRaw || images[0].Width != 640 || images[0].Height != 480 || images[0].Position != 2 {
		t.Fatalf("%+v, %v", images, err)
	}
	for name, raw := range map[string][]byte{
		"past the end": irisRecord(1, 1, 5, []byte{1, 2, 3, 4}),
		"huge":         irisRecord(1, 1, 0xFFFFFFFF, []byte{1}),
		"empty image":  irisRecord(1, 1, 0, nil),
		"two are said": irisRecord(1, 2, 4, []byte{1, 2, 3, 4}),
		"many images":  irisRecord(1, 65535, 4, []byte{1, 2, 3, 4}),
		"three eyes":   irisRecord(3, 1, 4, []byte{1, 2, 3, 4}),
		"cut off":      irisRecord(1, 1, 4, nil)[:30],
	} {
		if _, err := irisRecords(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImageSizes(t *testing.T) {
	jp2 := append(append([]byte{}, magicJP2...), 0, 0, 0, 20, 'f', 't', 'y', 'p', 0, 0, 0, 22, 'i', 'h', 'd', 'r', 0, 0, 2, 19, 0, 0, 1, 157)
	codestream := append([]byte{}, magicCodestream...)
	codestream = append(codestream, 0, 47, 0, 0, 0, 0, 1, 157, 0, 0, 2, 19, 0, 0, 0, 0, 0, 0, 0, 0)
	png := append(append([]byte{}, magicPNG...), 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 1, 157, 0, 0, 2, 19)
	withThumbnail := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xC0, 0xFF, 0xD8}, 0xFF, 0xC2, 0, 11, 8, 2, 19, 1, 157, 3)
	for name, c := range map[string]struct {
		raw    []byte
		format ImageFormat
		width  int
		height int
	}{
		"jp2":                              {jp2, ImageJPEG2000, 413, 531},
		"jp2 cut off":                      {jp2[:len(jp2)-1], ImageJPEG2000, 0, 0},
		"codestream":                       {codestream, ImageCodestream, 413, 531},
		"codestream cut off":               {codestream[:20], ImageCodestream, 0, 0},
		"codestream, offset past its size": {append(append([]byte{}, codestream[:16]...), 0xFF, 0, 0, 0, 0, 0, 0, 0), ImageCodestream, 0, 0},
		"png":                              {png, ImagePNG, 413, 531},
		"png cut off":                      {png[:18], ImagePNG, 0, 0},
		"jpeg with thumbnail":              {withThumbnail, ImageJPEG, 413, 531},
		"jpeg, no frame":                   {[]byte{0xFF, 0xD8, 0xFF, 0xDA, 0, 2, 0, 0, 0, 0, 0, 0}, ImageJPEG, 0, 0},
		"jpeg, length zero":                {append([]byte{0xFF, 0xD8, 0xFF, 0xE0, 0, 0}, make([]byte, 20)...), ImageJPEG, 0, 0},
		"wsq, no frame":                    {[]byte{0xFF, 0xA0, 0xFF, 0xA4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0}, ImageWSQ, 0, 0},
		"nothing":                          {nil, ImageUnknown, 0, 0},
	} {
		width, height := sizeOf(formatOf(c.raw), c.raw)
		if formatOf(c.raw) != c.format || width != c.width || height != c.height {
			t.Errorf("%s: %s %dx%d, want %s %dx%d", name, formatOf(c.raw), width, height, c.format, c.width, c.height)
		}
	}
}
