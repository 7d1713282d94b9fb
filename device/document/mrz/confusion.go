package mrz

import "time"

// Confusion is a single character that machines and eyes mistake for another,
// at a place where the other would put a check digit right. It is told, never
// applied: one digit in ten is right by chance.
type Confusion struct {
	Digit    Digit  `json:"digit"` // that would be right
	Line     int    `json:"line"`  // from 1
	Position int    `json:"position"`
	Read     string `json:"read"`
	Perhaps  string `json:"perhaps"`
}

// lookalikes are the pairs of OCR-B that recognition mixes up (Doc 9303-3:2021
// 4.3 has letters and digits in one set), and fillers taken for letters.
var lookalikes = map[rune]string{
	'0': "ODQ", 'O': "0", 'D': "0", 'Q': "0",
	'1': "IL", 'I': "1", 'L': "1<",
	'2': "Z", 'Z': "2", '4': "A", 'A': "4",
	'5': "S", 'S': "5<", '6': "G", 'G': "6",
	'7': "T", 'T': "7", '8': "B", 'B': "8",
	'C': "<", 'E': "<", // K counts as a filler does (20 modulo 10): no digit tells them apart
}

// maxConfusions bounds what is told of one zone.
const maxConfusions = 16

// Confusions returns the single look-alikes that would put a wrong check digit
// of lines right and none wrong, in order of the lines; nil where no digit is
// wrong or lines are no zone. Of a digit over a field and the one over all, the
// field's is named.
func Confusions(lines []string, now time.Time) []Confusion {
	z, err := Parse(lines, now)
	if err != nil || z.digitsRight() {
		return nil
	}
	var found []Confusion
	for i, line := range lines {
		runes := []rune(line)
		for k, read := range runes {
			for _, perhaps := range lookalikes[read] {
				runes[k] = perhaps
				changed := append([]string(nil), lines...)
				changed[i] = string(runes)
				runes[k] = read
				other, err := Parse(changed, now)
				if err != nil || other.Format != z.Format {
					continue
				}
				if d, ok := mended(z, other); ok {
					found = append(found, Confusion{d, i + 1, k + 1, string(read), string(perhaps)})
				}
				if len(found) == maxConfusions {
					return found
				}
			}
		}
	}
	return found
}

// mended returns the digit that is wrong in a and right in b, where none is
// right in a and wrong in b. A digit over all that stays wrong says nothing:
// there may be a second mistake.
func mended(a, b *Zone) (Digit, bool) {
	if len(a.CheckDigits) != len(b.CheckDigits) {
		return "", false
	}
	var digit Digit
	for i, d := range a.CheckDigits {
		switch after := b.CheckDigits[i]; {
		case d.Right && !after.Right:
			return "", false
		case !d.Right && after.Right && digit == "":
			digit = d.Name
		}
	}
	return digit, digit != ""
}
