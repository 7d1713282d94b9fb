package lds

import "bytes"

// object makes a data object with a tag of one byte.
func object(tag byte, parts ...[]byte) []byte {
	return tlv([]byte{tag}, parts...)
}

// object2 makes a data object with a tag of two bytes.
func object2(a, b byte, parts ...[]byte) []byte {
	return tlv([]byte{a, b}, parts...)
}

func tlv(tag []byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	n := len(content)
	length := []byte{byte(n)}
	switch {
	case n > 0xFFFF:
		length = []byte{0x83, byte(n >> 16), byte(n >> 8), byte(n)}
	case n > 0xFF:
		length = []byte{0x82, byte(n >> 8), byte(n)}
	case n > 0x7F:
		length = []byte{0x81, byte(n)}
	}
	return bytes.Join([][]byte{tag, length, content}, nil)
}
