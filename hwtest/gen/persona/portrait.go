package persona

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"github.com/watchpost/watchpost/device/fault"
)

// Size of a drawn portrait in pixels, that of many passports.
const (
	portraitWidth  = 413
	portraitHeight = 531
)

// Portrait draws the portrait of this seed as a JPEG of about 20 KB: a drawing
// with a face's proportions and a grain, the picture of nobody. It fills DG2;
// it is no test of a face engine.
func Portrait(seed uint64) ([]byte, error) {
	r := rand.New(rand.NewPCG(seed, 0x706F7274))
	skin := color.RGBA{uint8(140 + r.IntN(100)), uint8(100 + r.IntN(90)), uint8(80 + r.IntN(80)), 255}
	hair := color.RGBA{uint8(r.IntN(140)), uint8(r.IntN(100)), uint8(r.IntN(70)), 255}
	coat := color.RGBA{uint8(r.IntN(160)), uint8(r.IntN(160)), uint8(r.IntN(160)), 255}
	wide := 105 + 20*r.Float64() // half the width of the head
	img := image.NewRGBA(image.Rect(0, 0, portraitWidth, portraitHeight))
	const cx, cy = portraitWidth / 2.0, 255.0
	inside := func(x, y, ox, oy, rx, ry float64) bool { return math.Hypot((x-ox)/rx, (y-oy)/ry) <= 1 }
	for py := range portraitHeight {
		for px := range portraitWidth {
			x, y := float64(px), float64(py)
			c := color.RGBA{205, 210, 215, 255}
			switch {
			case inside(x, y, cx-wide*0.4, cy-20, 15, 8), inside(x, y, cx+wide*0.4, cy-20, 15, 8):
				c = color.RGBA{40, 35, 30, 255}
			case inside(x, y, cx, cy+85, 36, 9):
				c = color.RGBA{165, 70, 70, 255}
			case inside(x, y, cx, cy, wide, wide*1.38) && y > cy-wide*0.85:
				c = skin
			case inside(x, y, cx, cy-22, wide*1.1, wide*1.4) && y < cy:
				c = hair
			case inside(x, y, cx, 560, 190, 130):
				c = coat
			case math.Abs(x-cx) < 50 && y > cy:
				c = skin
			}
			grain := r.IntN(19) - 9
			img.SetRGBA(px, py, color.RGBA{shade(c.R, grain), shade(c.G, grain), shade(c.B, grain), 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 62}); err != nil {
		return nil, fault.Wrap(codeInvalid, err)
	}
	return out.Bytes(), nil
}

func shade(v uint8, by int) uint8 { return uint8(min(max(int(v)+by, 0), 255)) }
