package emrtd

import (
	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/sm"
)

// shortSteps are the block sizes tried one after the other once a chip has
// refused the largest that fits a short response: 160 and 112 serve chips
// that are known to refuse 256 and everything above 127.
var shortSteps = [...]int{160, 112, 64, minStep}

// minStep is the last of shortSteps. Smaller blocks are used only where a chip
// names one itself.
const minStep = 32

// maxHead is the longest head of DO'53' around what an odd READ BINARY returns.
const maxHead = 4

// blocks is what has been learned about how much may be read at once. It is
// kept across files and sessions of one reading.
type blocks struct {
	response int // longest response that reader and card carry, in octets with status word
	limit    int // largest block accepted so far as a bound; 0: not yet bounded
}

// size returns the octets to ask for in one READ BINARY under session, or
// plain where that is nil.
func (b *blocks) size(session *sm.Session) int {
	n := b.response - 2
	if session != nil {
		n = session.MaxPlain(b.response)
	}
	n = max(n, minStep)
	if b.limit > 0 {
		n = min(n, b.limit)
	}
	return n
}

// shrink lowers the bound below asked, or to hint where the chip named a
// size. It reports whether there was a smaller size left to try.
func (b *blocks) shrink(asked, hint int, session *sm.Session) bool {
	if hint > 0 && hint < asked {
		b.limit = hint
		return true
	}
	short := blocks{response: apdu.MaxShortLe}
	if n := short.size(session); n < asked {
		b.limit = n
		return true
	}
	for _, step := range shortSteps {
		if step < asked {
			b.limit = step
			return true
		}
	}
	return false
}

// learn takes over what channel and EF.ATR/INFO say. Without EF.ATR/INFO, or
// with a reader of unknown limits, short responses are used.
func (b *blocks) learn(channel Channel, card int) (extended bool) {
	b.response = apdu.MaxShortLe
	reader := channel.MaxResponse()
	if card <= apdu.MaxShortLe || reader <= apdu.MaxShortLe+2 || channel.MaxCommand() <= apdu.MaxShortData+6 {
		return false
	}
	b.response = min(card, reader, maxResponse)
	return true
}

// The data objects of EF.ATR/INFO that tell lengths (ISO/IEC 7816-4:2020,
// 12.7.1; Doc 9303-10, 3.11.1).
const (
	tagLengthInfo   = 0x7F66
	tagInteger      = 0x02
	tagCapabilities = 0x47
	extendedLengths = 0x40 // third octet of the card capabilities: extended Lc and Le
)

// cardResponse returns the longest response that EF.ATR/INFO announces, 0
// where it announces no extended length. Whatever it does not understand it
// passes over.
func cardResponse(info []byte) int {
	if len(info) > 0 && (info[0] == 0x00 || info[0] == 0x80) {
		info = info[1:] // category indicator before the data objects
	}
	found := 0
	for len(info) > 1 {
		tag, skip := uint16(info[0]), 1
		if info[0]&0x1F == 0x1F {
			tag, skip = tag<<8|uint16(info[1]), 2
		}
		n, size, complete, err := apdu.ParseLength(info[skip:])
		if err != nil || !complete || n > uint64(len(info)-skip-size) {
			return found
		}
		value := info[skip+size:][:n]
		info = info[skip+size+int(n):]
		switch tag {
		case tagLengthInfo:
			return secondInteger(value)
		case tagCapabilities:
			if len(value) >= 3 && value[2]&extendedLengths != 0 {
				found = apdu.MaxExtendedLe
			}
		}
	}
	return found
}

// secondInteger reads the two INTEGERs of DO'7F66': the longest command and
// the longest response.
func secondInteger(b []byte) int {
	for i := range 2 {
		tag, value, rest, err := apdu.NextTLV(b)
		if err != nil || tag != tagInteger || len(value) > 4 {
			return 0
		}
		if i == 1 {
			n := 0
			for _, o := range value {
				n = n<<8 | int(o)
			}
			return n
		}
		b = rest
	}
	return 0
}
