package image

import (
	"bytes"
	"errors"
	stdimage "image"
	"image/color"
	"math"
	"testing"

	"github.com/watchpost/watchpost/device/capture/decode/header"
)

// waves is a grey picture of soft ridges.
func waves(w, h int) *stdimage.Gray {
	m := stdimage.NewGray(stdimage.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetGray(x, y, color.Gray{Y: byte(128 + 90*math.Sin(float64(x)/2+float64(y)/7))})
		}
	}
	return m
}

func TestWSQThereAndBack(t *testing.T) {
	const w, h = 131, 90
	m := waves(w, h)
	b, err := Convert(encodePNG(t, m), header.WSQ)
	if err != nil {
		t.Fatal(err)
	}
	if head, err := header.Read(b); err != nil || head.Format != header.WSQ || head.Width != w || head.Height != h {
		t.Fatalf("%+v, %v", head, err)
	}
	g, err := DecodeGrey(b)
	if err != nil || g.Width != w || g.Height != h {
		t.Fatalf("%dx%d, %v", g.Width, g.Height, err)
	}
	var sum float64
	for i, p := range g.Pix {
		d := float64(p) - float64(m.Pix[i])
		sum += d * d
	}
	if rms := math.Sqrt(sum / float64(len(g.Pix))); rms > 8 {
		t.Errorf("comes back %.1f grey levels off", rms)
	}
	r, err := DecodeRGB(b)
	if err != nil || len(r.Pix) != 3*w*h {
		t.Fatalf("%d bytes of colour, %v", len(r.Pix), err)
	}
	for i, p := range g.Pix {
		if r.Pix[3*i] != p || r.Pix[3*i+1] != p || r.Pix[3*i+2] != p {
			t.Fatal("grey is not grey in colour")
		}
	}
	p, err := Convert(b, header.PNM)
	if err != nil || !bytes.HasSuffix(p, g.Pix) {
		t.Errorf("as PGM it is another picture: %v", err)
	}
	if _, err := DecodeGrey(b[:len(b)-20]); !errors.Is(err, header.ErrTruncated) {
		t.Errorf("cut short: %v", err)
	}
}
