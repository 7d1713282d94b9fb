package der

import (
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of single values.
const (
	maxIntegerBytes = 16384/8 + 1 // the largest RSA modulus and a sign octet
	maxOIDBytes     = 128
)

// Int decodes a two's complement INTEGER of any sign. Superfluous leading
// octets are tolerated.
func (e Element) Int() (*big.Int, error) {
	if (e.ID != Integer && e.ID != Enumerated) || len(e.Content) == 0 || len(e.Content) > maxIntegerBytes {
		return nil, malformed("not an integer of 1 to %d bytes", maxIntegerBytes)
	}
	return bigInt(e.Content), nil
}

func bigInt(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

// StrictUint decodes a non-negative INTEGER in DER: no superfluous octet.
func (e Element) StrictUint() (*big.Int, error) {
	c := e.Content
	if e.ID != Integer || len(c) == 0 || len(c) > maxIntegerBytes || c[0]&0x80 != 0 ||
		(len(c) > 1 && c[0] == 0 && c[1]&0x80 == 0) {
		return nil, malformed("not an unsigned integer in DER")
	}
	return new(big.Int).SetBytes(c), nil
}

// SmallInt decodes an INTEGER between 0 and max.
func (e Element) SmallInt(max int) (int, error) {
	v, err := e.Int()
	if err != nil {
		return 0, err
	}
	if v.Sign() < 0 || !v.IsInt64() || v.Int64() > int64(max) {
		return 0, malformed("integer is not between 0 and %d", max)
	}
	return int(v.Int64()), nil
}

// Bool decodes a BOOLEAN; any octet but zero is true.
func (e Element) Bool() (bool, error) {
	if e.ID != Boolean || len(e.Content) != 1 {
		return false, malformed("not a boolean")
	}
	return e.Content[0] != 0, nil
}

// OID decodes an OBJECT IDENTIFIER to dotted decimal.
func (e Element) OID() (string, error) {
	if e.ID != ObjectID {
		return "", malformed("not an object identifier")
	}
	return OIDString(e.Content)
}

// OIDString decodes the content octets of an object identifier.
func OIDString(c []byte) (string, error) {
	if len(c) == 0 || len(c) > maxOIDBytes || c[len(c)-1]&0x80 != 0 {
		return "", malformed("object identifier of %d octets", len(c))
	}
	var s []byte
	var v uint64
	start := true
	for i, b := range c {
		if start && b == 0x80 {
			return "", malformed("padded arc in an object identifier")
		}
		if v > 1<<56 {
			return "", malformed("arc %d of an object identifier is too large", i)
		}
		v = v<<7 | uint64(b&0x7F)
		start = b&0x80 == 0
		if !start {
			continue
		}
		if s == nil {
			root := min(v/40, 2)
			s = strconv.AppendUint(s, root, 10)
			v -= 40 * root
		}
		s = append(s, '.')
		s = strconv.AppendUint(s, v, 10)
		v = 0
	}
	return string(s), nil
}

// Bits decodes a BIT STRING and the count of unused bits in its last octet.
func (e Element) Bits() (b []byte, unused int, err error) {
	c := e.Content
	if e.ID != BitString || len(c) == 0 || c[0] > 7 || (len(c) == 1 && c[0] != 0) {
		return nil, 0, malformed("not a bit string")
	}
	return c[1:], int(c[0]), nil
}

// Octets decodes an OCTET STRING, joining the parts of a constructed one.
func (e Element) Octets() ([]byte, error) { return e.octets(0) }

func (e Element) octets(depth int) ([]byte, error) {
	switch {
	case e.ID == OctetString:
		return e.Content, nil
	case e.ID != constructedOctetString || depth > maxDepth:
		return nil, malformed("not an octet string")
	}
	var all []byte
	for r := e.Reader(); !r.Empty(); {
		part, err := r.Next()
		if err != nil {
			return nil, err
		}
		b, err := part.octets(depth + 1)
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

// Text decodes the string types that names use. Octets that are not in the
// type's alphabet are kept (printable types) or replaced by U+FFFD.
func (e Element) Text() (string, error) {
	c := e.Content
	switch e.ID {
	case UTF8String, PrintableString, IA5String, NumericString, VisibleString, TeletexString:
		if utf8.Valid(c) {
			return string(c), nil
		}
		// TeletexString is Latin-1 in practice, and so are the others when wrong.
		runes := make([]rune, len(c))
		for i, b := range c {
			runes[i] = rune(b)
		}
		return string(runes), nil
	case BMPString:
		if len(c)%2 != 0 {
			return "", malformed("BMPString of odd length")
		}
		units := make([]uint16, len(c)/2)
		for i := range units {
			units[i] = uint16(c[2*i])<<8 | uint16(c[2*i+1])
		}
		return string(utf16.Decode(units)), nil
	case UniversalString:
		if len(c)%4 != 0 {
			return "", malformed("UniversalString of wrong length")
		}
		runes := make([]rune, len(c)/4)
		for i := range runes {
			v := uint32(c[4*i])<<24 | uint32(c[4*i+1])<<16 | uint32(c[4*i+2])<<8 | uint32(c[4*i+3])
			runes[i] = utf8.RuneError
			if v <= utf8.MaxRune {
				runes[i] = rune(v)
			}
		}
		return string(runes), nil
	}
	return "", malformed("identifier %#x is no string", e.ID)
}

// Time decodes UTCTime and GeneralizedTime to UTC. strict tells whether it was
// in the one form that RFC 5280:2008 4.1.2.5 allows; forms without seconds,
// with an offset, a fraction or no zone (then taken as UTC) are tolerated.
func (e Element) Time() (t time.Time, strict bool, err error) {
	s := string(e.Content)
	if len(s) < 10 || len(s) > 32 {
		return t, false, malformed("time of %d octets", len(s))
	}
	switch e.ID {
	case UTCTime:
		// Two-digit years: 50 to 99 are of the last century (RFC 5280 4.1.2.5.1).
		century := "20"
		if s[0] >= '5' {
			century = "19"
		}
		strict = len(s) == 13 && s[12] == 'Z'
		s = century + s
	case GeneralizedTime:
		strict = len(s) == 15 && s[14] == 'Z'
	default:
		return t, false, malformed("identifier %#x is no time", e.ID)
	}
	s = strings.Replace(s, ",", ".", 1)
	for _, layout := range timeLayouts {
		if t, err = time.Parse(layout, s); err == nil {
			return t.UTC(), strict, nil
		}
	}
	return time.Time{}, false, malformed("unreadable time")
}

// timeLayouts in order of use; time.Parse accepts a fraction after seconds by itself.
var timeLayouts = [...]string{"20060102150405Z", "20060102150405-0700", "20060102150405", "200601021504Z", "200601021504-0700", "200601021504"}
