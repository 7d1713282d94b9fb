package demo

import (
	"image"

	"github.com/watchpost/watchpost/hwtest/gen/portrait"
)

// photoFrame is the part of listPhotograph that a list's owner would file: 35
// by 45, without the window that the picture was taken from a screen with.
var photoFrame = image.Rect(100, 24, 310, 294)

// listPhoto cuts the man out of listPhotograph and takes away the detector's
// green rectangle, which an officer would ask about. It returns the pixels, 3
// bytes each, row by row. Only what is shown is mended: the list's template is
// of the picture as it is.
func (p Portraits) listPhoto() (pix []byte, size image.Point, err error) {
	img, err := p.load(listPhotograph)
	if err != nil {
		return nil, image.Point{}, err
	}
	size = photoFrame.Size()
	drawn := make([]bool, size.X*size.Y)
	pix = make([]byte, 0, 3*len(drawn))
	for y := photoFrame.Min.Y; y < photoFrame.Max.Y; y++ {
		for x := photoFrame.Min.X; x < photoFrame.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			pix = append(pix, byte(r>>8), byte(g>>8), byte(b>>8))
			drawn[len(pix)/3-1] = g > r+0x1800 && g > b+0x1800 // greener than anything in the room, JPEG's edges too
		}
	}
	portrait.Mend(pix, size, drawn)
	return pix, size, nil
}
