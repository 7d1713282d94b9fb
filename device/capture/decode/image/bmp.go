package image

import (
	"gocv.io/x/gocv"

	"github.com/watchpost/watchpost/device/capture/decode/bmp"
	"github.com/watchpost/watchpost/device/fault"
)

// decodeBMP returns a bitmap as three channels. The caller closes the Mat
// unless there is an error.
func decodeBMP(b []byte) (gocv.Mat, error) {
	pix, h, err := bmp.Decode(b)
	if err != nil {
		return gocv.Mat{}, err
	}
	lent, err := gocv.NewMatFromBytes(h.Height, h.Width, gocv.MatTypeCV8UC3, pix)
	if err != nil {
		return gocv.Mat{}, fault.Wrap("image.decode", err)
	}
	defer lent.Close()
	return lent.Clone(), nil // C++ is not left with a pointer to memory of Go
}
