// Package der writes the DER of ITU-T X.690 (2021) that test documents are
// made of: the data structures of ISO 7816-4 BER-TLV and the ASN.1 of X.509
// and CMS. It only writes; the product's own readers are never used to make
// what they will be tested with.
package der

import (
	"bytes"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tags of the universal class as they stand in the encoding.
const (
	tagBool      = 0x01
	tagInt       = 0x02
	tagBits      = 0x03
	tagOctets    = 0x04
	tagNull      = 0x05
	tagOID       = 0x06
	tagUTF8      = 0x0C
	tagPrintable = 0x13
	tagUTCTime   = 0x17
	tagGenTime   = 0x18
	tagSeq       = 0x30
	tagSet       = 0x31
)

// TLV writes one data object: tag holds the identifier octets as one number
// (0x7F61 is two octets), the value is the parts joined.
func TLV(tag uint32, parts ...[]byte) []byte {
	value := bytes.Join(parts, nil)
	var out []byte
	for shift := 24; shift >= 0; shift -= 8 {
		if b := byte(tag >> shift); len(out) > 0 || b != 0 || shift == 0 {
			out = append(out, b)
		}
	}
	out = append(out, Length(len(value))...)
	return append(out, value...)
}

// Indefinite writes a constructed element of indefinite length, with
// end-of-contents octets behind it (X.690 (2021), 8.1.3.6): BER, never DER. The
// tag is one octet.
func Indefinite(tag uint32, parts ...[]byte) []byte {
	out := []byte{byte(tag), 0x80}
	for _, p := range parts {
		out = append(out, p...)
	}
	return append(out, 0, 0)
}

// Length writes the shortest length octets for n.
func Length(n int) []byte {
	if n < 0x80 {
		return []byte{byte(n)}
	}
	var octets []byte
	for ; n > 0; n >>= 8 {
		octets = append(octets, byte(n))
	}
	octets = append(octets, 0x80|byte(len(octets)))
	slices.Reverse(octets)
	return octets
}

// Seq writes a SEQUENCE.
func Seq(parts ...[]byte) []byte { return TLV(tagSeq, parts...) }

// Set writes a SET OF with its members in the order that X.690, 11.6 asks for.
func Set(members ...[]byte) []byte {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, bytes.Compare)
	return TLV(tagSet, sorted...)
}

// Context writes a constructed, explicit context tag n (0 to 30).
func Context(n int, parts ...[]byte) []byte { return TLV(uint32(0xA0|n), parts...) }

// ContextPrimitive writes an implicit primitive context tag n (0 to 30).
func ContextPrimitive(n int, value []byte) []byte { return TLV(uint32(0x80|n), value) }

// Retag replaces the first identifier octet, for IMPLICIT tagging.
func Retag(tag byte, encoded []byte) []byte {
	out := bytes.Clone(encoded)
	out[0] = tag
	return out
}

// Int writes an INTEGER of any sign.
func Int(v *big.Int) []byte {
	if v.Sign() >= 0 {
		b := v.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return TLV(tagInt, b)
	}
	n := (new(big.Int).Not(v).BitLen() + 8) / 8 // octets that hold v and its sign bit
	mod := new(big.Int).Lsh(big.NewInt(1), uint(8*n))
	return TLV(tagInt, mod.Add(mod, v).FillBytes(make([]byte, n)))
}

// SmallInt writes an INTEGER.
func SmallInt(v int64) []byte { return Int(big.NewInt(v)) }

// Bool writes a BOOLEAN.
func Bool(v bool) []byte {
	if v {
		return TLV(tagBool, []byte{0xFF})
	}
	return TLV(tagBool, []byte{0})
}

// Octets writes an OCTET STRING.
func Octets(parts ...[]byte) []byte { return TLV(tagOctets, parts...) }

// Bits writes a BIT STRING of whole octets.
func Bits(parts ...[]byte) []byte {
	return TLV(tagBits, append([][]byte{{0}}, parts...)...)
}

// NamedBits writes a BIT STRING of a named bit list: the bits given (0 is the
// first), without trailing zero bits (X.690, 11.2.2).
func NamedBits(bits ...int) []byte {
	if len(bits) == 0 {
		return TLV(tagBits, []byte{0})
	}
	last := slices.Max(bits)
	out := make([]byte, last/8+1)
	for _, b := range bits {
		out[b/8] |= 0x80 >> (b % 8)
	}
	return TLV(tagBits, []byte{byte(7 - last%8)}, out)
}

// Null writes NULL.
func Null() []byte { return TLV(tagNull) }

// UTF8 writes a UTF8String.
func UTF8(s string) []byte { return TLV(tagUTF8, []byte(s)) }

// Printable writes a PrintableString; s is not checked.
func Printable(s string) []byte { return TLV(tagPrintable, []byte(s)) }

// Time writes UTCTime up to 2049 and GeneralizedTime from 2050 (RFC 5280
// (2008), 4.1.2.5).
func Time(t time.Time) []byte {
	t = t.UTC()
	if t.Year() >= 1950 && t.Year() < 2050 {
		return TLV(tagUTCTime, []byte(t.Format("060102150405Z")))
	}
	return TLV(tagGenTime, []byte(t.Format("20060102150405Z")))
}

// OID writes an OBJECT IDENTIFIER given in dotted form. It panics on a form
// that is not one: identifiers are constants of the caller.
func OID(dotted string) []byte {
	var arcs []uint64
	for _, part := range strings.Split(dotted, ".") {
		n, err := strconv.ParseUint(part, 10, 63)
		if err != nil {
			panic("der: not an object identifier: " + dotted)
		}
		arcs = append(arcs, n)
	}
	if len(arcs) < 2 {
		panic("der: not an object identifier: " + dotted)
	}
	out := base128(arcs[0]*40 + arcs[1])
	for _, arc := range arcs[2:] {
		out = append(out, base128(arc)...)
	}
	return TLV(tagOID, out)
}

func base128(n uint64) []byte {
	out := []byte{byte(n & 0x7F)}
	for n >>= 7; n > 0; n >>= 7 {
		out = append(out, 0x80|byte(n&0x7F))
	}
	slices.Reverse(out)
	return out
}
