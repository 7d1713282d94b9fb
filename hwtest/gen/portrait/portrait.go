// Package portrait derives captures from a given portrait: the picture on a
// chip, frames of a live camera. What it makes is always said to be derived; a
// derived capture is more alike its origin than a second photograph would be,
// so no figure of accuracy may rest on it.
//
// The portraits themselves come from packages at set-up and are never
// committed.
package portrait

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // one of the portraits is a PNG
	"math"
	"math/rand/v2"
	"os"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// Change says how a capture differs from its origin.
type Change struct {
	Crop     image.Rectangle // part of the origin, in its pixels; empty takes all
	Width    int             // of the result, pixels
	Height   int             // of the result, pixels
	Rotation float64         // degrees, clockwise
	Shift    image.Point     // of the picture, result pixels
	Gamma    float64         // 1 leaves it
	Noise    float64         // standard deviation, grey levels of 255
	Blur     float64         // radius in pixels of a box blur, 0 none
	Quality  int             // JPEG 1 to 100
}

// Load reads a portrait from a JPEG or PNG file.
func Load(path string) (image.Image, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a portrait: %w", err)
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("decode a portrait: %w", err)
	}
	return img, nil
}

// Derive makes a capture of origin as a JPEG. The same seed gives the same
// bytes.
func Derive(origin image.Image, c Change, seed uint64) ([]byte, error) {
	crop := c.Crop
	if crop.Empty() {
		crop = origin.Bounds()
	}
	if c.Width < 1 || c.Height < 1 || c.Width*c.Height > 64<<20 {
		return nil, fmt.Errorf("a capture of %d by %d pixels", c.Width, c.Height)
	}
	out := image.NewRGBA(image.Rect(0, 0, c.Width, c.Height))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.Gray{128}), image.Point{}, draw.Src)
	// Scale about the middle of the crop, turn, and put it in the middle.
	scale := math.Min(float64(c.Width)/float64(crop.Dx()), float64(c.Height)/float64(crop.Dy()))
	sin, cos := math.Sincos(c.Rotation * math.Pi / 180)
	cx, cy := float64(crop.Min.X+crop.Max.X)/2, float64(crop.Min.Y+crop.Max.Y)/2
	tx, ty := float64(c.Width)/2+float64(c.Shift.X), float64(c.Height)/2+float64(c.Shift.Y)
	m := f64.Aff3{
		scale * cos, -scale * sin, tx - scale*(cos*cx-sin*cy),
		scale * sin, scale * cos, ty - scale*(sin*cx+cos*cy),
	}
	draw.CatmullRom.Transform(out, m, origin, crop, draw.Src, nil)
	if c.Blur > 0 {
		out = boxBlur(out, int(math.Ceil(c.Blur)))
	}
	tone(out, c, seed)
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, out, &jpeg.Options{Quality: c.Quality}); err != nil {
		return nil, fmt.Errorf("encode a capture: %w", err)
	}
	return buf.Bytes(), nil
}

// tone applies gamma and noise.
func tone(img *image.RGBA, c Change, seed uint64) {
	var curve [256]float64
	for i := range curve {
		curve[i] = float64(i)
		if c.Gamma > 0 {
			curve[i] = 255 * math.Pow(float64(i)/255, c.Gamma)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := 0; i < len(img.Pix); i += 4 {
		n := 0.0
		if c.Noise > 0 {
			n = rng.NormFloat64() * c.Noise
		}
		for k := range 3 {
			img.Pix[i+k] = uint8(max(0, min(255, math.Round(curve[img.Pix[i+k]]+n))))
		}
	}
}

// boxBlur averages over a square of side 2r+1.
func boxBlur(in *image.RGBA, r int) *image.RGBA {
	out := image.NewRGBA(in.Bounds())
	w, h := in.Bounds().Dx(), in.Bounds().Dy()
	for y := range h {
		for x := range w {
			var sum [4]int
			n := 0
			for dy := max(0, y-r); dy <= min(h-1, y+r); dy++ {
				for dx := max(0, x-r); dx <= min(w-1, x+r); dx++ {
					p := in.PixOffset(dx, dy)
					for k := range 4 {
						sum[k] += int(in.Pix[p+k])
					}
					n++
				}
			}
			p := out.PixOffset(x, y)
			for k := range 4 {
				out.Pix[p+k] = uint8(sum[k] / n)
			}
		}
	}
	return out
}
