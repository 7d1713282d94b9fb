package bmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// file builds a bitmap of rows as they are stored.
func file(width, height, bits int, palette []byte, rows ...[]byte) []byte {
	b := make([]byte, fileHeader+infoHeader)
	copy(b, "BM")
	put := func(at int, v int) { binary.LittleEndian.PutUint32(b[at:], uint32(v)) }
	put(10, len(b)+len(palette))
	put(14, infoHeader)
	put(18, width)
	put(22, height)
	b[26], b[28] = 1, byte(bits)
	put(38, 19685) // 500 dpi
	put(46, len(palette)/4)
	return append(append(b, palette...), bytes.Join(rows, nil)...)
}

var two = []byte{10, 20, 30, 0, 40, 50, 60, 0}

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want []byte
	}{
		"1 bit":    {file(3, 1, 1, two, []byte{0b01000000, 0, 0, 0}), []byte{10, 20, 30, 40, 50, 60, 10, 20, 30}},
		"4 bits":   {file(3, 1, 4, two, []byte{0x10, 0x10, 0, 0}), []byte{40, 50, 60, 10, 20, 30, 40, 50, 60}},
		"8 bits":   {file(1, 2, 8, two, []byte{0, 9, 9, 9}, []byte{1, 9, 9, 9}), []byte{40, 50, 60, 10, 20, 30}},
		"24 bits":  {file(1, 2, 24, nil, []byte{1, 2, 3, 0}, []byte{4, 5, 6, 0}), []byte{4, 5, 6, 1, 2, 3}},
		"32 bits":  {file(1, 1, 32, nil, []byte{1, 2, 3, 255}), []byte{1, 2, 3}},
		"from top": {file(1, -2, 24, nil, []byte{1, 2, 3, 0}, []byte{4, 5, 6, 0}), []byte{1, 2, 3, 4, 5, 6}},
	} {
		pix, h, err := Decode(c.file)
		if err != nil || !bytes.Equal(pix, c.want) || h.DPI < 499.9 || h.DPI > 500.1 {
			t.Errorf("%s: %v, %v dpi, %v", name, pix, h.DPI, err)
		}
	}
}

func TestRefused(t *testing.T) {
	good := file(1, 2, 24, nil, []byte{1, 2, 3, 0}, []byte{4, 5, 6, 0})
	with := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	for name, c := range map[string]struct {
		file []byte
		code fault.Code
	}{
		"empty":          {nil, "image.truncated"},
		"headers only":   {good[:54], "image.truncated"},
		"a byte short":   {good[:len(good)-1], "image.truncated"},
		"other name":     {with(0, 'X'), "image.format"},
		"old header":     {with(14, 12), "image.unsupported"},
		"huge header":    {with(16, 1), "image.unsupported"},
		"no width":       {with(18, 0), "image.format"},
		"negative width": {with(21, 0x80), "image.format"},
		"no height":      {with(22, 0), "image.format"},
		"16 bits":        {with(28, 16), "image.unsupported"},
		"run lengths":    {with(30, 1), "image.unsupported"},
		"pixels in head": {with(10, 20), "image.format"},
		"pixels far off": {with(13, 0x7f), "image.truncated"},
		"colours":        {file(1, 1, 1, append(two, two...), []byte{0, 0, 0, 0}), "image.format"},
		"no such colour": {file(1, 1, 8, two, []byte{2, 0, 0, 0}), "image.format"},
	} {
		if _, _, err := Decode(c.file); !errors.Is(err, &fault.Error{Code: c.code}) {
			t.Errorf("%s: %v, not %s", name, err, c.code)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(file(3, 1, 1, two, []byte{0b01000000, 0, 0, 0}))
	f.Add(file(1, -2, 24, nil, []byte{1, 2, 3, 0}, []byte{4, 5, 6, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		pix, h, err := Decode(b)
		if err == nil && len(pix) != 3*h.Width*h.Height || err != nil && pix != nil {
			t.Errorf("%d bytes of %dx%d: %v", len(pix), h.Width, h.Height, err)
		}
	})
}
