// Package image turns outside image files into raw pixels and back through
// OpenCV (gocv), WSQ and bitmaps through our own codecs. What a file claims is checked by package header first; only
// the formats named there reach a C decoder. The package belongs to the
// decode role: it is not to be linked where keys or other people's data are.
//
// OpenCV may end the process on an image that exhausts memory; the decode
// process is made to be replaced. All functions are safe for concurrent use.
package image

import (
	"gocv.io/x/gocv"

	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/decode/header"
	"github.com/watchpost/watchpost/device/fault"
)

// Grey is an 8-bit grey image without gaps between its rows, owned by the
// caller.
type Grey struct {
	Pix           []byte
	Width, Height int
	DPI           float64 // as the file states, 0 where it does not
}

// DecodeRGB returns the image as 8-bit RGB, turned upright where EXIF or TIFF
// says how the camera was held. Deeper samples are scaled so that white stays
// white; transparency is dropped.
func DecodeRGB(b []byte) (face.Raster, error) {
	m, _, err := decode8(b, gocv.IMReadColor)
	if err != nil {
		return face.Raster{}, err
	}
	defer m.Close()
	gocv.CvtColor(m, &m, gocv.ColorBGRToRGB)
	return face.Raster{Pix: m.ToBytes(), Width: m.Cols(), Height: m.Rows(), Stride: 3 * m.Cols()}, nil
}

// DecodeGrey returns the image as 8-bit grey (ITU-R BT.601 weights for
// colour), otherwise as DecodeRGB.
func DecodeGrey(b []byte) (Grey, error) {
	m, h, err := decode8(b, gocv.IMReadAnyColor)
	if err != nil {
		return Grey{}, err
	}
	defer m.Close()
	toGrey(&m)
	return Grey{Pix: m.ToBytes(), Width: m.Cols(), Height: m.Rows(), DPI: h.DPI}, nil
}

func toGrey(m *gocv.Mat) {
	if m.Channels() == 3 {
		gocv.CvtColor(*m, m, gocv.ColorBGRToGray)
	}
}

func decode8(b []byte, colour gocv.IMReadFlag) (gocv.Mat, header.Header, error) {
	m, h, err := decode(b, colour)
	if err != nil {
		return m, h, err
	}
	scaleTo(&m, 8, h)
	return m, h, nil
}

// decode returns 1 or 3 channels of 8 or 16 bits as the file holds them. The
// caller closes the Mat unless there is an error.
func decode(b []byte, colour gocv.IMReadFlag) (gocv.Mat, header.Header, error) {
	h, err := header.Read(b)
	if err != nil {
		return gocv.Mat{}, h, err
	}
	if h.Format == header.WSQ {
		m, err := decodeWSQ(b, colour)
		return m, h, err
	}
	if h.Format == header.BMP {
		m, err := decodeBMP(b)
		return m, h, err
	}
	m, err := gocv.IMDecode(b, gocv.IMReadAnyDepth|colour)
	if err != nil {
		return gocv.Mat{}, h, fault.Wrap(header.ErrFormat.Code, err)
	}
	ok := false
	switch m.Type() {
	case gocv.MatTypeCV8UC1, gocv.MatTypeCV8UC3, gocv.MatTypeCV16UC1, gocv.MatTypeCV16UC3:
		ok = !m.Empty()
	}
	if !ok {
		m.Close()
		return gocv.Mat{}, h, fault.New(header.ErrFormat.Code, "%s: its decoder refuses it", h.Format)
	}
	return m, h, nil
}

// scaleTo brings m to 8 or 16 bits a sample so that the file's white becomes
// white.
func scaleTo(m *gocv.Mat, depth int, h header.Header) {
	is16 := m.Type() == gocv.MatTypeCV16UC1 || m.Type() == gocv.MatTypeCV16UC3
	white := 255.0
	switch {
	case h.Format == header.PNM && (h.Depth == 16) == is16,
		h.Format == header.JP2 && is16, h.Format == header.J2K && is16:
		white = float64(h.MaxValue) // these decoders hand out samples as stored
	case is16:
		white = 65535
	}
	to, want := gocv.MatType(gocv.MatTypeCV8UC1), 255.0
	if depth == 16 {
		to, want = gocv.MatTypeCV16UC1, 65535
	}
	if white == want && is16 == (depth == 16) {
		return
	}
	if m.Channels() == 3 {
		to += gocv.MatTypeCV8UC3 - gocv.MatTypeCV8UC1
	}
	m.ConvertToWithParams(m, to, float32(want/white), 0)
}
