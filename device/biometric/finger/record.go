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

// First bytes of records: format identifier and version.
const (
	magic2005 = "FMR\x00 20\x00"
	magic2011 = "FMR\x00030\x00"
)

// Sizes of ISO/IEC 19794-2:2005, clauses 7.3 to 7.5, of ANSI INCITS 378-2004,
// and of the general header of ISO/IEC 19794-2:2011.
const (
	generalHeader = 15
	recordHeader  = 24
	ansiHeader    = 26
	viewHeader    = 4
	minutiaSize   = 6
	maxRecordSize = 1 << 20
	perCentimetre = 197 // 500 dpi
	maxCoordinate = 1<<14 - 1
)

// MarshalISO writes views of one person as an ISO/IEC 19794-2:2005 finger
// minutiae record, record format, without extended data. At most 255 views of
// at most 255 minutiae each are written, and at most 16 views of one position.
func MarshalISO(views []View) ([]byte, error) {
	b := make([]byte, recordHeader, recordHeader+len(views)*(viewHeader+60*minutiaSize+2))
	b, err := marshal2005(b, 14, views, 256)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)))
	return b, nil
}

// MarshalANSI writes views of one person as an ANSI INCITS 378-2004 record,
// with the limits of MarshalISO and at most 64 KiB. The product's owner is 0,
// unknown.
func MarshalANSI(views []View) ([]byte, error) {
	b, err := marshal2005(make([]byte, ansiHeader), 16, views, 180)
	if err != nil {
		return nil, err
	}
	if len(b) > math.MaxUint16 {
		return nil, fault.New("finger.record_write", "%d bytes", len(b))
	}
	binary.BigEndian.PutUint16(b[8:], uint16(len(b)))
	return b, nil
}

// marshal2005 fills the header b, whose image size lies at a place, and
// appends the views with angles in steps of a turn.
func marshal2005(b []byte, at int, views []View, steps int) ([]byte, error) {
	numbers, w, h, err := numberViews(views)
	if err != nil {
		return nil, err
	}
	size := len(b)
	copy(b, magic2005)
	putFrame(b[at:], w, h)
	b[size-2] = byte(len(views))
	for i, v := range views {
		all := v.Template.Minutiae
		all = all[:min(len(all), maxRecord)]
		b = append(b, v.Position, numbers[i]<<4|v.Impression, byte(min(100, max(0, v.Template.Quality))), byte(len(all)))
		b = appendMinutiae(b, all, steps)
	}
	return b, nil
}

// numberViews checks views and counts those of one position from 0; w and h
// hold the largest image.
func numberViews(views []View) (numbers []uint8, w, h int, err error) {
	if len(views) == 0 || len(views) > 255 {
		return nil, 0, 0, fault.New("finger.record_write", "%d views", len(views))
	}
	seen := make(map[uint8]uint8)
	for _, v := range views {
		n := seen[v.Position]
		if v.Position > 10 || v.Impression > 15 || n > 15 {
			return nil, 0, 0, fault.New("finger.record_write", "position %d, impression %d, view %d", v.Position, v.Impression, n)
		}
		seen[v.Position]++
		numbers = append(numbers, n)
		w, h = max(w, v.Template.Width), max(h, v.Template.Height)
	}
	return numbers, w, h, nil
}

// putFrame writes width, height and the resolution of 500 dpi.
func putFrame(b []byte, w, h int) {
	binary.BigEndian.PutUint16(b, uint16(min(w, math.MaxUint16)))
	binary.BigEndian.PutUint16(b[2:], uint16(min(h, math.MaxUint16)))
	binary.BigEndian.PutUint16(b[4:], perCentimetre)
	binary.BigEndian.PutUint16(b[6:], perCentimetre)
}

// appendMinutiae appends minutiae of six bytes and an empty extended data block.
func appendMinutiae(b []byte, all []Minutia, steps int) []byte {
	for i := range all {
		m := &all[i]
		b = binary.BigEndian.AppendUint16(b, uint16(m.Kind&3)<<14|coordinate(m.X))
		b = binary.BigEndian.AppendUint16(b, coordinate(m.Y))
		b = append(b, recordAngle(m.Angle, steps), min(m.Quality, 100))
	}
	return append(b, 0, 0)
}

func coordinate(v float32) uint16 {
	return uint16(min(maxCoordinate, max(0, math.Round(float64(v)))))
}

// recordAngle gives the angle in steps of a turn, counter-clockwise as seen.
func recordAngle(radians float32, steps int) byte {
	v := int(math.Round(-float64(radians)*float64(steps)/(2*math.Pi))) % steps
	return byte((v + steps) % steps)
}

