// Package apdu holds command and response units of ISO/IEC 7816-4:2020,
// clause 5, with every length form, and the status words a travel document
// answers with. It moves bytes only: no channel, no secure messaging.
package apdu

import (
	"encoding/binary"

	"github.com/watchpost/watchpost/device/fault"
)

// Length limits of ISO/IEC 7816-4:2020, 5.2.
const (
	MaxShortData    = 255    // command data octets with a one-octet Lc
	MaxShortLe      = 256    // response data octets with a one-octet Le
	MaxExtendedData = 65_535 // command data octets with a three-octet Lc
	MaxExtendedLe   = 65_536 // response data octets with an extended Le
	headerLen       = 4      // CLA INS P1 P2
	chainingBit     = 1 << 4 // CLA bit 5: not the last command of a chain
	oddInstruction  = 1 << 0 // INS bit 1: data field is BER-TLV
	SMClass         = 0x0C   // CLA bits 4 and 3: secure messaging, header authenticated
)

// ErrEncode is the code of a command that has no encoding: a defect of the
// caller, never of the card.
var ErrEncode = &fault.Error{Code: "apdu.encode"}

// ErrMalformed is the code of bytes that are no command or no response.
var ErrMalformed = &fault.Error{Code: "apdu.malformed"}

// Command is one command before encoding. Ne is the number of response data
// octets expected at most, 0 to 65,536; 0 means that no Le is sent. The zero
// value is a case 1 command of four zero octets.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	Ne               int
}

// Odd reports whether the instruction code is odd, that is whether its data
// fields are BER-TLV and secure messaging wraps them in DO'85'.
func (c Command) Odd() bool { return c.INS&oddInstruction != 0 }

// Chained returns c marked as one that is followed by more of its data.
func (c Command) Chained() Command {
	c.CLA |= chainingBit
	return c
}

// NeedsExtended reports whether c has no short encoding.
func (c Command) NeedsExtended() bool {
	return len(c.Data) > MaxShortData || c.Ne > MaxShortLe
}

// Encode returns the octets of c. The short form is used where extended is
// false; a command that does not fit it is then an error. The extended form
// applies to Lc and Le together, as 5.2 requires: Le is two octets after an
// extended Lc, and three (a leading zero) where there is no data.
func (c Command) Encode(extended bool) ([]byte, error) {
	if c.Ne < 0 || c.Ne > MaxExtendedLe || len(c.Data) > MaxExtendedData {
		return nil, fault.New(ErrEncode.Code, "lengths out of range: Nc %d, Ne %d", len(c.Data), c.Ne)
	}
	if !extended && c.NeedsExtended() {
		return nil, fault.New(ErrEncode.Code, "needs extended length: Nc %d, Ne %d", len(c.Data), c.Ne)
	}
	out := make([]byte, 0, headerLen+3+len(c.Data)+3)
	out = append(out, c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		if extended {
			out = append(out, 0)
			out = binary.BigEndian.AppendUint16(out, uint16(len(c.Data)))
		} else {
			out = append(out, byte(len(c.Data)))
		}
		out = append(out, c.Data...)
	}
	switch {
	case c.Ne == 0:
	case !extended:
		out = append(out, byte(c.Ne)) // 256 is written 00
	default:
		if len(c.Data) == 0 {
			out = append(out, 0)
		}
		out = binary.BigEndian.AppendUint16(out, uint16(c.Ne)) // 65,536 is written 0000
	}
	return out, nil
}

// ParseCommand is the inverse of Encode. It accepts exactly the seven forms
// of 5.2 and reports whether the lengths were extended.
func ParseCommand(b []byte) (c Command, extended bool, err error) {
	if len(b) < headerLen {
		return Command{}, false, fault.New(ErrMalformed.Code, "command of %d octets", len(b))
	}
	c = Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3]}
	body := b[headerLen:]
	switch {
	case len(body) == 0:
		return c, false, nil
	case len(body) == 1:
		c.Ne = neOf(int(body[0]), MaxShortLe)
		return c, false, nil
	case body[0] != 0:
		return parseBody(c, body[1:], int(body[0]), 1, false)
	case len(body) == 3:
		c.Ne = neOf(int(binary.BigEndian.Uint16(body[1:])), MaxExtendedLe)
		return c, true, nil
	case len(body) > 3:
		return parseBody(c, body[3:], int(binary.BigEndian.Uint16(body[1:])), 2, true)
	}
	return Command{}, false, fault.New(ErrMalformed.Code, "command body of %d octets", len(body))
}

// parseBody reads nc octets of data and an optional Le of leLen octets.
func parseBody(c Command, rest []byte, nc, leLen int, extended bool) (Command, bool, error) {
	if nc == 0 || (len(rest) != nc && len(rest) != nc+leLen) {
		return Command{}, false, fault.New(ErrMalformed.Code, "Lc %d before %d octets", nc, len(rest))
	}
	c.Data = rest[:nc:nc]
	switch le := rest[nc:]; len(le) {
	case 1:
		c.Ne = neOf(int(le[0]), MaxShortLe)
	case 2:
		c.Ne = neOf(int(binary.BigEndian.Uint16(le)), MaxExtendedLe)
	}
	return c, extended, nil
}

func neOf(le, whenZero int) int {
	if le == 0 {
		return whenZero
	}
	return le
}
