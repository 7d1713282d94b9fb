package mrz

import "strings"

// cut returns positions from to to of a line, counted from 1 and both
// included, as the standard counts them.
func cut(line []rune, from, to int) string { return string(line[from-1 : to]) }

func trim(s string) string { return strings.TrimRight(s, "<") }

// readTD3 follows Doc 9303-4, 8th edition 2021, clause 4.2.2.
func readTD3(l [][]rune) *Zone {
	z := twoLines(l, "")
	personal := cut(l[1], 29, 42)
	z.PersonalNumber = trim(personal)
	digit := cut(l[1], 43, 43)
	// An empty personal number may have 0 or a filler as its digit.
	right := rightDigit(personal, digit) || z.PersonalNumber == "" && digit == "<"
	z.digit(DigitPersonalNumber, right)
	z.digit(DigitComposite, rightDigit(cut(l[1], 1, 10)+cut(l[1], 14, 20)+cut(l[1], 22, 43), cut(l[1], 44, 44)))
	return z
}

// readTD2 follows Doc 9303-6, 8th edition 2021, clause 4.2.2.
func readTD2(l [][]rune) *Zone {
	z := twoLines(l, cut(l[1], 29, 35))
	z.digit(DigitComposite, rightDigit(cut(l[1], 1, 10)+cut(l[1], 14, 20)+cut(l[1], 22, 35), cut(l[1], 36, 36)))
	return z
}

// readVisa follows Doc 9303-7, 8th edition 2021, clauses 4.2.2 (MRV-A) and
// 5.2.2 (MRV-B): no composite check digit.
func readVisa(l [][]rune) *Zone {
	z := twoLines(l, "")
	z.OptionalData = trim(cut(l[1], 29, len(l[1])))
	return z
}

// twoLines reads what every two-line format of Doc 9303 has in its first line
// and in positions 1 to 28 of its second. optional is the optional data that a
// long document number may run over into, "" where the format knows no such.
func twoLines(l [][]rune, optional string) *Zone {
	z := &Zone{DocumentCode: trim(cut(l[0], 1, 2)), Issuer: trim(cut(l[0], 3, 5))}
	z.names(cut(l[0], 6, len(l[0])))
	z.documentNumber(cut(l[1], 1, 9), cut(l[1], 10, 10), optional)
	z.Nationality = trim(cut(l[1], 11, 13))
	z.birthRaw = cut(l[1], 14, 19)
	z.digit(DigitBirthDate, rightDigit(z.birthRaw, cut(l[1], 20, 20)))
	z.sex(l[1][20])
	z.expiryRaw = cut(l[1], 22, 27)
	z.digit(DigitExpiryDate, rightDigit(z.expiryRaw, cut(l[1], 28, 28)))
	return z
}

// readTD1 follows Doc 9303-5, 8th edition 2021, clause 4.2.2.
func readTD1(l [][]rune) *Zone {
	z := &Zone{DocumentCode: trim(cut(l[0], 1, 2)), Issuer: trim(cut(l[0], 3, 5))}
	z.documentNumber(cut(l[0], 6, 14), cut(l[0], 15, 15), cut(l[0], 16, 30))
	z.birthRaw = cut(l[1], 1, 6)
	z.digit(DigitBirthDate, rightDigit(z.birthRaw, cut(l[1], 7, 7)))
	z.sex(l[1][7])
	z.expiryRaw = cut(l[1], 9, 14)
	z.digit(DigitExpiryDate, rightDigit(z.expiryRaw, cut(l[1], 15, 15)))
	z.Nationality = trim(cut(l[1], 16, 18))
	z.OptionalData2 = trim(cut(l[1], 19, 29))
	z.digit(DigitComposite, rightDigit(
		cut(l[0], 6, 30)+cut(l[1], 1, 7)+cut(l[1], 9, 15)+cut(l[1], 19, 29), cut(l[1], 30, 30)))
	z.names(cut(l[2], 1, 30))
	return z
}

// readIDFRA follows the French national form, which is not in Doc 9303: in the
// first line surname (25) and office of issue (6), in the second number (12)
// with digit, given names (14), birth date with digit, sex and a digit over
// all before it. It has neither nationality nor expiry.
func readIDFRA(l [][]rune) *Zone {
	z := &Zone{DocumentCode: "ID", Issuer: "FRA"}
	surname := cut(l[0], 6, 30)
	given := cut(l[1], 14, 27)
	z.Surname, z.GivenNames = words(surname), words(given)
	z.NamesTruncated = !strings.HasSuffix(surname, "<") || !strings.HasSuffix(given, "<")
	if badName(surname) || badName(given) || z.Surname == "" {
		z.problem(ProblemNames)
	}
	z.Office = trim(cut(l[0], 31, 36))
	number := cut(l[1], 1, 12)
	z.DocumentNumber = trim(number)
	z.digit(DigitDocumentNumber, rightDigit(number, cut(l[1], 13, 13)))
	z.birthRaw = cut(l[1], 28, 33)
	z.digit(DigitBirthDate, rightDigit(z.birthRaw, cut(l[1], 34, 34)))
	z.sex(l[1][34])
	z.digit(DigitComposite, rightDigit(string(l[0])+cut(l[1], 1, 35), cut(l[1], 36, 36)))
	return z
}

// documentNumber reads a number that may run over into the optional data: a
// filler in the place of its check digit says so, and the rest of the number,
// its check digit and a filler begin the optional data (Doc 9303-5, clause
// 4.2.2.2 note j; Doc 9303-6 likewise).
func (z *Zone) documentNumber(number, digit, optional string) {
	rest, after, _ := strings.Cut(optional, "<")
	if digit == "<" && len(rest) >= 2 {
		full, last := number+rest[:len(rest)-1], rest[len(rest)-1:]
		z.DocumentNumber = trim(full)
		z.OptionalData = strings.Trim(after, "<")
		z.digit(DigitDocumentNumber, rightDigit(full, last))
		return
	}
	z.DocumentNumber = trim(number)
	z.OptionalData = strings.Trim(optional, "<")
	z.digit(DigitDocumentNumber, rightDigit(number, digit))
}

func (z *Zone) digit(name Digit, right bool) {
	z.CheckDigits = append(z.CheckDigits, CheckedDigit{name, right})
}

func (z *Zone) sex(r rune) {
	switch r {
	case 'F':
		z.Sex = Female
	case 'M':
		z.Sex = Male
	case '<':
		z.Sex = Unspecified
	}
}

// names splits a name field: two fillers between primary and secondary
// identifier, one between the parts of each; a field without a filler at its
// end may have been cut off (Doc 9303-3, clause 4.6).
func (z *Zone) names(field string) {
	primary, secondary, _ := strings.Cut(field, "<<")
	z.Surname, z.GivenNames = words(primary), words(secondary)
	z.NamesTruncated = !strings.HasSuffix(field, "<")
	if z.Surname == "" || badName(primary) || badName(trim(secondary)) {
		z.problem(ProblemNames)
	}
}

func words(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '<' }), " ")
}

// badName reports a digit, or fillers where the field has no place for them.
func badName(s string) bool {
	s = trim(s)
	return strings.HasPrefix(s, "<") || strings.Contains(s, "<<") || strings.ContainsAny(s, "0123456789")
}