// ParseRecord reads a finger minutiae record: ISO/IEC 19794-2:2005 or 2011,
// record format, or ANSI INCITS 378-2004; they tell themselves apart.
// Coordinates are brought to 500 dpi. Extended data is passed over. The
// templates have no ridge maps, so their scores stand on minutiae alone.
// Errors have the code of ErrRecord.
func ParseRecord(b []byte) ([]View, error) {
	if len(b) < generalHeader || len(b) > maxRecordSize {
		return nil, fault.New(ErrRecord.Code, "%d bytes", len(b))
	}
	switch string(b[:8]) {
	case magic2005:
		if binary.BigEndian.Uint16(b[8:]) != 0 {
			return parse2005(b, true)
		}
		return parse2005(b, false)
	case magic2011:
		return parse2011(b)
	}
	return nil, fault.New(ErrRecord.Code, "no finger minutiae record, or of another edition")
}

// parse2005 reads the form that ISO/IEC 19794-2:2005 took over from ANSI
// INCITS 378-2004. ANSI's has two bytes for the length where ISO's has four,
// names the product, and counts angles in two degrees.
func parse2005(b []byte, ansi bool) ([]View, error) {
	size, at, steps := recordHeader, 14, 256
	announced := int64(binary.BigEndian.Uint32(b[8:]))
	if ansi {
		size, at, steps = ansiHeader, 16, 180
		announced = int64(binary.BigEndian.Uint16(b[8:]))
	}
	if len(b) < size || announced != int64(len(b)) {
		return nil, fault.New(ErrRecord.Code, "%d bytes where %d are announced", len(b), announced)
	}
	frame, err := readFrame(b[at:])
	if err != nil {
		return nil, err
	}
	count := int(b[size-2])
	views := make([]View, 0, count)
	rest := b[size:]
	for range count {
		if len(rest) < viewHeader {
			return nil, fault.New(ErrRecord.Code, "a view header of %d bytes", len(rest))
		}
		v := View{Position: rest[0], Impression: rest[1] & 15}
		quality := recordQuality(rest[2])
		v.Template, rest, err = frame.minutiae(rest[viewHeader:], int(rest[3]), minutiaSize, steps)
		if err != nil {
			return nil, err
		}
		v.Template.Quality = quality
		views = append(views, v)
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

// recordFrame is the image that coordinates of a record are of.
type recordFrame struct {
	w, h   int
	sx, sy float32 // to 500 dpi
}

// readFrame reads width, height and the two resolutions.
func readFrame(b []byte) (f recordFrame, err error) {
	f.w, f.h = int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
	return f, f.scale(int(binary.BigEndian.Uint16(b[4:])), int(binary.BigEndian.Uint16(b[6:])))
}

func (f *recordFrame) scale(rx, ry int) error {
	var okX, okY bool
	f.sx, okX = toDPI(rx)
	f.sy, okY = toDPI(ry)
	if f.w == 0 || f.h == 0 || !okX || !okY {
		return fault.New(ErrRecord.Code, "an image of %dx%d at %dx%d pixels a centimetre", f.w, f.h, rx, ry)
	}
	return nil
}

func recordQuality(v byte) int {
	if v > 100 {
		return -1
	}
	return int(v)
}

// minutiae reads n minutiae of size bytes each (6, or 5 without quality) with
// angles in steps of a turn, passes over the extended data, and returns what
// follows.
func (f *recordFrame) minutiae(b []byte, n, size, steps int) (*Template, []byte, error) {
	if len(b) < n*size+2 {
		return nil, nil, fault.New(ErrRecord.Code, "%d minutiae in %d bytes", n, len(b))
	}
	t := &Template{Width: int(float32(f.w)*f.sx + 0.5), Height: int(float32(f.h)*f.sy + 0.5), Minutiae: make([]Minutia, n)}
	for i := range t.Minutiae {
		p := b[i*size:]
		x, y := binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
		angle := int(p[4])
		if angle >= steps {
			return nil, nil, fault.New(ErrRecord.Code, "angle %d of minutia %d", angle, i)
		}
		m := Minutia{
			Kind: Kind(x >> 14), X: float32(x&maxCoordinate) * f.sx, Y: float32(y&maxCoordinate) * f.sy,
			Angle: float32((steps-angle)%steps) * (2 * math.Pi / float32(steps)),
		}
		if m.Kind > KindBifurcation {
			m.Kind = KindOther
		}
		if size == minutiaSize && p[5] <= 100 {
			m.Quality = p[5]
		}
		t.Minutiae[i] = m
	}
	b = b[n*size:]
	extended := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < extended {
		return nil, nil, fault.New(ErrRecord.Code, "%d bytes of extended data in %d", extended, len(b))
	}
	t.prepare()
	return t, b[extended:], nil
}
