package image

import (
	"gocv.io/x/gocv"

	"github.com/watchpost/watchpost/device/capture/decode/header"
	"github.com/watchpost/watchpost/device/fault"
)

// jpegQuality of converted images: high enough not to matter to a template.
const jpegQuality = 95

// jp2CompressionX1000 is OpenCV's IMWRITE_JPEG2000_COMPRESSION_X1000, which
// gocv does not name; 1000 is without loss, the default is not.
const jp2CompressionX1000 = 272

var extensions = map[header.Format]string{
	header.JPEG: ".jpg", header.PNG: ".png", header.JP2: ".jp2", header.PNM: ".pgm", header.TIFF: ".tiff",
}

// Convert decodes b, turns it upright and writes it anew in another format.
// Grey stays grey and colour stays colour, but PNM is always grey (PGM);
// 16 bits stay 16 but in JPEG; JPEG 2000 is lossless; WSQ is 8-bit grey at
// wsq.Rate15. A bare codestream is read and not written: header.ErrUnsupported.
func Convert(b []byte, to header.Format) ([]byte, error) {
	if to == header.WSQ {
		return encodeWSQ(b)
	}
	ext, ok := extensions[to]
	if !ok {
		return nil, fault.New(header.ErrUnsupported.Code, "%s is not written", to)
	}
	m, h, err := decode(b, gocv.IMReadAnyColor)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	depth := 8
	if h.Depth > 8 && to != header.JPEG {
		depth = 16
	}
	scaleTo(&m, depth, h)
	var params []int
	switch to {
	case header.PNM:
		toGrey(&m)
	case header.JPEG:
		params = []int{gocv.IMWriteJpegQuality, jpegQuality}
	case header.JP2:
		params = []int{jp2CompressionX1000, 1000}
		temporary.Lock()
		defer temporary.Unlock()
		defer dropTemporary()
	}
	var out *gocv.NativeByteBuffer
	if len(params) > 0 {
		out, err = gocv.IMEncodeWithParams(gocv.FileExt(ext), m, params)
	} else {
		out, err = gocv.IMEncode(gocv.FileExt(ext), m)
	}
	if err != nil {
		return nil, fault.Wrap("image.encode", err)
	}
	defer out.Close()
	if out.Len() == 0 {
		return nil, fault.New("image.encode", "the %s encoder gave nothing", to)
	}
	return append([]byte(nil), out.GetBytes()...), nil
}
