package apdu

import (
	"encoding/binary"

	"github.com/watchpost/watchpost/device/fault"
)

// AppendTLV appends a BER-TLV data object with the shortest length form
// (ISO/IEC 7816-4:2020, annex E). The tag is one octet, or two where it is
// above FF. Values are below 2^32 octets.
func AppendTLV(dst []byte, tag uint16, value []byte) []byte {
	if tag > 0xFF {
		dst = append(dst, byte(tag>>8))
	}
	dst = append(dst, byte(tag))
	switch n := len(value); {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n <= 0xFF:
		dst = append(dst, 0x81, byte(n))
	case n <= 0xFFFF:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x82), uint16(n))
	case n <= 0xFFFFFF:
		dst = append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0x84), uint32(n))
	}
	return append(dst, value...)
}

// ParseLength reads a BER length field (forms 00-7F and 81-84) at the start
// of b and returns the length and the octets the field takes. complete is
// false where b ends inside the field. The indefinite form 80 and longer
// forms are malformed.
func ParseLength(b []byte) (length uint64, size int, complete bool, err error) {
	if len(b) == 0 {
		return 0, 0, false, nil
	}
	if b[0] < 0x80 {
		return uint64(b[0]), 1, true, nil
	}
	n := int(b[0] & 0x7F)
	if n == 0 || n > 4 {
		return 0, 0, true, fault.New(ErrMalformed.Code, "length form %02X", b[0])
	}
	if len(b) < 1+n {
		return 0, 0, false, nil
	}
	for _, o := range b[1 : 1+n] {
		length = length<<8 | uint64(o)
	}
	return length, 1 + n, true, nil
}

// NextTLV splits the first data object with a one-octet tag off b.
func NextTLV(b []byte) (tag byte, value, rest []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, fault.New(ErrMalformed.Code, "data object of %d octets", len(b))
	}
	if b[0]&0x1F == 0x1F {
		return 0, nil, nil, fault.New(ErrMalformed.Code, "tag of more than one octet")
	}
	n, size, complete, err := ParseLength(b[1:])
	if err != nil {
		return 0, nil, nil, err
	}
	body := b[1+size:]
	if !complete || n > uint64(len(body)) {
		return 0, nil, nil, fault.New(ErrMalformed.Code, "data object longer than its field")
	}
	return b[0], body[:n:n], body[n:], nil
}
