package trust

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrLDIF: a file that starts as LDIF and is not.
var ErrLDIF = &fault.Error{Code: "trust.ldif"}

// looksLikeLDIF reports whether the first line that is no comment is a version
// or a distinguished name.
func looksLikeLDIF(raw []byte) bool {
	raw = bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		raw = rest
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 || line[0] == '#' || line[0] == ' ' {
			continue
		}
		name, _, ok := bytes.Cut(line, []byte(":"))
		return ok && (strings.EqualFold(string(name), "dn") || strings.EqualFold(string(name), "version"))
	}
	return false
}

// readLDIF returns every binary value that is a certificate, a CRL or a CMS
// list (RFC 2849:2000). Attribute names differ between the ICAO PKD's
// collections and national directories, so that the values are told apart by
// what they hold; other values are skipped. References to files and URLs
// (":<") are not followed.
func readLDIF(raw []byte) ([]item, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))
	var items []item
	dn := ""
	for n := 0; len(raw) > 0; n++ {
		var line []byte
		line, raw = logicalLine(raw)
		if len(line) == 0 {
			dn = ""
			continue
		}
		if line[0] == '#' || line[0] == '-' {
			continue
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return nil, fault.New(ErrLDIF.Code, "line %d has no attribute name", n+1)
		}
		encoded := bytes.HasPrefix(value, []byte(":"))
		isDN := strings.EqualFold(string(name), "dn")
		if !encoded {
			if isDN {
				dn = string(bytes.TrimLeft(value, " "))
			}
			continue
		}
		decoded, err := decodeBase64(value[1:])
		if err != nil {
			return nil, fault.New(ErrLDIF.Code, "line %d: value is not base64", n+1)
		}
		if isDN {
			dn = string(decoded)
			continue
		}
		if it := readItem(decoded); it.kind != FileUnknown || binaryAttribute(string(name)) {
			it.entry = dn
			items = append(items, it)
		}
	}
	return items, nil
}

// binaryAttribute tells attributes that must hold one of the kinds, so that an
// unreadable value is counted and not passed over.
func binaryAttribute(name string) bool {
	name, _, _ = strings.Cut(strings.ToLower(name), ";")
	switch name {
	case "usercertificate", "cacertificate", "certificaterevocationlist", "pkdmasterlistcontent", "cscamasterlistdata", "pkddeviationlistcontent":
		return true
	}
	return false
}

// logicalLine joins a line with the folded ones after it: those that start
// with one space.
func logicalLine(raw []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(raw, []byte("\n"))
	line = bytes.TrimRight(line, "\r")
	if len(rest) == 0 || rest[0] != ' ' {
		return line, rest
	}
	joined := append([]byte(nil), line...)
	for len(rest) > 0 && rest[0] == ' ' {
		var more []byte
		more, rest, _ = bytes.Cut(rest, []byte("\n"))
		joined = append(joined, bytes.TrimRight(more[1:], "\r")...)
	}
	return joined, rest
}

func decodeBase64(v []byte) ([]byte, error) {
	v = bytes.TrimSpace(v)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(v)))
	n, err := base64.StdEncoding.Decode(out, v)
	return out[:n], err
}
