package header

import "github.com/watchpost/watchpost/device/capture/decode/bmp"

// readBMP reads a bitmap; what it is refused for has the codes of this package.
func readBMP(b []byte) (Header, error) {
	h, err := bmp.Read(b)
	if err != nil {
		return Header{Format: BMP}, err
	}
	return Header{Format: BMP, Width: h.Width, Height: h.Height, Components: 3, Depth: 8, MaxValue: maxValue(8), DPI: h.DPI}, nil
}
