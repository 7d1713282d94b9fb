// Package docnumber finds listed documents by number, exactly and without
// holding one number in clear.
//
// A number becomes a canonical Document, that becomes HMAC-SHA-256 under the
// generation's index key cut to 64 bits, and a sorted table maps it to the
// record. Numbers have so few possible values that an unkeyed hash could be
// undone by trying all of them. Two numbers may share 64 bits (for 100 million
// entries, once in some 180 billion lookups): the caller opens the record and
// compares the number itself before it says that a document is listed.
package docnumber

import (
	"encoding/binary"
	"log/slog"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// maxNumber bounds a canonical number: Doc 9303 allows 22 characters with the
// overflow of TD1; national numbers are shorter than this.
const maxNumber = 40

// anyValue stands for a document code or an issuer that was not stated.
const anyValue = "*"

// Document is a document's identity in canonical form. The zero value is not
// valid; Normalise makes one.
type Document struct {
	class  string // P, V, I, O, or anyValue
	issuer string // Doc 9303 code, or anyValue
	number string // A-Z, 0-9 and letters of other scripts as given
}

// Normalise brings a document's code, issuer and number into canonical form.
//
//   - Number: letters upper case; spaces, '<', '-', '.' and '/' are left out.
//     Doc 9303-3:2021, 4.6 and Doc 9303-4:2021, 4.2.2 print such marks or turn
//     them into fillers at will, so a printed number, its MRZ and a typed one
//     agree only without them. Letters and digits are never exchanged: O and 0
//     (or I and 1) make two numbers that may both have been issued, and to
//     join them would stop one holder for the other's loss. Where optical
//     reading leaves a doubt, the caller asks about both.
//   - Code: all passports (P, PP, PN, PO, PD...) are one class, visas another,
//     A, C, I (Doc 9303-5:2021, 4.2.2) a third and all else a fourth, since the
//     second letter is left to the issuer and missing from most lists. "" is
//     unknown.
//   - Issuer: as in the MRZ without fillers; D and DEU are one. "" is unknown.
//
// It fails with document.number where no letter or digit is left, or too many.
func Normalise(code, issuer, number string) (Document, error) {
	number = strip(number)
	if number == "" || len(number) > maxNumber {
		return Document{}, fault.New("document.number", "a number of %d characters after normalisation, allowed 1 to %d", len(number), maxNumber)
	}
	return Document{class: class(strip(code)), issuer: state(strip(issuer)), number: number}, nil
}

func strip(s string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		switch r {
		case ' ', '<', '-', '.', '/', '\t', '\u00a0', '\u2010', '\u2011', '\u2013':
			return -1
		}
		return r
	}, s))
}

func class(code string) string {
	if code == "" {
		return anyValue
	}
	switch code[0] {
	case 'P', 'V':
		return code[:1]
	case 'A', 'C', 'I':
		return "I"
	}
	return "O"
}

func state(issuer string) string {
	switch issuer {
	case "":
		return anyValue
	case "DEU":
		return "D" // the one code that Doc 9303-3:2021, section 5 shortens
	}
	return issuer
}

// Equal tells whether the two may be the same document: same number, and code
// and issuer equal where both state them.
func (d Document) Equal(e Document) bool {
	return d.number == e.number && agree(d.class, e.class) && agree(d.issuer, e.issuer)
}

func agree(a, b string) bool { return a == b || a == anyValue || b == anyValue }

// LogValue keeps numbers out of logs.
func (d Document) LogValue() slog.Value { return slog.StringValue("[document]") }

// String keeps numbers out of formatted text.
func (d Document) String() string { return "[document]" }

// Hash is a document's place in a table.
type Hash uint64

// MAC is the keyed function under which documents are hashed:
// HMAC-SHA-256 over length-prefixed parts, as vault.Key.MAC.
type MAC interface {
	MAC(parts ...[]byte) ([32]byte, error)
}

// HashOf returns the hash of d as it is listed.
func HashOf(key MAC, d Document) (Hash, error) {
	sum, err := key.MAC([]byte("document"), []byte(d.class), []byte(d.issuer), []byte(d.number))
	return Hash(binary.BigEndian.Uint64(sum[:8])), err
}

// classes are what a document of unknown code may be listed as.
var classes = []string{"P", "I", "V", "O"}

// Probes returns the hashes under which d may be listed: as stated, and with
// code, issuer or both left unstated by the list. A number asked about without
// its code is looked up in every class; without its issuer it is found only
// where the list has none either, and complete is false.
func Probes(key MAC, d Document) (hashes []Hash, complete bool, err error) {
	asked := []string{d.class}
	if d.class == anyValue {
		asked = append(asked, classes...)
	} else {
		asked = append(asked, anyValue)
	}
	issuers := []string{d.issuer}
	if d.issuer != anyValue {
		issuers = append(issuers, anyValue)
	}
	for _, c := range asked {
		for _, i := range issuers {
			h, err := HashOf(key, Document{class: c, issuer: i, number: d.number})
			if err != nil {
				return nil, false, err
			}
			hashes = append(hashes, h)
		}
	}
	return hashes, d.issuer != anyValue, nil
}
