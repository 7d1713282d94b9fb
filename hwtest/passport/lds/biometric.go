package lds

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// Encoding is how biometric records are written.
type Encoding string

// Encodings. The first is also "".
const (
	Encoding19794 Encoding = "19794" // ISO/IEC 19794:2005
	Encoding39794 Encoding = "39794" // ISO/IEC 39794:2019
)

// Biometric types of the CBEFF header (ISO/IEC 19785-3, TLV-encoded patron format).
const (
	typeFace   = 0x02
	typeFinger = 0x08
	typeIris   = 0x10
)

// template writes one biometric information template, 7F60: header and data
// block (Doc 9303-10 (2021), 4.7.2.1). A block of ISO/IEC 39794 is constructed,
// under 7F2E.
func template(kind, format byte, e Encoding, record []byte) []byte {
	header := der.TLV(0xA1,
		der.TLV(0x80, []byte{0x01, 0x01}), // patron header version
		der.TLV(0x81, []byte{kind}),
		der.TLV(0x82, []byte{0x00}),       // subtype: none
		der.TLV(0x87, []byte{0x01, 0x01}), // format owner: ISO/IEC JTC 1/SC 37
		der.TLV(0x88, []byte{0x00, format}))
	if e == Encoding39794 {
		return der.TLV(0x7F60, header, der.TLV(0x7F2E, der.TLV(0xA1, record)))
	}
	return der.TLV(0x7F60, header, der.TLV(0x5F2E, record))
}

// group writes a biometric information group template under a data group's tag.
func group(tag uint32, templates ...[]byte) []byte {
	parts := append([][]byte{der.SmallInt(int64(len(templates)))}, templates...)
	return der.TLV(tag, der.TLV(0x7F61, parts...))
}

// DG3 writes fingerprints, one template each; the positions are those of the
// two index fingers, then the thumbs (ISO/IEC 19794-2:2005, table 2). Without
// images the group is there and empty, as many states leave it.
func DG3(e Encoding, images ...[]byte) ([]byte, error) {
	positions := []byte{2, 7, 1, 6}
	if len(images) > len(positions) {
		return nil, fault.New(codePortrait, "%d fingers, at most %d", len(images), len(positions))
	}
	var templates [][]byte
	for i, img := range images {
		c, err := png.DecodeConfig(bytes.NewReader(img))
		if err != nil {
			return nil, fault.New(codePortrait, "finger %d: %v", i+1, err)
		}
		record, format := fingerRecord(positions[i], c.Width, c.Height, img), byte(0x07)
		if e == Encoding39794 {
			record, format = fingerBlock(positions[i], img), 0x28
		}
		templates = append(templates, template(typeFinger, format, e, record))
	}
	return group(0x63, templates...), nil
}

// DG4 writes irises, right and left.
func DG4(e Encoding, images ...[]byte) ([]byte, error) {
	if len(images) > 2 {
		return nil, fault.New(codePortrait, "%d irises", len(images))
	}
	var templates [][]byte
	for i, img := range images {
		c, err := png.DecodeConfig(bytes.NewReader(img))
		if err != nil {
			return nil, fault.New(codePortrait, "iris %d: %v", i+1, err)
		}
		record, format := irisRecord(byte(i+1), c.Width, c.Height, img), byte(0x09)
		if e == Encoding39794 {
			record, format = irisBlock(byte(i+1), img), 0x2A
		}
		templates = append(templates, template(typeIris, format, e, record))
	}
	return group(0x76, templates...), nil
}

// fingerRecord is ISO/IEC 19794-4:2005, 7: general header of 32 octets, then a
// header of 14 for the one view.
func fingerRecord(position byte, width, height int, img []byte) []byte {
	const general, view, compressionPNG = 32, 14, 5
	be := binary.BigEndian
	size := general + view + len(img)
	out := append([]byte("FIR\x00010\x00"), 0, 0)
	out = be.AppendUint32(out, uint32(size)) // six octets in all
	out = append(out, 0, 0, 0, 31, 1, 1)     // device, level 31, one finger, pixels per inch
	for range 4 {
		out = be.AppendUint16(out, 500) // scan and image resolution
	}
	out = append(out, 8, compressionPNG, 0, 0)
	out = be.AppendUint32(out, uint32(view+len(img)))
	out = append(out, position, 1, 1, 80, 0)
	out = be.AppendUint16(out, uint16(width))
	out = be.AppendUint16(out, uint16(height))
	return append(append(out, 0), img...)
}

