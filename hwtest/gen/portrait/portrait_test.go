package portrait

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

func disc() image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 200, 200))
	for y := range 200 {
		for x := range 200 {
			if (x-100)*(x-100)+(y-60)*(y-60) < 400 {
				img.Set(x, y, color.RGBA{200, 100, 50, 255})
			}
		}
	}
	return img
}

func TestDeriveIsRepeatableAndTurns(t *testing.T) {
	c := Change{Width: 100, Height: 100, Gamma: 1, Noise: 3, Quality: 90}
	a, err := Derive(disc(), c, 7)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Derive(disc(), c, 7)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("the same seed gives another capture (%v)", err)
	}
	other, err := Derive(disc(), c, 8)
	if err != nil || bytes.Equal(a, other) {
		t.Errorf("another seed gives the same capture (%v)", err)
	}
	c.Rotation = 90 // the disc above the middle moves to the right of it
	turned, err := Derive(disc(), c, 7)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(turned))
	if err != nil {
		t.Fatal(err)
	}
	if r, _, _, _ := img.At(70, 50).RGBA(); r>>8 < 150 {
		t.Errorf("right of the middle is %d", r>>8)
	}
}

func TestDeriveRefusesSizes(t *testing.T) {
	for _, c := range []Change{{}, {Width: 10}, {Width: 1 << 20, Height: 1 << 20}} {
		if _, err := Derive(disc(), c, 1); err == nil {
			t.Errorf("%dx%d is accepted", c.Width, c.Height)
		}
	}
}
