// Package header reads what an outside image says of itself, its format, size
// and depth, and whether it is complete, without decoding a pixel. It is the
// guard in front of the C decoders: what it does not recognise, what is cut
// short and what is too large never reaches them. Pure Go, nothing allocated
// in proportion to a claim of the file.
package header

import (
	"github.com/watchpost/watchpost/device/fault"
)

// Limits on an outside image.
const (
	MaxBytes  = 32<<20 - 64<<10 // encoded; leaves room in a 32 MiB message
	MaxPixels = 64_000_000      // width times height
	MaxSide   = 1 << 16         // either side; a strip of more is no picture
)

// Sentinels for errors.Is.
var (
	ErrFormat      = &fault.Error{Code: "image.format"}      // not an image of a format known, or damaged
	ErrTruncated   = &fault.Error{Code: "image.truncated"}   // ends before its own end
	ErrTooLarge    = &fault.Error{Code: "image.too_large"}   // over a limit above
	ErrUnsupported = &fault.Error{Code: "image.unsupported"} // recognised, and not read by this build
)

// Format is a file format. The numbers are published.
type Format int

const (
	Unknown Format = 0
	JPEG    Format = 1 // ISO/IEC 10918-1
	PNG     Format = 2 // ISO/IEC 15948
	JP2     Format = 3 // ISO/IEC 15444-1 annex I
	J2K     Format = 4 // ISO/IEC 15444-1 annex A, bare codestream
	PNM     Format = 5 // Netpbm P2, P3, P5, P6
	TIFF    Format = 6 // TIFF 6.0
	WSQ     Format = 7 // IAFIS-IC-0110, fingerprints
	BMP     Format = 8 // Windows bitmap, not compressed
)

var names = map[Format]string{JPEG: "jpeg", PNG: "png", JP2: "jp2", J2K: "j2k", PNM: "pnm", TIFF: "tiff", WSQ: "wsq", BMP: "bmp"}

func (f Format) String() string {
	if s, ok := names[f]; ok {
		return s
	}
	return "unknown"
}

// Header is what an image says of itself.
type Header struct {
	Format        Format
	Width, Height int     // pixels as stored, before any rotation
	Components    int     // colour channels with alpha, 1 to 4; 0 where not told
	Depth         int     // bits a component, 1 to 16; the largest where they differ
	MaxValue      int     // the value of white: 2^Depth-1, or what a PNM file states
	DPI           float64 // pixels an inch, 0 where not told
}

// Read recognises an image and checks its limits and its completeness. Bytes
// after the image's own end are allowed, as cameras write them.
func Read(b []byte) (Header, error) {
	if len(b) > MaxBytes {
		return Header{}, fault.New(ErrTooLarge.Code, "%d bytes, at most %d are read", len(b), MaxBytes)
	}
	h, err := read(b)
	if err != nil {
		return Header{}, err
	}
	if h.Width <= 0 || h.Height <= 0 {
		return Header{}, fault.New(ErrFormat.Code, "%s image of %dx%d pixels", h.Format, h.Width, h.Height)
	}
	if h.Width > MaxSide || h.Height > MaxSide || h.Width*h.Height > MaxPixels {
		return Header{}, fault.New(ErrTooLarge.Code, "%dx%d pixels, at most %d are read", h.Width, h.Height, MaxPixels)
	}
	return h, nil
}

func read(b []byte) (Header, error) {
	switch {
	case len(b) == 0:
		return Header{}, fault.New(ErrTruncated.Code, "empty file")
	case has(b, 0, "\xff\xd8\xff"):
		return readJPEG(b)
	case has(b, 0, pngSignature):
		return readPNG(b)
	case has(b, 0, jp2Signature):
		return readJP2(b)
	case has(b, 0, "\xff\x4f\xff\x51"):
		h, err := readCodestream(b)
		h.Format = J2K
		return h, err
	case has(b, 0, "II*\x00"), has(b, 0, "MM\x00*"):
		return readTIFF(b)
	case len(b) > 2 && b[0] == 'P' && (b[1] == '2' || b[1] == '3' || b[1] == '5' || b[1] == '6') && isSpace(b[2]):
		return readPNM(b)
	case has(b, 0, "\xff\xa0\xff"):
		return readWSQ(b)
	case has(b, 0, "BM"):
		return readBMP(b)
	case isPrefix(b):
		return Header{}, fault.New(ErrTruncated.Code, "%d bytes of an image's signature", len(b))
	}
	return Header{}, fault.New(ErrFormat.Code, "not JPEG, JPEG 2000, PNG, PNM, TIFF, BMP or WSQ")
}

// isPrefix reports whether b is a signature cut short.
func isPrefix(b []byte) bool {
	for _, sig := range []string{"\xff\xd8\xff", pngSignature, jp2Signature, "\xff\x4f\xff\x51", "\xff\xa0\xff"} {
		if len(b) < len(sig) && string(b) == sig[:len(b)] {
			return true
		}
	}
	return false
}

// has reports whether s stands at offset off of b.
func has(b []byte, off int, s string) bool {
	return off >= 0 && len(b)-off >= len(s) && string(b[off:off+len(s)]) == s
}

func truncated(f Format, what string) error {
	return fault.New(ErrTruncated.Code, "%s ends inside %s", f, what)
}

func malformed(f Format, what string) error {
	return fault.New(ErrFormat.Code, "%s: %s", f, what)
}

func maxValue(depth int) int { return 1<<depth - 1 }

func unsupported(what string) error {
	return fault.New(ErrUnsupported.Code, "%s", what)
}
