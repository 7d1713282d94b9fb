package pki

import (
	"strings"
	"unicode"

	"github.com/watchpost/watchpost/device/document/pki/der"
)

// maxNameAttributes bounds one distinguished name.
const maxNameAttributes = 64

// Attribute is one part of a Name.
type Attribute struct {
	OID   string
	Value string
	more  bool // belongs to the same RDN as the attribute before it
}

// Name is a distinguished name in encoded order.
type Name struct {
	Attributes []Attribute
}

const (
	oidCommonName   = "2.5.4.3"
	oidSerialNumber = "2.5.4.5"
	oidCountry      = "2.5.4.6"
	oidOrganization = "2.5.4.10"
)

// shortNames of RFC 4519:2006, as printed by String.
var shortNames = map[string]string{
	oidCommonName: "CN", "2.5.4.4": "SN", oidSerialNumber: "serialNumber", oidCountry: "C",
	"2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "street", oidOrganization: "O", "2.5.4.11": "OU", "2.5.4.12": "title",
	"2.5.4.17": "postalCode", "2.5.4.42": "GN", "2.5.4.97": "organizationIdentifier",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
}

// parseName reads a Name. Values that are no string are kept as U+FFFD.
func parseName(e der.Element) (Name, error) {
	var n Name
	if e.ID != der.Sequence {
		return n, malformedf("name is no sequence")
	}
	for rdns := e.Reader(); !rdns.Empty(); {
		rdn, err := rdns.Expect(der.Set)
		if err != nil {
			return n, asMalformed(err)
		}
		first := true
		for r := rdn.Reader(); !r.Empty(); first = false {
			a, err := parseAttribute(r)
			if err != nil {
				return n, asMalformed(err)
			}
			a.more = !first
			n.Attributes = append(n.Attributes, a)
			if len(n.Attributes) > maxNameAttributes {
				return n, malformedf("name of over %d attributes", maxNameAttributes)
			}
		}
	}
	return n, nil
}

// ParseName reads a Name out of its encoding, which must fill raw. Error:
// ErrMalformed.
func ParseName(raw []byte) (Name, error) {
	e, rest, err := der.Parse(raw)
	if err != nil {
		return Name{}, asMalformed(err)
	}
	if len(rest) != 0 {
		return Name{}, malformedf("%d bytes after the name", len(rest))
	}
	return parseName(e)
}

// Within reports whether n is m or lies below it: whether it begins with all
// of m's parts (RFC 5280:2008 4.2.1.10).
func (n Name) Within(m Name) bool {
	rest, ok := strings.CutPrefix(n.Canonical(), m.Canonical())
	return ok && (rest == "" || rest[0] == 0)
}

func parseAttribute(r *der.Reader) (Attribute, error) {
	e, err := r.Expect(der.Sequence)
	if err != nil {
		return Attribute{}, err
	}
	inner := e.Reader()
	id, err := inner.Expect(der.ObjectID)
	if err != nil {
		return Attribute{}, err
	}
	oid, err := id.OID()
	if err != nil {
		return Attribute{}, err
	}
	value, err := inner.Next()
	if err != nil {
		return Attribute{}, err
	}
	text, err := value.Text()
	if err != nil {
		text = "\uFFFD"
	}
	return Attribute{OID: oid, Value: text}, inner.End()
}

// First returns the first value of an attribute, "" when absent.
func (n Name) First(oid string) string {
	for _, a := range n.Attributes {
		if a.OID == oid {
			return a.Value
		}
	}
	return ""
}

// Country returns the C attribute in upper case and without spaces around it,
// "" when absent. States write it in either case.
func (n Name) Country() string {
	return strings.ToUpper(strings.TrimSpace(n.First(oidCountry)))
}

// CommonName returns the first CN, "" when absent.
func (n Name) CommonName() string { return n.First(oidCommonName) }

// Organization returns the first O, "" when absent.
func (n Name) Organization() string { return n.First(oidOrganization) }

// String renders the name in encoded order, "C=DE,O=bund,CN=csca", with the
// escapes of RFC 4514:2006 2.4.
func (n Name) String() string {
	var b strings.Builder
	for i, a := range n.Attributes {
		switch {
		case i == 0:
		case a.more:
			b.WriteByte('+')
		default:
			b.WriteByte(',')
		}
		if short, ok := shortNames[a.OID]; ok {
			b.WriteString(short)
		} else {
			b.WriteString(a.OID)
		}
		b.WriteByte('=')
		writeEscaped(&b, a.Value)
	}
	return b.String()
}

func writeEscaped(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	for i, r := range s {
		switch {
		case strings.ContainsRune(`,+"\<>;=`, r), (i == 0 && (r == ' ' || r == '#')), (i == len(s)-1 && r == ' '):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7F:
			b.WriteByte('\\')
			b.WriteByte(hex[r>>4])
			b.WriteByte(hex[r&15])
		default:
			b.WriteRune(r)
		}
	}
}

// Canonical returns a form that is equal for names which RFC 5280:2008 7.1
// compares as equal: case folded, runs of space made one, string types
// ignored, order kept.
func (n Name) Canonical() string {
	var b strings.Builder
	for _, a := range n.Attributes {
		if a.more {
			b.WriteByte(1)
		} else {
			b.WriteByte(0)
		}
		b.WriteString(a.OID)
		b.WriteByte('=')
		b.WriteString(strings.ToLower(strings.Join(strings.FieldsFunc(a.Value, unicode.IsSpace), " ")))
	}
	return b.String()
}

// Equal compares as Canonical does.
func (n Name) Equal(m Name) bool { return n.Canonical() == m.Canonical() }
