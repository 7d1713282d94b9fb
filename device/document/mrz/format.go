package mrz

import "github.com/watchpost/watchpost/device/fault"

// Format is a form of the zone. The numbers are published and never reused.
type Format uint8

// Formats. The zero value is no format.
const (
	FormatUnknown Format = 0
	TD1           Format = 1 // card, 3 lines of 30 (Doc 9303-5)
	TD2           Format = 2 // 2 lines of 36 (Doc 9303-6)
	TD3           Format = 3 // passport, 2 lines of 44 (Doc 9303-4)
	MRVA          Format = 4 // visa, 2 lines of 44 (Doc 9303-7)
	MRVB          Format = 5 // visa, 2 lines of 36 (Doc 9303-7)
	IDFRA         Format = 6 // French identity card of 1988 to 2021, 2 lines of 36, a national form
)

// String returns the usual name, "unknown" for what is no format.
func (f Format) String() string {
	switch f {
	case TD1:
		return "TD1"
	case TD2:
		return "TD2"
	case TD3:
		return "TD3"
	case MRVA:
		return "MRV-A"
	case MRVB:
		return "MRV-B"
	case IDFRA:
		return "IDFRA"
	}
	return "unknown"
}

// MarshalText writes the usual name.
func (f Format) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// ErrFormat is the error of lines whose number and lengths fit no format.
var ErrFormat = &fault.Error{Code: "mrz.format"}

func formatError(lines [][]rune) error {
	lengths := make([]int, 0, 4)
	for _, l := range lines {
		if len(lengths) == cap(lengths) {
			break
		}
		lengths = append(lengths, len(l))
	}
	return fault.New("mrz.format", "%d lines, the first of lengths %v, fit no machine readable zone", len(lines), lengths).
		WithHint("a zone has 3 lines of 30, or 2 lines of 36 or 44 characters")
}

// shape returns the format by number and length of lines and document code,
// FormatUnknown if there is none. IDFRA is told from TD2 by its check digits,
// because a French document in TD2 form may begin with the same five letters.
func shape(lines [][]rune) Format {
	all := func(count, length int) bool {
		if len(lines) != count {
			return false
		}
		for _, l := range lines {
			if len(l) != length {
				return false
			}
		}
		return true
	}
	switch {
	case all(3, 30):
		return TD1
	case all(2, 44) && lines[0][0] == 'V':
		return MRVA
	case all(2, 44):
		return TD3
	case all(2, 36) && lines[0][0] == 'V':
		return MRVB
	case all(2, 36) && string(lines[0][:5]) == "IDFRA" && !readTD2(lines).digitsRight():
		return IDFRA
	case all(2, 36):
		return TD2
	}
	return FormatUnknown
}
