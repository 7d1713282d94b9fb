package image

import (
	"gocv.io/x/gocv"

	"github.com/watchpost/watchpost/device/biometric/wsq"
	"github.com/watchpost/watchpost/device/fault"
)

// decodeWSQ returns a WSQ picture as OpenCV would return a grey file: one
// channel, or three alike where colour is asked for. The caller closes the Mat
// unless there is an error.
func decodeWSQ(b []byte, colour gocv.IMReadFlag) (gocv.Mat, error) {
	img, err := wsq.Decode(b)
	if err != nil {
		return gocv.Mat{}, err
	}
	lent, err := gocv.NewMatFromBytes(img.Height, img.Width, gocv.MatTypeCV8UC1, img.Pix)
	if err != nil {
		return gocv.Mat{}, fault.Wrap("image.decode", err)
	}
	defer lent.Close()
	m := lent.Clone() // C++ is not left with a pointer to memory of Go
	if colour == gocv.IMReadColor {
		gocv.CvtColor(m, &m, gocv.ColorGrayToBGR)
	}
	return m, nil
}

// encodeWSQ decodes b and writes its grey as WSQ.
func encodeWSQ(b []byte) ([]byte, error) {
	g, err := DecodeGrey(b)
	if err != nil {
		return nil, err
	}
	return wsq.Encode(wsq.Image{Pix: g.Pix, Width: g.Width, Height: g.Height, DPI: g.DPI}, wsq.Rate15)
}
