package passport

import "encoding/binary"

// Status words of ISO/IEC 7816-4:2020, 5.6, as this chip uses them.
const (
	swOK              = 0x9000
	swAuthFailed      = 0x6300
	swEndOfFile       = 0x6282
	swLength          = 0x6700
	swChaining        = 0x6884
	swSecurity        = 0x6982
	swConditions      = 0x6985
	swNoFile          = 0x6986
	swSMMissing       = 0x6987
	swSMWrong         = 0x6988
	swData            = 0x6A80
	swNotFound        = 0x6A82
	swP1P2            = 0x6A86
	swReferenceAbsent = 0x6A88
	swOffset          = 0x6B00
	swINS             = 0x6D00
	swCLA             = 0x6E00
)

// command is one parsed command APDU.
type command struct {
	cla, ins, p1, p2 byte
	data             []byte // nil where there is no command data field
	ne               int    // expected octets: 0 none, 256 for short Le 00, 65536 for extended Le 0000
	extended         bool
}

// parseCommand takes apart the four cases of ISO/IEC 7816-4:2020, 5.2, short
// and extended. It keeps no reference to anything but raw.
func parseCommand(raw []byte) (command, bool) {
	if len(raw) < 4 {
		return command{}, false
	}
	c := command{cla: raw[0], ins: raw[1], p1: raw[2], p2: raw[3]}
	body := raw[4:]
	switch {
	case len(body) == 0:
		return c, true
	case len(body) == 1:
		c.ne = shortLe(body[0])
		return c, true
	case body[0] != 0:
		lc := int(body[0])
		switch len(body) - 1 - lc {
		case 0:
		case 1:
			c.ne = shortLe(body[1+lc])
		default:
			return command{}, false
		}
		c.data = body[1 : 1+lc]
		return c, true
	}
	c.extended = true
	if len(body) == 3 {
		c.ne = extendedLe(body[1:])
		return c, true
	}
	if len(body) < 4 {
		return command{}, false
	}
	lc := int(binary.BigEndian.Uint16(body[1:]))
	switch len(body) - 3 - lc {
	case 0:
	case 2:
		c.ne = extendedLe(body[3+lc:])
	default:
		return command{}, false
	}
	if lc == 0 {
		return command{}, false
	}
	c.data = body[3 : 3+lc]
	return c, true
}

func shortLe(b byte) int {
	if b == 0 {
		return 256
	}
	return int(b)
}

func extendedLe(b []byte) int {
	if n := int(binary.BigEndian.Uint16(b)); n != 0 {
		return n
	}
	return 65536
}

// object is one BER-TLV data object of a command.
type object struct {
	tag   uint32
	value []byte
	raw   []byte // identifier, length and value
}

// nextObject splits the first data object from data: identifiers of up to
// three octets, definite lengths of up to three octets.
func nextObject(data []byte) (o object, rest []byte, ok bool) {
	i := 0
	if len(data) == 0 {
		return o, nil, false
	}
	o.tag = uint32(data[0])
	i++
	if data[0]&0x1F == 0x1F {
		for more := true; more; i++ {
			if i >= len(data) || i > 2 {
				return o, nil, false
			}
			o.tag = o.tag<<8 | uint32(data[i])
			more = data[i]&0x80 != 0
		}
	}
	if i >= len(data) {
		return o, nil, false
	}
	length := int(data[i])
	i++
	if length >= 0x80 {
		octets := length & 0x7F
		if octets == 0 || octets > 3 || len(data) < i+octets {
			return o, nil, false
		}
		length = 0
		for range octets {
			length = length<<8 | int(data[i])
			i++
		}
	}
	if len(data)-i < length {
		return o, nil, false
	}
	o.value, o.raw = data[i:i+length], data[:i+length]
	return o, data[i+length:], true
}

// objects splits the whole of data.
func objects(data []byte) ([]object, bool) {
	var out []object
	for len(data) > 0 {
		o, rest, ok := nextObject(data)
		if !ok {
			return nil, false
		}
		out = append(out, o)
		data = rest
	}
	return out, true
}
