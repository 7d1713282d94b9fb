package apdu

import (
	"strconv"
	"strings"
)

// OID encodes a dotted object identifier as content octets (ITU-T X.690:2021,
// 8.19). It is for identifiers that the caller knows to be well formed, and
// panics on any other.
func OID(oid string) []byte {
	arcs := strings.Split(oid, ".")
	var out []byte
	first := 0
	for i, a := range arcs {
		n, err := strconv.Atoi(a)
		if err != nil {
			panic("apdu: object identifier is not numeric")
		}
		switch i {
		case 0:
			first = 40 * n
			continue
		case 1:
			n += first
		}
		var tail []byte
		for tail = []byte{byte(n & 0x7F)}; n > 0x7F; {
			n >>= 7
			tail = append([]byte{byte(n&0x7F) | 0x80}, tail...)
		}
		out = append(out, tail...)
	}
	return out
}
