// Package photograph makes the small JPEG of a person that an officer looks
// at, out of raw pixels. It encodes and never decodes: pixels come from the
// decode role, so that whatever a picture was, what leaves here was written by
// this program (design section 3).
package photograph

import (
	"bytes"
	"image"
	"image/jpeg"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// MaxSide is the longer side of a photograph in pixels: two of them stand side
// by side on a card of the page, a face each.
const MaxSide = 320

// maxPixels bounds the pixels taken, as the decode role does.
const maxPixels = 64_000_000

// ErrPixels says that what was given is no image.
var ErrPixels = &fault.Error{Code: "photograph.pixels"}

// steps are tried from the best to the smallest until the picture fits
// record.MaxPhotograph; noise alone fits the last.
var steps = []struct{ side, quality int }{
	{MaxSide, 85}, {MaxSide, 75}, {MaxSide, 65}, {MaxSide, 50}, {240, 60}, {240, 40}, {160, 40}, {96, 30},
}

// Encode makes a JPEG of at most MaxSide pixels a side and at most
// record.MaxPhotograph bytes of upright RGB pixels, 3 bytes each, rows from the
// top without gaps. Small pictures keep their size.
func Encode(pix []byte, width, height int) ([]byte, error) {
	if width < 1 || height < 1 || width > maxPixels/height || len(pix) != 3*width*height {
		return nil, fault.New(ErrPixels.Code, "%d bytes for %d by %d pixels", len(pix), width, height)
	}
	var out bytes.Buffer
	for _, s := range steps {
		out.Reset()
		if err := jpeg.Encode(&out, shrink(pix, width, height, s.side), &jpeg.Options{Quality: s.quality}); err != nil {
			return nil, fault.Wrap("photograph.encode", err)
		}
		if out.Len() <= record.MaxPhotograph {
			return out.Bytes(), nil
		}
	}
	return nil, fault.New("photograph.encode", "%d bytes at the least", out.Len())
}

// shrink averages areas of pixels so that neither side is longer than side.
func shrink(pix []byte, width, height, side int) *image.RGBA {
	w, h := width, height
	if long := max(w, h); long > side {
		w, h = max(1, width*side/long), max(1, height*side/long)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		top, bottom := y*height/h, max(y*height/h+1, (y+1)*height/h)
		for x := range w {
			left, right := x*width/w, max(x*width/w+1, (x+1)*width/w)
			var sum [3]int
			for sy := top; sy < bottom; sy++ {
				row := pix[3*(sy*width+left) : 3*(sy*width+right)]
				for i := 0; i < len(row); i += 3 {
					sum[0] += int(row[i])
					sum[1] += int(row[i+1])
					sum[2] += int(row[i+2])
				}
			}
			n, at := (bottom-top)*(right-left), out.PixOffset(x, y)
			for c := range sum {
				out.Pix[at+c] = uint8((sum[c] + n/2) / n)
			}
			out.Pix[at+3] = 255
		}
	}
	return out
}
