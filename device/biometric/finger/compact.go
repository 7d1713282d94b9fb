package finger

import (
	"math"

	"github.com/watchpost/watchpost/device/fault"
)

// Units of the compact card form of ISO/IEC 19794-2:2005, clause 8.2: a tenth
// of a millimetre, a 64th of a turn; three bytes a minutia.
const (
	compactSize  = 3
	compactUnit  = DPI / 254.0 // pixels
	compactSteps = 64
)

// MarshalCompact writes the first minutiae of a template, at most limit, in
// the compact card form: x, y, kind and angle, without a header. Minutiae
// further than 25.5 mm from the image's corner have no place in it and are
// left out. Cards may want them sorted; the caller asks the card.
func MarshalCompact(t *Template, limit int) []byte {
	var b []byte
	for i := range t.Minutiae {
		m := &t.Minutiae[i]
		x, y := math.Round(float64(m.X)/compactUnit), math.Round(float64(m.Y)/compactUnit)
		if x < 0 || y < 0 || x > 255 || y > 255 {
			continue
		}
		if len(b) >= limit*compactSize {
			break
		}
		b = append(b, byte(x), byte(y), byte(m.Kind&3)<<6|recordAngle(m.Angle, compactSteps))
	}
	return b
}

// ParseCompact reads minutiae in the compact card form, at most 255, of an
// image of w x h pixels at 500 dpi. Errors have the code of ErrRecord.
func ParseCompact(b []byte, w, h int) (*Template, error) {
	if len(b)%compactSize != 0 || len(b) > maxRecord*compactSize {
		return nil, fault.New(ErrRecord.Code, "%d bytes of compact minutiae", len(b))
	}
	t := &Template{Width: w, Height: h, Quality: -1, Minutiae: make([]Minutia, len(b)/compactSize)}
	for i := range t.Minutiae {
		p := b[i*compactSize:]
		steps := (compactSteps - int(p[2]&63)) % compactSteps
		t.Minutiae[i] = Minutia{
			X: float32(p[0]) * compactUnit, Y: float32(p[1]) * compactUnit,
			Angle: float32(steps) * (2 * math.Pi / compactSteps), Kind: min(Kind(p[2]>>6), 3) % 3,
		}
	}
	t.prepare()
	return t, nil
}
