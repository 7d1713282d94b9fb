package lds

import (
	"time"

	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// ParseDG1 reads the machine readable zone in EF.DG1 (Doc 9303-10, clause
// 4.7.1): 90 characters for TD1, 72 for TD2, 88 for TD3. Check digits are not
// judged here. now decides the century of dates.
func ParseDG1(raw []byte, now time.Time) (*mrz.Zone, error) {
	file, err := open(raw, tags[1])
	if err != nil {
		return nil, err
	}
	zone, err := file.Reader().Expect(0x5F1F)
	if err != nil {
		return nil, malformed("EF.DG1: %v", err)
	}
	z, err := mrz.ParseBlock(string(zone.Content), now)
	if err != nil {
		return nil, fault.Wrap(ErrMalformed.Code, err)
	}
	switch z.Format {
	case mrz.TD1, mrz.TD2, mrz.TD3:
		return z, nil
	}
	return nil, malformed("EF.DG1 holds a zone of a document without chip")
}

// ParseDG15 returns the SubjectPublicKeyInfo in EF.DG15, the key of Active
// Authentication, as DER (Doc 9303-10, clause 4.7.15).
func ParseDG15(raw []byte) ([]byte, error) {
	file, err := open(raw, tags[15])
	if err != nil {
		return nil, err
	}
	key, err := file.Reader().Expect(der.Sequence)
	if err != nil {
		return nil, malformed("EF.DG15: %v", err)
	}
	return key.Raw, nil
}

// CheckGroup reports whether data group n is under its tag and whole, for the
// groups whose content is for others to define (DG8 to DG10, DG13).
func CheckGroup(n int, raw []byte) error {
	if n < 1 || n > Groups {
		return malformed("there is no data group %d", n)
	}
	_, err := open(raw, tags[n])
	return err
}
