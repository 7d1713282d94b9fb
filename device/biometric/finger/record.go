package finger

import (
	"encoding/binary"
	"math"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrRecord is the sentinel of records that cannot be read.
var ErrRecord = &fault.Error{Code: "finger.record"}

// View is one finger view of a record: a template and what the record says
// about how it was taken.
type View struct {
	Template   *Template
	Position   uint8 // ISO/IEC 19794-2:2005, table 2: 0 unknown, 1 to 10 right thumb to left little finger
	Impression uint8 // table 3: 0 live plain
}

// Sizes of ISO/IEC 19794-2:2005, clauses 7.3 to 7.5.
const (
	recordHeader  = 24
	viewHeader    = 4
	minutiaSize   = 6
	maxRecordSize = 1 << 20
	perCentimetre = 197 // 500 dpi
	maxCoordinate = 1<<14 - 1
)

// MarshalISO writes views of one person as an ISO/IEC 19794-2:2005 finger
// minutiae record, record format, without extended data. All views must be of
// images of the same size or smaller than the first; at most 255 minutiae and
// 255 views are written, the best minutiae first.
func MarshalISO(views []View) ([]byte, error) {
	if len(views) == 0 || len(views) > 255 {
		return nil, fault.New("finger.record_write", "%d views", len(views))
	}
	w, h := 0, 0
	for _, v := range views {
		w, h = max(w, v.Template.Width), max(h, v.Template.Height)
	}
	b := make([]byte, recordHeader, recordHeader+len(views)*(viewHeader+60*minutiaSize+2))
	copy(b, "FMR\x00 20\x00")
	binary.BigEndian.PutUint16(b[14:], uint16(min(w, math.MaxUint16)))
	binary.BigEndian.PutUint16(b[16:], uint16(min(h, math.MaxUint16)))
	binary.BigEndian.PutUint16(b[18:], perCentimetre)
	binary.BigEndian.PutUint16(b[20:], perCentimetre)
	b[22] = byte(len(views))
	numbers := make(map[uint8]uint8)
	for _, v := range views {
		all := v.Template.Minutiae
		all = all[:min(len(all), maxRecord)]
		number := numbers[v.Position]
		if v.Position > 10 || v.Impression > 15 || number > 15 {
			return nil, fault.New("finger.record_write", "position %d, impression %d, view %d", v.Position, v.Impression, number)
		}
		numbers[v.Position]++
		b = append(b, v.Position, number<<4|v.Impression, byte(min(100, max(0, v.Template.Quality))), byte(len(all)))
		for i := range all {
			m := &all[i]
			x, y := coordinate(m.X), coordinate(m.Y)
			b = binary.BigEndian.AppendUint16(b, uint16(m.Kind&3)<<14|x)
			b = binary.BigEndian.AppendUint16(b, y)
			b = append(b, isoAngle(m.Angle), min(m.Quality, 100))
		}
		b = append(b, 0, 0) // no extended data
	}
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)))
	return b, nil
}

func coordinate(v float32) uint16 {
	return uint16(min(maxCoordinate, max(0, math.Round(float64(v)))))
}

// isoAngle gives the angle in 1/256 turns, counter-clockwise as seen.
func isoAngle(radians float32) byte {
	return byte(int(math.Round(-float64(radians)*(128/math.Pi))) & 255)
}

// ParseISO reads an ISO/IEC 19794-2:2005 finger minutiae record. Coordinates
// are brought to 500 dpi. Extended data is passed over. The templates have no
// ridge maps, so their scores stand on minutiae alone.
func ParseISO(b []byte) ([]View, error) {
	if len(b) < recordHeader || len(b) > maxRecordSize {
		return nil, fault.New(ErrRecord.Code, "%d bytes", len(b))
	}
	if string(b[:8]) != "FMR\x00 20\x00" {
		return nil, fault.New(ErrRecord.Code, "no record of ISO/IEC 19794-2:2005")
	}
	if n := binary.BigEndian.Uint32(b[8:]); int64(n) != int64(len(b)) {
		return nil, fault.New(ErrRecord.Code, "%d bytes where %d are announced", len(b), n)
	}
	w, h := int(binary.BigEndian.Uint16(b[14:])), int(binary.BigEndian.Uint16(b[16:]))
	rx, ry := int(binary.BigEndian.Uint16(b[18:])), int(binary.BigEndian.Uint16(b[20:]))
	sx, okX := toDPI(rx)
	sy, okY := toDPI(ry)
	if w == 0 || h == 0 || !okX || !okY {
		return nil, fault.New(ErrRecord.Code, "an image of %dx%d at %dx%d pixels a centimetre", w, h, rx, ry)
	}
	views := make([]View, 0, b[22])
	rest := b[recordHeader:]
	for range b[22] {
		v, after, err := parseView(rest, w, h, sx, sy)
		if err != nil {
			return nil, err
		}
		views, rest = append(views, v), after
	}
	if len(rest) != 0 || len(views) == 0 {
		return nil, fault.New(ErrRecord.Code, "%d views, %d bytes left over", len(views), len(rest))
	}
	return views, nil
}

// toDPI is the factor from a resolution in pixels a centimetre to 500 dpi.
func toDPI(perCm int) (float32, bool) {
	if perCm < minDPI*100/254 || perCm > maxDPI*100/254 {
		return 0, false
	}
	if perCm >= perCentimetre-1 && perCm <= perCentimetre+1 {
		return 1, true // 500 dpi, as rounded
	}
	return DPI / (2.54 * float32(perCm)), true
}

func parseView(b []byte, w, h int, sx, sy float32) (View, []byte, error) {
	if len(b) < viewHeader {
		return View{}, nil, fault.New(ErrRecord.Code, "a view header of %d bytes", len(b))
	}
	n := int(b[3])
	v := View{Position: b[0], Impression: b[1] & 15}
	t := &Template{Width: int(float32(w)*sx + 0.5), Height: int(float32(h)*sy + 0.5), Quality: int(b[2])}
	if t.Quality > 100 {
		t.Quality = -1
	}
	b = b[viewHeader:]
	if len(b) < n*minutiaSize+2 {
		return View{}, nil, fault.New(ErrRecord.Code, "%d minutiae in %d bytes", n, len(b))
	}
	t.Minutiae = make([]Minutia, n)
	for i := range t.Minutiae {
		p := b[i*minutiaSize:]
		x, y := binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
		m := Minutia{
			Kind: Kind(x >> 14), X: float32(x&maxCoordinate) * sx, Y: float32(y&maxCoordinate) * sy,
			Angle: float32(256-int(p[4])&255) * (math.Pi / 128), Quality: p[5],
		}
		if m.Angle >= 2*math.Pi {
			m.Angle = 0
		}
		if m.Kind > KindBifurcation {
			m.Kind = KindOther
		}
		if m.Quality > 100 {
			m.Quality = 0
		}
		t.Minutiae[i] = m
	}
	b = b[n*minutiaSize:]
	extended := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < extended {
		return View{}, nil, fault.New(ErrRecord.Code, "%d bytes of extended data in %d", extended, len(b))
	}
	t.prepare()
	v.Template = t
	return v, b[extended:], nil
}
