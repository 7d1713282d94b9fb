package mrz

import "github.com/watchpost/watchpost/device/fault"

// Filler is the character that fills empty positions.
const Filler = '<'

// Digit names one check digit of a zone.
type Digit string

// Check digits. A format has those of them that its part of Doc 9303 defines.
const (
	DigitDocumentNumber Digit = "document_number"
	DigitBirthDate      Digit = "birth_date"
	DigitExpiryDate     Digit = "expiry_date"
	DigitPersonalNumber Digit = "personal_number"
	DigitComposite      Digit = "composite"
)

// CheckDigit returns the check digit, '0' to '9', of s: weights 7, 3, 1,
// digits by value, A to Z as 10 to 35, filler as 0, modulo 10 (Doc 9303-3,
// 8th edition 2021, clause 4.9). Any other character is the error
// mrz.character.
func CheckDigit(s string) (byte, error) {
	weights := [3]int{7, 3, 1}
	sum := 0
	for i := range len(s) {
		v, ok := value(s[i])
		if !ok {
			return 0, fault.New("mrz.character", "position %d holds no character of the zone's set", i+1)
		}
		sum += v * weights[i%3]
		// Keeps the sum small for input of any length; only the remainder counts.
		sum %= 10
	}
	return byte('0' + sum), nil
}

func value(c byte) (int, bool) {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0'), true
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10, true
	case c == Filler:
		return 0, true
	}
	return 0, false
}

func rightDigit(s, digit string) bool {
	want, err := CheckDigit(s)
	return err == nil && digit == string(rune(want))
}
