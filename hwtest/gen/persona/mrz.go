package persona

import (
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// Format is the size of a document's machine readable zone.
type Format string

// The formats of Doc 9303 parts 4 (TD3), 5 (TD1) and 6 (TD2), 2021.
const (
	TD1 Format = "td1" // three lines of 30
	TD2 Format = "td2" // two lines of 36
	TD3 Format = "td3" // two lines of 44
)

// MRZ returns the lines of p's machine readable zone with all check digits.
func (p Person) MRZ(format Format) ([]string, error) {
	if err := p.check(format); err != nil {
		return nil, err
	}
	switch format {
	case TD1:
		return p.td1(), nil
	case TD2:
		return p.twoLines(36), nil
	default:
		return p.twoLines(44), nil
	}
}

// check refuses what a zone cannot hold. Errors name the field, not its value.
func (p Person) check(format Format) error {
	limit := 9
	switch format {
	case TD3:
	case TD1:
		limit = 9 + 13 // the rest goes to the optional data with its check digit and one filler (Doc 9303-5, 4.2.2)
	case TD2:
		limit = 9 + 5
	default:
		return fault.New(codeInvalid, "format %q is none of td1, td2, td3", string(format))
	}
	for _, f := range []struct {
		name, value, also string
		least, most       int
	}{
		{"surname", p.Surname, " ", 1, 39},
		{"given_names", p.GivenNames, " ", 0, 39},
		{"issuer", p.Issuer, "", 1, 3},
		{"nationality", p.Nationality, "", 1, 3},
		{"document_code", p.DocumentCode, "", 1, 2},
		{"document_number", p.DocumentNumber, "0123456789", 1, limit},
		{"optional_data", p.OptionalData, "0123456789<", 0, 14},
		{"sex", p.Sex, "", 0, 1},
	} {
		if len(f.value) < f.least || len(f.value) > f.most {
			return fault.New(codeInvalid, "%s: %d characters, allowed are %d to %d", f.name, len(f.value), f.least, f.most)
		}
		if i := strings.IndexFunc(f.value, func(r rune) bool { return (r < 'A' || r > 'Z') && !strings.ContainsRune(f.also, r) }); i >= 0 {
			return fault.New(codeInvalid, "%s: character %d is not of the MRZ's alphabet", f.name, i+1)
		}
	}
	for _, d := range []struct{ name, value string }{{"born", p.Born}, {"expires", p.Expires}} {
		if len(mrzDate(d.value)) != 6 {
			return fault.New(codeInvalid, "%s: not a date of the form 2006-01-02, 2006-01 or 2006", d.name)
		}
	}
	return nil
}

func (p Person) twoLines(width int) []string {
	first := fill(fill(p.DocumentCode, 2)+fill(p.Issuer, 3)+p.name(), width)
	number, numberDigit, optional := p.DocumentNumber, "", p.OptionalData
	if len(number) > 9 { // TD2 only: check refuses it for TD3
		optional = number[9:] + digit(number) + "<" + optional
		number, numberDigit = number[:9], "<"
	} else {
		number = fill(number, 9)
		numberDigit = digit(number)
	}
	born, expires := mrzDate(p.Born), mrzDate(p.Expires)
	dates := born + digit(born) + sex(p.Sex) + expires + digit(expires)
	second := number + numberDigit + fill(p.Nationality, 3) + dates
	composite := number + numberDigit + born + digit(born) + expires + digit(expires)
	if width == 36 {
		optional = fill(optional, 7)
		return []string{first, second + optional + digit(composite+optional)}
	}
	optional = fill(optional, 14)
	optionalDigit := digit(optional)
	if strings.Trim(optional, "<") == "" {
		optionalDigit = "<" // Doc 9303-4, 4.2.2.2 allows 0 or the filler; states use both
	}
	optional += optionalDigit
	return []string{first, second + optional + digit(composite+optional)}
}

func (p Person) td1() []string {
	number, optional := fill(p.DocumentNumber, 9), p.OptionalData
	numberDigit := digit(number)
	if len(p.DocumentNumber) > 9 {
		number, numberDigit = p.DocumentNumber[:9], "<"
		optional = p.DocumentNumber[9:] + digit(p.DocumentNumber) + "<" + optional
	}
	first := fill(fill(p.DocumentCode, 2)+fill(p.Issuer, 3)+number+numberDigit+optional, 30)
	born, expires := mrzDate(p.Born), mrzDate(p.Expires)
	second := born + digit(born) + sex(p.Sex) + expires + digit(expires) + fill(p.Nationality, 3) + fill("", 11)
	composite := first[5:30] + second[0:7] + second[8:15] + second[18:29]
	return []string{first, second + digit(composite), fill(p.name(), 30)}
}

func (p Person) name() string {
	surname := strings.ReplaceAll(p.Surname, " ", "<")
	if p.GivenNames == "" {
		return surname
	}
	return surname + "<<" + strings.ReplaceAll(p.GivenNames, " ", "<")
}

// AccessInfo is the string from which the key seed of BAC and the MRZ password
// of PACE are made: document number, birth and expiry, each with its check
// digit (Doc 9303-11 (2021), 4.3.2 and 4.4.4.1).
func (p Person) AccessInfo() string {
	number := p.DocumentNumber // a long number counts whole
	if len(number) < 9 {
		number = fill(number, 9)
	}
	born, expires := mrzDate(p.Born), mrzDate(p.Expires)
	return number + digit(number) + born + digit(born) + expires + digit(expires)
}

// mrzDate turns 1974-08-12 into 740812, with fillers for what is unknown. A
// value that is no date comes back as "".
func mrzDate(s string) string {
	const fillers = "<<<<<<"
	if s == "" {
		return fillers
	}
	compact := strings.ReplaceAll(s, "-", "")
	if strings.Trim(compact, "0123456789") != "" {
		return ""
	}
	switch {
	case len(s) == 10 && s[4] == '-' && s[7] == '-' && len(compact) == 8,
		len(s) == 7 && s[4] == '-' && len(compact) == 6,
		len(s) == 4 && len(compact) == 4:
		return (compact[2:] + fillers)[:6]
	}
	return ""
}

func sex(s string) string {
	if s == "F" || s == "M" {
		return s
	}
	return "<"
}

// fill pads with fillers, and cuts a name that is too long (Doc 9303-3, 4.6).
func fill(s string, width int) string {
	if len(s) >= width {
		return s[:width]
	}
	return s + strings.Repeat("<", width-len(s))
}

// digit is the check digit of Doc 9303-3 (2021), 4.9: weights 7, 3, 1, letters
// count from A = 10, the filler is 0, modulo 10.
func digit(s string) string {
	sum := 0
	for i, c := range []byte(s) {
		value := 0
		switch {
		case c >= '0' && c <= '9':
			value = int(c - '0')
		case c >= 'A' && c <= 'Z':
			value = int(c-'A') + 10
		}
		sum += value * [3]int{7, 3, 1}[i%3]
	}
	return string(rune('0' + sum%10))
}
