package plain

import (
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// charsets are the sets of one byte a character that publishers declare, by
// the names of the IANA registry in small letters. What is called Latin-1 is
// read as Windows-1252, which has letters where Latin-1 has controls that no
// text holds (Encoding Standard of WHATWG, section 4.2).
var charsets = map[string]*charmap.Charmap{
	"iso-8859-1": charmap.Windows1252, "iso_8859-1": charmap.Windows1252, "latin1": charmap.Windows1252, "windows-1252": charmap.Windows1252,
	"iso-8859-2": charmap.ISO8859_2, "iso-8859-5": charmap.ISO8859_5, "iso-8859-6": charmap.ISO8859_6, "iso-8859-9": charmap.Windows1254, "iso-8859-15": charmap.ISO8859_15,
	"windows-1250": charmap.Windows1250, "windows-1251": charmap.Windows1251, "windows-1254": charmap.Windows1254, "windows-1256": charmap.Windows1256,
	"koi8-r": charmap.KOI8R,
}

// Charset returns what in holds, in the character set of this name, as UTF-8
// of at most three times the bytes; false for a name that is not known. What
// Text has read it knows as well: UTF-8, ASCII and UTF-16 pass as they are.
func Charset(name string, in io.Reader) (io.Reader, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be":
		return in, true
	}
	set, ok := charsets[name]
	if !ok {
		return nil, false
	}
	return set.NewDecoder().Reader(in), true
}
