package finger

import (
	"encoding/binary"

	"github.com/watchpost/watchpost/device/fault"
)

// Sizes of ISO/IEC 19794-2:2011, clause 8: a representation's header up to the
// number of quality blocks, and from the position to the number of minutiae.
const (
	captureHeader2011 = 4 + 9 + 1 + 2 + 2 + 1
	fingerHeader2011  = 1 + 1 + 2 + 2 + 1 + 2 + 2 + 1 + 1
	qualityBlock2011  = 5
	certificate2011   = 3
)

// MarshalISO2011 writes views of one person as an ISO/IEC 19794-2:2011 record,
// record format, with the limits of MarshalISO. Device, vendor and time of
// capture are unknown; the quality block names no algorithm.
func MarshalISO2011(views []View) ([]byte, error) {
	numbers, _, _, err := numberViews(views)
	if err != nil {
		return nil, err
	}
	b := make([]byte, generalHeader)
	copy(b, magic2011)
	binary.BigEndian.PutUint16(b[12:], uint16(len(views)))
	for i, v := range views {
		start := len(b)
		b = append(b, 0, 0, 0, 0)
		for range 9 {
			b = append(b, 0xff) // no time
		}
		b = append(b, 0, 0, 0, 0, 0, 1)
		quality := byte(255) // failed to compute
		if q := v.Template.Quality; q >= 0 && q <= 100 {
			quality = byte(q)
		}
		b = append(b, quality, 0, 0, 0, 0, v.Position, numbers[i])
		b = binary.BigEndian.AppendUint16(b, perCentimetre)
		b = binary.BigEndian.AppendUint16(b, perCentimetre)
		b = append(b, v.Impression)
		b = binary.BigEndian.AppendUint16(b, uint16(v.Template.Width))
		b = binary.BigEndian.AppendUint16(b, uint16(v.Template.Height))
		all := v.Template.Minutiae
		all = all[:min(len(all), maxRecord)]
		// Six bytes a minutia; ridge endings as the ends of ridge skeletons.
		b = append(b, minutiaSize<<4|1, byte(len(all)))
		b = appendMinutiae(b, all, 256)
		binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start))
	}
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)))
	return b, nil
}

func parse2011(b []byte) ([]View, error) {
	if n := binary.BigEndian.Uint32(b[8:]); int64(n) != int64(len(b)) {
		return nil, fault.New(ErrRecord.Code, "%d bytes where %d are announced", len(b), n)
	}
	count, certified := int(binary.BigEndian.Uint16(b[12:])), b[14]
	if certified > 1 {
		return nil, fault.New(ErrRecord.Code, "certification flag %d", certified)
	}
	var views []View
	rest := b[generalHeader:]
	for range count {
		if len(rest) < captureHeader2011 {
			return nil, fault.New(ErrRecord.Code, "a representation of %d bytes", len(rest))
		}
		n := int64(binary.BigEndian.Uint32(rest))
		if n < captureHeader2011 || n > int64(len(rest)) {
			return nil, fault.New(ErrRecord.Code, "a representation of %d bytes in %d", n, len(rest))
		}
		v, err := parseRepresentation(rest[:n], certified == 1)
		if err != nil {
			return nil, err
		}
		views, rest = append(views, v), rest[n:]
	}
	if len(rest) != 0 || len(views) == 0 {
		return nil, fault.New(ErrRecord.Code, "%d representations, %d bytes left over", len(views), len(rest))
	}
	return views, nil
}

// parseRepresentation reads one representation, at least its capture header
// long. Of several quality blocks the first counts.
func parseRepresentation(b []byte, certified bool) (View, error) {
	blocks := int(b[captureHeader2011-1])
	b = b[captureHeader2011:]
	quality := -1
	skip := blocks * qualityBlock2011
	if blocks > 0 && len(b) > 0 {
		quality = recordQuality(b[0])
	}
	if certified && len(b) > skip {
		skip += 1 + int(b[skip])*certificate2011
	}
	if len(b) < skip+fingerHeader2011 {
		return View{}, fault.New(ErrRecord.Code, "a representation header of %d bytes", len(b))
	}
	b = b[skip:]
	v := View{Position: b[0], Impression: b[6]}
	frame := recordFrame{w: int(binary.BigEndian.Uint16(b[7:])), h: int(binary.BigEndian.Uint16(b[9:]))}
	if err := frame.scale(int(binary.BigEndian.Uint16(b[2:])), int(binary.BigEndian.Uint16(b[4:]))); err != nil {
		return View{}, err
	}
	size := int(b[11] >> 4)
	if size != minutiaSize && size != minutiaSize-1 {
		return View{}, fault.New(ErrRecord.Code, "minutiae of %d bytes", size)
	}
	t, rest, err := frame.minutiae(b[fingerHeader2011:], int(b[12]), size, 256)
	if err != nil {
		return View{}, err
	}
	if len(rest) != 0 {
		return View{}, fault.New(ErrRecord.Code, "%d bytes left over in a representation", len(rest))
	}
	t.Quality = quality
	v.Template = t
	return v, nil
}
