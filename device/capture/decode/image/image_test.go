package image

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

	"github.com/watchpost/watchpost/device/capture/decode/header"
)

const side = 32 // of test pictures, a multiple of JPEG's blocks

// quarters is red, green, blue and white, a quarter each, from the top left.
func quarters() *stdimage.RGBA {
	m := stdimage.NewRGBA(stdimage.Rect(0, 0, 2*side, side))
	for y := range side {
		for x := range 2 * side {
			m.Set(x, y, [...]color.RGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}}[y/(side/2)*2+x/side])
		}
	}
	return m
}

func encodePNG(t testing.TB, m stdimage.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeJPEG(t testing.TB, m stdimage.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// near reports whether the RGB pixel at (x, y) is within 24 of want.
func near(pix []byte, stride, x, y int, want color.RGBA) bool {
	p := pix[y*stride+3*x:]
	for i, w := range []uint8{want.R, want.G, want.B} {
		if math.Abs(float64(p[i])-float64(w)) > 24 {
			return false
		}
	}
	return true
}

var red, green, blue, white = color.RGBA{R: 255}, color.RGBA{G: 255}, color.RGBA{B: 255}, color.RGBA{255, 255, 255, 0}

// corners checks the four quarters of a decoded picture.
func corners(t *testing.T, name string, b []byte, tl, tr, bl, br color.RGBA, w, h int) {
	t.Helper()
	r, err := DecodeRGB(b)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if r.Width != w || r.Height != h || len(r.Pix) != 3*w*h || r.Stride != 3*w {
		t.Errorf("%s: %dx%d, stride %d, %d bytes; want %dx%d", name, r.Width, r.Height, r.Stride, len(r.Pix), w, h)
		return
	}
	for i, want := range []color.RGBA{tl, tr, bl, br} {
		x, y := w/4+i%2*w/2, h/4+i/2*h/2
		if !near(r.Pix, r.Stride, x, y, want) {
			t.Errorf("%s: corner %d is %v, want %v", name, i, r.Pix[y*r.Stride+3*x:][:3], want)
		}
	}
}

func TestEveryFormatDecodesTheSame(t *testing.T) {
	source := encodePNG(t, quarters())
	for _, to := range []header.Format{header.PNG, header.JPEG, header.JP2, header.TIFF} {
		b, err := Convert(source, to)
		if err != nil {
			t.Fatalf("%s: %v", to, err)
		}
		corners(t, to.String(), b, red, green, blue, white, 2*side, side)
		if h, err := header.Read(b); err != nil || h.Format != to {
			t.Errorf("%s is written as %v, %v", to, h.Format, err)
		}
	}
	jp2, err := Convert(source, header.JP2)
	if err != nil {
		t.Fatal(err)
	}
	start := bytes.Index(jp2, []byte{0xff, 0x4f, 0xff, 0x51})
	corners(t, "bare codestream", jp2[start:], red, green, blue, white, 2*side, side)
	back, err := Convert(jp2, header.PNG)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := DecodeRGB(source)
	if got, err := DecodeRGB(back); err != nil || !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("JPEG 2000 is not without loss (%v)", err)
	}
}

// withOrientation puts an EXIF segment with the orientation tag (EXIF 2.32,
// 4.6.4; values 1 to 8) after the JPEG's first marker.
func withOrientation(b []byte, o uint16) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01")
	tiff = binary.BigEndian.AppendUint16(tiff, o)
	tiff = append(tiff, 0, 0, 0, 0, 0, 0)
	seg := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(seg)+2))...)
	return append(append(out, seg...), b[2:]...)
}

func TestTurnedUpright(t *testing.T) {
	j := encodeJPEG(t, quarters())
	corners(t, "1", withOrientation(j, 1), red, green, blue, white, 2*side, side)
	corners(t, "3", withOrientation(j, 3), white, blue, green, red, 2*side, side)
	corners(t, "6", withOrientation(j, 6), blue, red, white, green, side, 2*side)
	corners(t, "8", withOrientation(j, 8), green, white, red, blue, side, 2*side)
	corners(t, "2", withOrientation(j, 2), green, red, white, blue, 2*side, side)
}

