package photograph

import (
	"bytes"
	"errors"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"github.com/watchpost/watchpost/device/watchlist/record"
)

func noise(w, h int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	pix := make([]byte, 3*w*h)
	for i := range pix {
		pix[i] = byte(r.Uint32())
	}
	return pix
}

func TestEncode(t *testing.T) {
	for _, c := range []struct{ w, h, wantW, wantH int }{
		{413, 531, 248, 320}, {1600, 900, 320, 180}, {320, 320, 320, 320}, {40, 50, 40, 50}, {1, 1, 1, 1}, {5000, 1, 320, 1},
	} {
		pix := make([]byte, 3*c.w*c.h)
		for i := range pix {
			pix[i] = byte(i * 255 / len(pix)) // a slope
		}
		raw, err := Encode(pix, c.w, c.h)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jpeg.Decode(bytes.NewReader(raw))
		if err != nil || len(raw) > record.MaxPhotograph {
			t.Fatalf("%d bytes, %v", len(raw), err)
		}
		if b := img.Bounds(); b.Dx() != c.wantW || b.Dy() != c.wantH {
			t.Errorf("%d by %d became %v", c.w, c.h, b)
		}
		r, _, _, _ := img.At(img.Bounds().Dx()/2, 0).RGBA()
		if c.h > 100 && r>>8 > 40 {
			t.Errorf("the top is %d, it was dark", r>>8)
		}
	}
}

// Noise is what compresses worst: it fits all the same.
func TestNoiseFits(t *testing.T) {
	raw, err := Encode(noise(1000, 1000), 1000, 1000)
	if err != nil || len(raw) > record.MaxPhotograph || len(raw) < 1000 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if _, err := Encode(noise(96, 96), 96, 96); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		n, w, h int
	}{{0, 0, 0}, {3, 1, 0}, {3, -1, -1}, {2, 1, 1}, {4, 1, 1}, {12, 1 << 62, 4}, {0, 1 << 32, 1 << 32}, {30, 10_000, 10_000}} {
		if raw, err := Encode(make([]byte, c.n), c.w, c.h); !errors.Is(err, ErrPixels) || raw != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
