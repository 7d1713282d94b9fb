package dlib

import (
	"image"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
)

// TestDoubled holds what the points are looked for in to libdlib's picture at
// twice the size, pixel by pixel: for parts of all sizes from a single pixel
// on, at the picture's edges and within.
func TestDoubled(t *testing.T) {
	tolerance := 0
	if runtime.GOARCH != "amd64" {
		tolerance = 1 // compilers may fuse products and sums
	}
	pictures := made()
	if data := os.Getenv("WATCHPOST_DATA"); data != "" {
		pictures = append(pictures, faces(t, data)...)
	}
	r := rand.New(rand.NewPCG(7, 8))
	for i, img := range pictures {
		parts := []image.Rectangle{image.Rect(0, 0, img.Width, img.Height), image.Rect(img.Width-1, 0, img.Width, img.Height)}
		for k := range 12 {
			w, h := 1+k, 1+r.IntN(img.Height)
			if k > 6 {
				w = 1 + r.IntN(img.Width)
			}
			x, y := r.IntN(img.Width-w+1), r.IntN(img.Height-h+1)
			parts = append(parts, image.Rect(x, y, x+w, y+h))
		}
		for _, part := range parts {
			if most, err := doubledApart(img, part); err != nil || most > tolerance {
				t.Fatalf("picture %d (%dx%d), part %v: %d apart, %v", i, img.Width, img.Height, part, most, err)
			}
		}
	}
	if _, err := doubledApart(pictures[0], image.Rect(0, 0, pictures[0].Width+1, 1)); err == nil {
		t.Error("a part outside the picture is taken")
	}
}