func TestGreyAndDeep(t *testing.T) {
	grey := stdimage.NewGray(stdimage.Rect(0, 0, side, side))
	deep := stdimage.NewGray16(stdimage.Rect(0, 0, side, side))
	for i := range grey.Pix {
		v := byte(255 * (i % side) / (side - 1))
		grey.Pix[i] = v
		deep.Pix[2*i], deep.Pix[2*i+1] = v, v // v*257
	}
	pgm := func(head string, deep bool, white int) []byte {
		b := []byte(head)
		for i := range grey.Pix {
			v := (int(grey.Pix[i])*white + 127) / 255
			if deep {
				b = append(b, byte(v>>8))
			}
			b = append(b, byte(v))
		}
		return b
	}
	tiff16, err := Convert(encodePNG(t, deep), header.TIFF)
	if err != nil {
		t.Fatal(err)
	}
	jp2of16, err := Convert(encodePNG(t, deep), header.JP2)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"png 8": encodePNG(t, grey), "png 16": encodePNG(t, deep), "jpeg": encodeJPEG(t, grey), "tiff 16": tiff16, "jp2 16": jp2of16,
		"pgm 8": pgm("P5 32 32 255\n", false, 255), "pgm 16": pgm("P5 32 32 65535\n", true, 65535),
		"pgm of white 100": pgm("P5 32 32 100\n", false, 100), "pgm of white 1023": pgm("P5 32 32 1023\n", true, 1023),
	} {
		g, err := DecodeGrey(b)
		if err != nil || g.Width != side || g.Height != side || len(g.Pix) != side*side {
			t.Errorf("%s: %dx%d, %v", name, g.Width, g.Height, err)
			continue
		}
		rgb, err := DecodeRGB(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, want := range grey.Pix {
			if math.Abs(float64(g.Pix[i])-float64(want)) > 3 || math.Abs(float64(rgb.Pix[3*i+1])-float64(want)) > 3 {
				t.Errorf("%s: pixel %d is %d and %d, want %d", name, i, g.Pix[i], rgb.Pix[3*i+1], want)
				break
			}
		}
	}
	for name, b := range map[string][]byte{"tiff": tiff16, "jp2": jp2of16} {
		if h, err := header.Read(b); err != nil || h.Depth != 16 {
			t.Errorf("%s of 16 bits is written with %d, %v", name, h.Depth, err)
		}
	}
}

func TestRefused(t *testing.T) {
	p, j := encodePNG(t, quarters()), encodeJPEG(t, quarters())
	bad := bytes.Clone(p)
	bad[len(bad)/2] ^= 0xff // inside the compressed data: the chunk's CRC is wrong
	huge := append([]byte("P5 60000 60000 255\n"), 0)
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"cut jpeg": {j[:len(j)-20], header.ErrTruncated}, "cut png": {p[:len(p)-5], header.ErrTruncated},
		"text": {[]byte("hello, this is no picture"), header.ErrFormat}, "nothing": {nil, header.ErrTruncated},
		"damaged png": {bad, header.ErrFormat}, "huge": {huge, header.ErrTooLarge},
	} {
		if _, err := DecodeRGB(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if _, err := DecodeGrey(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s as grey: %v, want %v", name, err, c.want)
		}
		if _, err := Convert(c.b, header.PNG); !errors.Is(err, c.want) {
			t.Errorf("%s converted: %v, want %v", name, err, c.want)
		}
	}
	for _, to := range []header.Format{header.J2K, header.Unknown} {
		if _, err := Convert(p, to); !errors.Is(err, header.ErrUnsupported) {
			t.Errorf("written as %s: %v", to, err)
		}
	}
}