// irisRecord is ISO/IEC 19794-6:2005, 6: header of 45 octets, then the eye.
func irisRecord(eye byte, width, height int, img []byte) []byte {
	const header, eyeHeader, imageHeader, formatPNG = 45, 3, 11, 14
	be := binary.BigEndian
	out := append([]byte("IIR\x00010\x00"), be.AppendUint32(nil, uint32(header+eyeHeader+imageHeader+len(img)))...)
	out = append(out, 0, 0, 1) // device, one eye
	out = be.AppendUint16(out, header)
	out = append(out, 0, 0, 0, 0) // properties, diameter
	out = be.AppendUint16(out, formatPNG)
	out = be.AppendUint16(out, uint16(width))
	out = be.AppendUint16(out, uint16(height))
	out = append(append(out, 8, 0), make([]byte, 16)...) // depth, transformation, device
	out = append(out, eye, 0, 1)
	out = append(out, 0, 1, 90, 0, 0, 0, 0)
	out = be.AppendUint32(out, uint32(len(img)))
	return append(out, img...)
}

// version is the version block of a data block: third generation, of 2019.
func version() []byte {
	return der.Context(0, integer(0, 3), integer(1, 2019))
}

// integer is a number under a context tag; code is one of a choice.
func integer(tag int, v int64) []byte { return der.Retag(byte(0x80|tag), der.SmallInt(v)) }
func code(tag int, v int64) []byte    { return der.Context(tag, integer(0, v)) }

// faceBlock is FaceImageDataBlock of ISO/IEC 39794-5:2019, annex A: one
// representation with a two-dimensional image.
func faceBlock(width, height int, jp2 bool, img []byte) []byte {
	format := int64(2) // JPEG
	if jp2 {
		format = 3 // JPEG 2000, lossy
	}
	information := der.Context(1, code(0, format), der.Context(7, integer(0, int64(width)), integer(1, int64(height))))
	representation := der.Context(0, der.ContextPrimitive(0, img), information)
	return der.TLV(0x65, version(), der.Context(1,
		der.Seq(integer(0, 1), der.Context(1, der.Context(0, representation)))))
}

// fingerBlock is FingerImageDataBlock of ISO/IEC 39794-4:2019, annex A.
func fingerBlock(position byte, img []byte) []byte {
	const formatPNG = 5
	return der.TLV(0x64, version(), der.Context(1,
		der.Seq(code(0, int64(position)), code(1, 0), code(2, formatPNG), der.ContextPrimitive(3, img))))
}

// irisBlock is IrisImageDataBlock of ISO/IEC 39794-6:2021, annex A.
func irisBlock(eye byte, img []byte) []byte {
	const kindUncropped, formatPNG, rangeMM = 1, 1, 300
	return der.TLV(0x66, version(), der.Context(1,
		der.Seq(integer(0, int64(eye)), code(1, kindUncropped), integer(2, 8), code(3, formatPNG),
			integer(4, 0), integer(5, 0), integer(6, 0), der.Context(7, integer(0, rangeMM)),
			der.Context(8, integer(0, 2025)), der.ContextPrimitive(9, img))))
}

// Pattern draws something with lines like a print's, as PNG: octets for files,
// nothing that a matcher could use.
func Pattern(seed uint64, width, height int) ([]byte, error) {
	img := image.NewGray(image.Rect(0, 0, width, height))
	centre := float64(seed%17) * 3
	for y := range height {
		for x := range width {
			dx, dy := float64(x-width/2)+centre, float64(y-height/2)
			img.SetGray(x, y, color.Gray{Y: uint8(128 + 100*math.Sin(math.Hypot(dx, dy)/3+float64(seed%7)))})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return nil, fault.Wrap(codePortrait, err)
	}
	return slices.Clone(out.Bytes()), nil
}
