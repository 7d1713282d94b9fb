package wsq

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// ridges draws a whorl of ridges nine pixels apart, pale towards the border,
// with noise: no finger, but of a finger's spectrum.
func ridges(w, h int, seed uint64) Image {
	rng := rand.New(rand.NewPCG(seed, 1))
	img := Image{Pix: make([]byte, w*h), Width: w, Height: h, DPI: 500}
	for y := range h {
		for x := range w {
			dx, dy := float64(x-w/2), float64(y-h/2)
			r := math.Hypot(dx, dy)
			c := math.Cos(2*math.Pi*r/9 + 2*math.Atan2(dy, dx))
			fade := math.Exp(-r * r / float64(w*h) * 4)
			v := 235 - 90*fade*(1+c) + 6*rng.NormFloat64()
			img.Pix[y*w+x] = byte(min(max(v, 0), 255))
		}
	}
	return img
}

// psnr is the peak signal to noise ratio in dB.
func psnr(t testing.TB, a, b Image) float64 {
	t.Helper()
	if a.Width != b.Width || a.Height != b.Height || len(a.Pix) != len(b.Pix) {
		t.Fatalf("%dx%d against %dx%d", a.Width, a.Height, b.Width, b.Height)
	}
	var sum float64
	for i := range a.Pix {
		d := float64(a.Pix[i]) - float64(b.Pix[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255*float64(len(a.Pix))/max(sum, 1e-9))
}

func encode(t testing.TB, img Image, rate float64) []byte {
	t.Helper()
	b, err := Encode(img, rate)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The filters undo each other at every size, odd ones and single lines
// included, where the margins are mirrored more than once.
func TestTransformComesBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, size := range [][2]int{{1, 1}, {1, 37}, {37, 1}, {2, 2}, {3, 5}, {17, 16}, {31, 33}, {63, 65}, {388, 374}, {257, 511}} {
		w, h := size[0], size[1]
		in := make([]float32, w*h)
		for i := range in {
			in[i] = float32(rng.Float64()*256 - 128)
		}
		p := append([]float32(nil), in...)
		analyse(p, w, h, standard)
		synthesise(p, w, h, standard)
		for i := range in {
			if math.Abs(float64(p[i]-in[i])) > 0.01 {
				t.Errorf("%dx%d: sample %d is %g, was %g", w, h, i, p[i], in[i])
				break
			}
		}
	}
}

// Every coefficient belongs to one subband.
func TestTreeCoversThePlane(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {5, 3}, {388, 374}, {257, 263}, {500, 750}} {
		w, h := size[0], size[1]
		seen := make([]int, w*h)
		for _, b := range newTree(w, h).leaves {
			for y := b.y; y < b.y+b.h; y++ {
				for x := b.x; x < b.x+b.w; x++ {
					seen[y*w+x]++
				}
			}
		}
		for i, n := range seen {
			if n != 1 {
				t.Fatalf("%dx%d: coefficient %d lies in %d subbands", w, h, i, n)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		w, h        int
		rate, least float64
	}{
		{388, 374, Rate15, 28}, {388, 374, Rate5, 37}, {257, 263, Rate15, 27},
		{33, 35, Rate5, 20}, {1, 1, Rate15, 20}, {300, 1, Rate5, 10}, {2, 200, Rate5, 10},
	} {
		img := ridges(c.w, c.h, 3)
		b := encode(t, img, c.rate)
		out, err := Decode(b)
		if err != nil {
			t.Errorf("%dx%d: %v", c.w, c.h, err)
			continue
		}
		if p := psnr(t, img, out); p < c.least {
			t.Errorf("%dx%d at %g: %.1f dB, want %.1f", c.w, c.h, c.rate, p, c.least)
		}
		if out.DPI != 500 {
			t.Errorf("%g dpi", out.DPI)
		}
		info, err := Stat(b)
		if err != nil || info != (Info{c.w, c.h, 500}) {
			t.Errorf("stat %+v, %v", info, err)
		}
		if c.w > 300 && c.h > 300 {
			if spent := 8 * float64(len(b)) / float64(c.w*c.h); spent > c.rate*1.1 {
				t.Errorf("%dx%d: %.2f bits a pixel, %g asked for", c.w, c.h, spent, c.rate)
			}
		}
	}
}

// One grey has no subband worth sending; noise has bins past every code.
func TestExtremePictures(t *testing.T) {
	flat := Image{Pix: bytes.Repeat([]byte{77}, 64*48), Width: 64, Height: 48}
	out, err := Decode(encode(t, flat, Rate15))
	if err != nil || !bytes.Equal(out.Pix, flat.Pix) || out.DPI != 0 {
		t.Errorf("one grey comes back otherwise: %v", err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	noise := Image{Pix: make([]byte, 200*200), Width: 200, Height: 200}
	for i := range noise.Pix {
		noise.Pix[i] = byte(255 * rng.IntN(2))
	}
	b := encode(t, noise, MaxRate)
	out, err = Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parse(b, true)
	if err != nil || slices.Max(f.coefficients) < 256 || slices.Min(f.coefficients) > -256 {
		t.Errorf("noise at %d bits a pixel has no large coefficient: %v", MaxRate, err)
	}
	// The four subbands never sent hold a quarter of white noise: of amplitude
	// 127.5 that leaves 12 dB, and bins of every size are written for the rest.
	if p := psnr(t, noise, out); p < 12 {
		t.Errorf("noise at 8 bits a pixel: %.1f dB", p)
	}
}

// segmentAt returns where the n-th segment of marker m begins.
func segmentAt(t testing.TB, b []byte, m byte) int {
	t.Helper()
	i := bytes.Index(b, []byte{0xFF, m})
	if i < 0 {
		t.Fatalf("no marker %02X", m)
	}
	return i
}

func TestDecodeRefuses(t *testing.T) {
	good := encode(t, ridges(96, 80, 1), Rate15)
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], to)
		return b
	}
	drop := func(m byte) []byte {
		i := segmentAt(t, good, m)
		n := 2 + int(binary.BigEndian.Uint16(good[i+2:]))
		return append(bytes.Clone(good[:i]), good[i+n:]...)
	}
	sof, dqt, dtt := segmentAt(t, good, markerSOF), segmentAt(t, good, markerDQT), segmentAt(t, good, markerDTT)
	dht, sob := segmentAt(t, good, markerDHT), segmentAt(t, good, markerSOB)
	twice := append(bytes.Clone(good[:sof]), good[sof:sof+19]...)
	twice = append(twice, good[sof:]...)
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":                 {nil, ErrTruncated},
		"a JPEG":                  {[]byte("\xff\xd8\xff\xe0"), ErrFormat},
		"first marker alone":      {good[:2], ErrTruncated},
		"inside a length":         {good[:5], ErrTruncated},
		"inside a segment":        {good[:dqt+50], ErrTruncated},
		"inside a block":          {good[:sob+40], ErrTruncated},
		"no end of image":         {good[:len(good)-2], ErrTruncated},
		"second start of image":   {change(dtt, 0xFF, markerSOI), ErrFormat},
		"unknown marker":          {change(dtt, 0xFF, 0xD9), ErrFormat},
		"no marker":               {change(dtt, 0x00), ErrFormat},
		"length of one":           {change(dtt+2, 0, 1), ErrFormat},
		"no width":                {change(sof+8, 0, 0), ErrFormat},
		"no height":               {change(sof+6, 0, 0), ErrFormat},
		"65535 by 65535":          {change(sof+6, 255, 255, 255, 255), ErrTooLarge},
		"two frame headers":       {twice, ErrFormat},
		"no frame header":         {drop(markerSOF), ErrFormat},
		"no quantiser":            {drop(markerDQT), ErrFormat},
		"no Huffman table":        {drop(markerDHT), ErrFormat},
		"even filter":             {change(dtt+4, 8), ErrUnsupported},
		"long filter":             {change(dtt+4, 255), ErrFormat},
		"restart intervals":       {change(dtt, 0xFF, markerDRT), ErrUnsupported},
		"subband never sent":      {change(dqt+7+60*6+1, 9), ErrUnsupported},
		"table number 8":          {change(dht+4, 8), ErrFormat},
		"three codes of one bit":  {change(dht+5, 3), ErrFormat},
		"another block's table":   {change(sob+4, 7), ErrFormat},
		"wider than it is":        {change(sof+8, 0, 97), nil},
		"narrower than it is":     {change(sof+8, 0, 40), ErrFormat},
		"a block too many":        {append(bytes.Clone(good[:len(good)-2]), 0xFF, markerSOB, 0, 3, 0, 0xFF, markerEOI), ErrFormat},
		"ends after first blocks": {append(bytes.Clone(good[:sob+5]), 0xFF, markerEOI), ErrTruncated},
	} {
		_, err := Decode(c.b)
		switch {
		case err == nil:
			t.Errorf("%s: decoded", name)
		case c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", name, err, c.want)
		case !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrUnsupported):
			t.Errorf("%s: %v has none of the codes", name, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		img  Image
		rate float64
		want error
	}{
		"no pixels":       {Image{}, Rate15, ErrFormat},
		"pixels missing":  {Image{Pix: make([]byte, 99), Width: 10, Height: 10}, Rate15, ErrFormat},
		"65536 wide":      {Image{Pix: make([]byte, 65536), Width: 65536, Height: 1}, Rate15, ErrFormat},
		"rate of nothing": {ridges(10, 10, 1), 0, ErrFormat},
		"rate of NaN":     {ridges(10, 10, 1), math.NaN(), ErrFormat},
		"rate of 9":       {ridges(10, 10, 1), 9, ErrFormat},
	} {
		if _, err := Encode(c.img, c.rate); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Every cut and every flipped bit ends in a picture of the stated size or in
// a code.
func TestDamage(t *testing.T) {
	good := encode(t, ridges(48, 40, 2), Rate15)
	for n := range good {
		if _, err := Decode(good[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes decode", n, len(good))
		}
	}
	rng := rand.New(rand.NewPCG(9, 9))
	for range 2000 {
		b := bytes.Clone(good)
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		img, err := Decode(b)
		if err == nil && len(img.Pix) != img.Width*img.Height {
			t.Fatal("a picture of another size than stated")
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, ridges(24, 20, 1), Rate15))
	f.Add(encode(f, ridges(17, 31, 2), Rate5))
	f.Add(encode(f, Image{Pix: make([]byte, 12), Width: 4, Height: 3}, Rate15))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := Stat(b)
		if err == nil && info.Width*info.Height > 1<<20 {
			return // right, and slow
		}
		img, err := Decode(b)
		if err == nil && (len(img.Pix) != img.Width*img.Height || img.Width != info.Width) {
			t.Fatal("a picture of another size than stated")
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	file := encode(b, ridges(400, 400, 1), Rate15)
	b.SetBytes(400 * 400)
	for b.Loop() {
		if _, err := Decode(file); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	img := ridges(400, 400, 1)
	b.SetBytes(400 * 400)
	for b.Loop() {
		encode(b, img, Rate15)
	}
}
