package deviation

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"strings"

	"github.com/watchpost/watchpost/device/document/pki"
)

// root is id-icao-DeviationList; types of deviation lie under it.
const root = "2.23.136.1.1.7."

// groups are the arcs under root that gather types of deviation (Doc
// 9303-12:2021, appendix E).
var groups = map[string]string{"1": "certificate_or_key", "2": "lds", "3": "mrz", "4": "chip", "5": "national_use"}

// Word names a type of deviation: its group and its object identifier, the
// identifier alone where the standard has no such group.
func Word(oid string) string {
	rest, ok := strings.CutPrefix(oid, root)
	if !ok {
		return oid
	}
	arc, _, _ := strings.Cut(rest, ".")
	if group := groups[arc]; group != "" {
		return group + " " + oid
	}
	return oid
}

// digestOf compares a certificate's digest, whose algorithm shows in its length.
func digestOf(c *pki.Certificate, size int, want []byte) bool {
	var got []byte
	switch size {
	case sha1.Size:
		sum := sha1.Sum(c.Raw)
		got = sum[:]
	case sha256.Size224:
		sum := sha256.Sum224(c.Raw)
		got = sum[:]
	case sha256.Size:
		sum := sha256.Sum256(c.Raw)
		got = sum[:]
	case sha512.Size384:
		sum := sha512.Sum384(c.Raw)
		got = sum[:]
	case sha512.Size:
		sum := sha512.Sum512(c.Raw)
		got = sum[:]
	default:
		return false
	}
	return subtle.ConstantTimeCompare(got, want) == 1
}
