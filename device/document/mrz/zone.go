// Package mrz reads the machine readable zone of travel documents: TD1, TD2,
// TD3, MRV-A, MRV-B (ICAO Doc 9303 parts 3 to 7, 8th edition 2021) and the
// French identity card of 1988 to 2021. Reading never repairs: what is not as
// the standard wants it is named as a Problem, and every check digit is said
// to be right or wrong. Clean is the separate step for lines as people type
// or machines recognize them.
package mrz

import (
	"log/slog"
	"strings"
	"time"
)

// Sex as the zone gives it.
type Sex string

// Sexes (the zone has a filler where the page has X).
const (
	Female      Sex = "F"
	Male        Sex = "M"
	Unspecified Sex = "X"
)

// CheckedDigit is one check digit of the zone and whether it is right.
type CheckedDigit struct {
	Name  Digit
	Right bool
}

// ProblemCode names a departure from the standard that is no check digit.
type ProblemCode string

// Problems.
const (
	ProblemCharacter   ProblemCode = "character"   // not A to Z, 0 to 9 or filler
	ProblemNames       ProblemCode = "names"       // no primary identifier, a digit in it, or fillers out of place
	ProblemBirthDate   ProblemCode = "birth_date"  // no date
	ProblemExpiryDate  ProblemCode = "expiry_date" // no date
	ProblemSex         ProblemCode = "sex"         // not F, M or filler
	ProblemIssuer      ProblemCode = "issuer"      // not one to three letters
	ProblemNationality ProblemCode = "nationality" // not one to three letters
)

// Zone is a machine readable zone taken apart. It holds personal data.
// Fields are as printed, trailing fillers removed; a filler inside a number
// stays, because it stands for a character that is not known. It is not
// changed after Parse and may be shared.
type Zone struct {
	Format         Format
	Lines          []string
	DocumentCode   string // "P", "ID"
	Issuer         string // issuing state or organization
	DocumentNumber string // in full, also where it runs over into the optional data
	Nationality    string // "" for IDFRA, which has none
	Birth          Date
	Sex            Sex  // "" where it is none of the three
	Expiry         Date // zero for IDFRA, which has none
	OptionalData   string
	OptionalData2  string // TD1, second line
	PersonalNumber string // TD3
	Office         string // IDFRA: department and office of issue
	Surname        string // primary identifier, parts separated by a space
	GivenNames     string // secondary identifier, parts separated by a space
	NamesTruncated bool   // the name field is full to its end, so names may be cut off
	CheckDigits    []CheckedDigit
	Problems       []ProblemCode

	birthRaw, expiryRaw string
}

// Parse reads lines as printed: 3 of 30, or 2 of 36 or 44 characters. Its
// only error is ErrFormat; whatever else is wrong is told in CheckDigits and
// Problems. now decides the century of dates.
func Parse(lines []string, now time.Time) (*Zone, error) {
	runes := make([][]rune, len(lines))
	for i, l := range lines {
		runes[i] = []rune(l)
	}
	format := shape(runes)
	var z *Zone
	switch format {
	case TD1:
		z = readTD1(runes)
	case TD2:
		z = readTD2(runes)
	case TD3:
		z = readTD3(runes)
	case MRVA, MRVB:
		z = readVisa(runes)
	case IDFRA:
		z = readIDFRA(runes)
	default:
		return nil, formatError(runes)
	}
	z.Format = format
	z.Lines = append([]string(nil), lines...)
	z.judge(now)
	return z, nil
}

// ParseBlock reads a zone without line ends, as EF.DG1 holds it: 90
// characters for TD1, 72 for TD2, 88 for TD3 (Doc 9303-10, clause 4.7.1).
func ParseBlock(block string, now time.Time) (*Zone, error) {
	return Parse(splitBlock(block), now)
}

func splitBlock(block string) []string {
	runes := []rune(block)
	count, length := 1, len(runes)
	switch len(runes) {
	case 90:
		count, length = 3, 30
	case 72:
		count, length = 2, 36
	case 88:
		count, length = 2, 44
	}
	lines := make([]string, 0, count)
	for i := range count {
		lines = append(lines, string(runes[i*length:(i+1)*length]))
	}
	return lines
}

// Valid reports whether every check digit is right and every character is of
// the zone's set. A zone with other problems may be valid: real documents
// bear codes that no table knows.
func (z *Zone) Valid() bool { return z.digitsRight() && !z.has(ProblemCharacter) }

func (z *Zone) digitsRight() bool {
	for _, d := range z.CheckDigits {
		if !d.Right {
			return false
		}
	}
	return len(z.CheckDigits) > 0
}

func (z *Zone) has(code ProblemCode) bool {
	for _, p := range z.Problems {
		if p == code {
			return true
		}
	}
	return false
}

// judge fills dates and problems from the fields as printed.
func (z *Zone) judge(now time.Time) {
	for _, l := range z.Lines {
		if strings.ContainsFunc(l, func(r rune) bool { _, ok := value(byte(r)); return r > 0x7f || !ok }) {
			z.problem(ProblemCharacter)
			break
		}
	}
	if !code(z.Issuer) {
		z.problem(ProblemIssuer)
	}
	if z.Format != IDFRA && !code(z.Nationality) {
		z.problem(ProblemNationality)
	}
	if z.Sex == "" {
		z.problem(ProblemSex)
	}
	var ok bool
	if z.Birth, ok = birthDate(z.birthRaw, now); !ok {
		z.problem(ProblemBirthDate)
	}
	if z.Format == IDFRA {
		return
	}
	if z.Expiry, ok = expiryDate(z.expiryRaw, now); !ok {
		z.problem(ProblemExpiryDate)
	}
}

func (z *Zone) problem(code ProblemCode) { z.Problems = append(z.Problems, code) }

// code reports whether s can be a code of Doc 9303-3, section 5: one letter
// (Germany) to three.
func code(s string) bool {
	return len(s) >= 1 && len(s) <= 3 && !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' })
}

// LogValue keeps personal data out of logs.
func (z Zone) LogValue() slog.Value {
	return slog.GroupValue(slog.String("format", z.Format.String()), slog.Bool("valid", z.Valid()))
}

// String keeps personal data out of the fmt verbs.
func (z Zone) String() string { return z.Format.String() + " zone (redacted)" }
