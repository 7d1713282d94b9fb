// Package persona invents document holders for tests and demonstrations and
// writes their machine readable zones (ICAO Doc 9303 parts 3 to 6, 2021).
// Nobody in it exists. The default issuer is Utopia, UTO, which Doc 9303-3
// keeps for specimens; a real state's code is used only where a test asks for
// an imitation.
//
// The check digits here are written apart from the product's reader, so that
// the two can be held against each other.
package persona

import (
	"log/slog"

	"github.com/watchpost/watchpost/device/fault"
)

// Codes of the errors of this package.
const codeInvalid fault.Code = "persona.invalid"

// Person is one invented holder with one document. Names are in the MRZ's
// alphabet: A to Z, with single spaces between parts of a name.
type Person struct {
	Surname        string `yaml:"surname" json:"surname"`
	GivenNames     string `yaml:"given_names" json:"given_names"` // may be empty
	Sex            string `yaml:"sex" json:"sex"`                 // F, M or X
	Born           string `yaml:"born" json:"born"`               // 1974-08-12, or 1974-08, 1974 and "" where unknown
	Nationality    string `yaml:"nationality" json:"nationality"` // MRZ code, 1 to 3 letters
	Issuer         string `yaml:"issuer" json:"issuer"`           // MRZ code, 1 to 3 letters
	DocumentCode   string `yaml:"document_code" json:"document_code"`
	DocumentNumber string `yaml:"document_number" json:"document_number"` // over 9 characters only on TD1 and TD2
	Expires        string `yaml:"expires" json:"expires"`                 // 2032-04-15
	OptionalData   string `yaml:"optional_data" json:"optional_data"`     // personal number on TD3
}

// LogValue keeps the holder's data out of logs, as the product's own types do.
func (p Person) LogValue() slog.Value { return slog.StringValue("person(redacted)") }

// String keeps the holder's data out of %v.
func (p Person) String() string { return "person(redacted)" }

// Key returns the fields from which the basic access key is made, in the form
// that "watchpost chip read --mrz" takes: DOCNO,YYMMDD,YYMMDD (birth, expiry).
func (p Person) Key() string {
	return p.DocumentNumber + "," + mrzDate(p.Born) + "," + mrzDate(p.Expires)
}

// alpha2 are the two-letter codes that certificates use (ISO 3166-1) for the
// MRZ codes of the states that tests imitate. UT is nobody's: Doc 9303-3 keeps
// UTO for specimens.
var alpha2 = map[string]string{
	"UTO": "UT", "D": "DE", "NLD": "NL", "FRA": "FR", "ESP": "ES", "ITA": "IT", "CHE": "CH", "AUT": "AT",
	"GBR": "GB", "USA": "US", "UKR": "UA", "PRT": "PT", "BEL": "BE", "SWE": "SE", "POL": "PL", "EUE": "EU",
	"UNO": "UN", "RKS": "KS", "ZZR": "ZZ",
}

// CertificateCountry returns the two-letter country of certificates for an
// MRZ issuer code, false where the table has none.
func CertificateCountry(issuer string) (string, bool) {
	code, ok := alpha2[issuer]
	return code, ok
}
