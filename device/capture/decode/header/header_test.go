package header

import (
	"bytes"
	"encoding/binary"
	"errors"
	stdimage "image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// picture is a colour picture of 20x10 pixels.
func picture() *stdimage.RGBA {
	m := stdimage.NewRGBA(stdimage.Rect(0, 0, 20, 10))
	for y := range 10 {
		for x := range 20 {
			m.Set(x, y, color.RGBA{uint8(12 * x), uint8(25 * y), uint8(x * y), 255})
		}
	}
	return m
}

func jpegFile(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngFile(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func u16(v ...uint16) (b []byte) {
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}

func u32(v ...uint32) (b []byte) {
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// codestream is a JPEG 2000 codestream of one tile part with body bytes of
// data; its packets are nonsense, which its outline does not show.
func codestream(w, h uint32, components uint16, depth byte, body int) []byte {
	siz := join(u16(0), u32(w, h, 0, 0, w, h, 0, 0), u16(components))
	for range components {
		siz = append(siz, depth-1, 1, 1)
	}
	return join(u16(0xff4f, 0xff51, uint16(len(siz)+2)), siz,
		u16(0xff90, 10, 0), u32(uint32(14+body)), []byte{0, 1}, u16(0xff93), make([]byte, body), u16(0xffd9))
}

func box(kind string, body []byte) []byte { return join(u32(uint32(8+len(body))), []byte(kind), body) }

func jp2File() []byte {
	res := box("res ", box("resc", join(u16(500, 1, 500, 1), []byte{2, 2}))) // 50,000 pixels a metre
	return join([]byte(jp2Signature), box("ftyp", []byte("jp2 \x00\x00\x00\x00jp2 ")),
		box("jp2h", join(box("ihdr", make([]byte, 14)), res)), box("jp2c", codestream(20, 10, 3, 8, 5)))
}

// tiffFile is a little-endian TIFF of one strip.
func tiffFile(w, h, bits uint32) []byte {
	le := binary.LittleEndian
	entries := []struct {
		tag, kind    uint16
		count, value uint32
	}{
		{tagWidth, 4, 1, w}, {tagHeight, 3, 1, h}, {tagBits, 3, 1, bits}, {tagStrips, 4, 1, 8 + 2 + 6*12 + 4 + 8},
		{tagStripBytes, 4, 1, w * h * bits / 8}, {tagXResolution, 5, 1, 8 + 2 + 6*12 + 4},
	}
	b := le.AppendUint32([]byte("II*\x00"), 8)
	b = le.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		b = le.AppendUint16(le.AppendUint16(b, e.tag), e.kind)
		b = le.AppendUint32(le.AppendUint32(b, e.count), e.value)
	}
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(le.AppendUint32(b, 1000), 2) // 500 pixels an inch
	return append(b, make([]byte, w*h*bits/8)...)
}

func complete(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"jpeg": jpegFile(t), "png": pngFile(t), "jp2": jp2File(), "j2k": codestream(20, 10, 1, 12, 9),
		"pgm":   append([]byte("P5\n# made\n20 10\n255\n"), make([]byte, 200)...),
		"ppm16": append([]byte("P6 20 10 1023 "), make([]byte, 1200)...), "tiff": tiffFile(20, 10, 8), "tiff16": tiffFile(20, 10, 16),
	}
}

func TestReadCompleteImages(t *testing.T) {
	want := map[string]Header{
		"jpeg":   {JPEG, 20, 10, 3, 8, 255, 0},
		"png":    {PNG, 20, 10, 3, 8, 255, 0},
		"jp2":    {JP2, 20, 10, 3, 8, 255, 1270},
		"j2k":    {J2K, 20, 10, 1, 12, 4095, 0},
		"pgm":    {PNM, 20, 10, 1, 8, 255, 0},
		"ppm16":  {PNM, 20, 10, 3, 16, 1023, 0},
		"tiff":   {TIFF, 20, 10, 1, 8, 255, 500},
		"tiff16": {TIFF, 20, 10, 1, 16, 65535, 500},
	}
	for name, b := range complete(t) {
		got, err := Read(b)
		got.DPI = math.Round(got.DPI)
		if err != nil || got != want[name] {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want[name])
		}
		if _, err := Read(append(bytes.Clone(b), "trailing bytes"...)); err != nil {
			t.Errorf("%s: bytes after the end: %v", name, err)
		}
	}
}

// No proper part of an image is a whole one.
func TestEveryCutIsRefused(t *testing.T) {
	for name, b := range complete(t) {
		for n := range len(b) {
			_, err := Read(b[:n])
			if !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrFormat) {
				t.Fatalf("%s cut at %d of %d: %v", name, n, len(b), err)
			}
			if n > 64 && !errors.Is(err, ErrTruncated) {
				t.Errorf("%s cut at %d of %d is not called cut: %v", name, n, len(b), err)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	j := jpegFile(t)
	sof := bytes.Index(j, []byte{0xff, 0xc0})
	patch := func(b []byte, at int, v ...byte) []byte {
		c := bytes.Clone(b)
		copy(c[at:], v)
		return c
	}
	p := pngFile(t)
	for _, c := range []struct {
		name string
		b    []byte
		want *fault.Error
	}{
		{"nothing", nil, ErrTruncated},
		{"text", []byte("not an image at all"), ErrFormat},
		{"gif", []byte("GIF89a\x10\x00\x10\x00\x00\x00\x00;"), ErrFormat},
		{"wsq inside a comment", []byte("\xff\xa0\xff\xa8\x00\x10"), ErrTruncated},
		{"wsq of nothing", []byte("\xff\xa0\xff\xa1"), ErrFormat},
		{"over 32 MiB", make([]byte, MaxBytes+1), ErrTooLarge},
		{"jpeg of 65535x65535", patch(j, sof+5, 0xff, 0xff, 0xff, 0xff), ErrTooLarge},
		{"jpeg without width", patch(j, sof+7, 0, 0), ErrFormat},
		{"jpeg of height told later", patch(j, sof+5, 0, 0), ErrFormat},
		{"jpeg of 12 bits", patch(j, sof+4, 12), ErrFormat},
		{"jpeg of two frames", join(j[:sof], j[sof:sof+19], j[sof:]), ErrFormat},
		{"jpeg of no frame", join([]byte{0xff, 0xd8, 0xff, 0xd9}), ErrFormat},
		{"jpeg segment of length 1", join([]byte{0xff, 0xd8, 0xff, 0xe0, 0, 1, 0, 0}), ErrFormat},
		{"png of 2^31 rows", patch(p, 20, 0x80, 0, 0, 0), ErrFormat},
		{"png of a million rows", patch(p, 20, 0, 0x10, 0, 0), ErrTooLarge},
		{"png of depth 3", patch(p, 24, 3), ErrFormat},
		{"png of colour type 5", patch(p, 25, 5), ErrFormat},
		{"png chunk of 4 GB", patch(p, 33, 0xff, 0xff, 0xff, 0xff), ErrFormat},
		{"j2k of 5 components", codestream(20, 10, 5, 8, 4), ErrFormat},
		{"j2k of 32 bits", codestream(20, 10, 1, 32, 4), ErrFormat},
		{"j2k of 4 gigapixels", codestream(1<<16, 1<<16, 1, 8, 4), ErrTooLarge},
		{"j2k of zero width", codestream(0, 10, 1, 8, 4), ErrFormat},
		{"jp2 box of length 4", join([]byte(jp2Signature), u32(4), []byte("abcd....")), ErrFormat},
		{"pgm of 100 megapixels", []byte("P5 10000 10000 255 x"), ErrTooLarge},
		{"pgm of a huge number", []byte("P5 99999999999999999999 1 255 x"), ErrFormat},
		{"pgm of white 0", []byte("P5 1 1 0 x"), ErrFormat},
		{"pgm of white 65536", []byte("P5 1 1 65536 xx"), ErrFormat},
		{"pgm without numbers", []byte("P5 a b c"), ErrFormat},
		{"tiff of 32 bits", tiffFile(20, 10, 32), ErrUnsupported},
		{"tiff of 0 rows", tiffFile(20, 0, 8), ErrFormat},
	} {
		if _, err := Read(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want.Code)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, b := range complete(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Read(b)
		if err != nil {
			if c := fault.CodeOf(err); c != ErrFormat.Code && c != ErrTruncated.Code && c != ErrTooLarge.Code && c != ErrUnsupported.Code {
				t.Fatalf("code %s", c)
			}
			return
		}
		if h.Width < 1 || h.Height < 1 || h.Width*h.Height > MaxPixels || h.Components < 1 || h.Components > 4 ||
			h.Depth < 1 || h.Depth > 16 || h.MaxValue < 1 || h.MaxValue > 65535 || math.IsNaN(h.DPI) || h.DPI < 0 {
			t.Fatalf("accepted %+v", h)
		}
	})
}
