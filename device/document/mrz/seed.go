package mrz

import (
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// KeySeed returns the "MRZ information" of which the keys of BAC and the
// MRZ password of PACE are made: document number, date of birth and date of
// expiry, each followed by its check digit (Doc 9303-11, 8th edition 2021,
// clauses 4.3 and 4.4). The number is filled to nine characters; a longer
// one is taken whole. Dates are YYMMDD as printed, fillers included. The seed
// is a secret of the holder: never log it.
func KeySeed(documentNumber, birth, expiry string) (string, error) {
	// 22 is TD1's nine characters and the 15 of optional data less digit and filler.
	if n := len(documentNumber); n == 0 || n > 22 {
		return "", fault.New("mrz.document_number", "a document number has 1 to 22 characters, not %d", n)
	}
	if len(birth) != 6 || len(expiry) != 6 {
		return "", fault.New("mrz.date", "dates are six characters, YYMMDD")
	}
	if short := 9 - len(documentNumber); short > 0 {
		documentNumber += strings.Repeat("<", short)
	}
	var seed strings.Builder
	for _, field := range []string{documentNumber, birth, expiry} {
		digit, err := CheckDigit(field)
		if err != nil {
			return "", err
		}
		seed.WriteString(field)
		seed.WriteByte(digit)
	}
	return seed.String(), nil
}

// KeySeed returns the seed of the zone's document (see the function of that
// name). Check digits are computed, so that a misprinted one does not lock the
// chip. The error is mrz.no_chip for formats that come without one, and that
// of KeySeed for a zone whose fields cannot make a seed.
func (z *Zone) KeySeed() (string, error) {
	switch z.Format {
	case TD1, TD2, TD3:
		return KeySeed(z.DocumentNumber, z.birthRaw, z.expiryRaw)
	}
	return "", fault.New("mrz.no_chip", "%s documents have no chip of Doc 9303", z.Format)
}
