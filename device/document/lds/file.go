// Package lds reads the files of an electronic travel document: EF.COM,
// EF.SOD, the sixteen data groups, EF.CardAccess and EF.CardSecurity (ICAO Doc
// 9303-10, 8th edition 2021), with the biometric records of ISO/IEC 19794 and
// ISO/IEC 39794 inside.
//
// Parsers look at bytes and never change them: what is hashed is what the chip
// gave. Every result aliases its input. All input is hostile: sizes and counts
// are bounded, errors are coded and tell offsets and tags, never content.
// Functions are pure and safe for concurrent use.
package lds

import (
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// File names an elementary file: "COM", "SOD", "DG1" to "DG16", "CardAccess",
// "CardSecurity".
type File string

// Files that are no data groups.
const (
	COM          File = "COM"
	SOD          File = "SOD"
	CardAccess   File = "CardAccess"
	CardSecurity File = "CardSecurity"
)

// Groups is the highest number of a data group.
const Groups = 16

// MaxFile is the largest file that is read, in bytes. Chips hold far less
// than 200 KB; the rest is margin, and a bound for the hostile.
const MaxFile = 2 << 20

// Errors that callers tell apart.
var (
	// ErrMalformed: the bytes are not the structure that the file should hold.
	ErrMalformed = &fault.Error{Code: "lds.malformed"}
	// ErrTag: the file begins with the tag of another.
	ErrTag = &fault.Error{Code: "lds.wrong_tag"}
	// ErrTruncated: the file ends before the length that it states.
	ErrTruncated = &fault.Error{Code: "lds.truncated"}
	// ErrEmpty: there is nothing in the file, or no instance in its template.
	ErrEmpty = &fault.Error{Code: "lds.empty"}
	// ErrTooLarge: the file is larger than MaxFile, or holds more instances than any real one.
	ErrTooLarge = &fault.Error{Code: "lds.too_large"}
	// ErrVersion: a version or record format that is not known here.
	ErrVersion = &fault.Error{Code: "lds.version"}
	// ErrImage: a biometric record whose image is of no known format.
	ErrImage = &fault.Error{Code: "lds.image_format"}
	// ErrImageSize: an image that states more than MaxPixels pixels.
	ErrImageSize = &fault.Error{Code: "lds.image_size"}
)

func malformed(format string, args ...any) error {
	return fault.New(ErrMalformed.Code, format, args...)
}

// tags of files 60 to 77 (Doc 9303-10, clause 4.7); index is
// the data group's number.
var tags = [Groups + 1]der.ID{
	1: 0x61, 2: 0x75, 3: 0x63, 4: 0x76, 5: 0x65, 6: 0x66, 7: 0x67, 8: 0x68, 9: 0x69, 10: 0x6A, 11: 0x6B,
	12: 0x6C, 13: 0x6D, 14: 0x6E, 15: 0x6F, 16: 0x70,
}

const (
	tagCOM der.ID = 0x60
	tagSOD der.ID = 0x77
)

// Group returns the file of data group n, "" where n is not 1 to Groups.
func Group(n int) File {
	if n < 1 || n > Groups {
		return ""
	}
	return File("DG" + strconv.Itoa(n))
}

// Number returns the number of a data group, 0 for other files.
func (f File) Number() int {
	digits, ok := strings.CutPrefix(string(f), "DG")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(digits)
	if err != nil || Group(n) != f {
		return 0
	}
	return n
}

// NamedFile returns the file that a file name means: [EF[._]]NAME[.bin], in
// any case. ok is false for every other name.
func NamedFile(name string) (f File, ok bool) {
	name = strings.TrimSuffix(strings.ToLower(name), ".bin")
	if rest, found := strings.CutPrefix(name, "ef"); found {
		name = strings.TrimPrefix(strings.TrimPrefix(rest, "."), "_")
	}
	for _, f := range []File{COM, SOD, CardAccess, CardSecurity} {
		if strings.ToLower(string(f)) == name {
			return f, true
		}
	}
	f = File(strings.ToUpper(name))
	return f, f.Number() != 0
}

// groupByTag returns the number of the data group with that outer tag, 0 for
// none.
func groupByTag(tag der.ID) int {
	for n, t := range tags {
		if n > 0 && t == tag {
			return n
		}
	}
	return 0
}

// Body returns the part of a file that is its data object, tag and length
// included, and how many bytes follow it: a dump may carry the rest of the
// memory that the chip keeps for the file. It is what a hash in EF.SOD covers.
// Where the file does not begin with a whole data object, body is all of it.
func Body(raw []byte) (body []byte, trailing int) {
	e, rest, err := der.Parse(raw)
	if err != nil {
		return raw, 0
	}
	return e.Raw, len(rest)
}

// open returns the content of a file under its tag.
func open(raw []byte, tag der.ID) (der.Element, error) {
	if len(raw) == 0 {
		return der.Element{}, fault.New(ErrEmpty.Code, "the file has no bytes")
	}
	if len(raw) > MaxFile {
		return der.Element{}, fault.New(ErrTooLarge.Code, "file of %d bytes", len(raw))
	}
	if raw[0] != byte(tag) {
		return der.Element{}, fault.New(ErrTag.Code, "tag %#02x where %#02x is due", raw[0], byte(tag))
	}
	e, _, err := der.Parse(raw)
	if err != nil {
		return der.Element{}, fault.Wrap(ErrTruncated.Code, err)
	}
	if len(e.Content) == 0 {
		return der.Element{}, fault.New(ErrEmpty.Code, "the data object is empty")
	}
	return e, nil
}
