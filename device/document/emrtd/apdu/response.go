package apdu

import (
	"encoding/binary"
	"fmt"

	"github.com/watchpost/watchpost/device/fault"
)

// Status is the two status octets SW1 SW2 of a response.
type Status uint16

// Status words of ISO/IEC 7816-4:2020, tables 5 and 6, that a reader decides
// by. Words of a family (61xx, 6Cxx, 63Cx) have methods below.
const (
	StatusOK                 Status = 0x9000
	StatusEndOfFile          Status = 0x6282 // fewer octets than Ne were left in the file
	StatusDeactivated        Status = 0x6283 // selected file or password is deactivated
	StatusAuthFailed         Status = 0x6300
	StatusWrongLength        Status = 0x6700
	StatusChainingLast       Status = 0x6883 // last command of the chain expected
	StatusChainingUnknown    Status = 0x6884 // command chaining not supported
	StatusSecurity           Status = 0x6982 // security status not satisfied
	StatusBlocked            Status = 0x6983 // authentication method blocked
	StatusConditions         Status = 0x6985 // conditions of use not satisfied
	StatusSMMissing          Status = 0x6987 // expected secure messaging objects missing
	StatusSMIncorrect        Status = 0x6988 // secure messaging objects incorrect
	StatusWrongData          Status = 0x6A80
	StatusNotSupported       Status = 0x6A81
	StatusFileNotFound       Status = 0x6A82
	StatusRecordNotFound     Status = 0x6A83
	StatusWrongP1P2          Status = 0x6A86
	StatusNcInconsistent     Status = 0x6A87
	StatusReferenceNotFound  Status = 0x6A88
	StatusOffsetOutside      Status = 0x6B00
	StatusInstructionUnknown Status = 0x6D00
	StatusClassUnknown       Status = 0x6E00
	StatusUnspecified        Status = 0x6F00
)

func (s Status) String() string { return fmt.Sprintf("%04X", uint16(s)) }

// SW1 returns the first status octet.
func (s Status) SW1() byte { return byte(s >> 8) }

// SW2 returns the second status octet.
func (s Status) SW2() byte { return byte(s) }

// More returns the number of octets GET RESPONSE can fetch (61xx; 00 means
// 256 or more) and whether s is of that family.
func (s Status) More() (int, bool) {
	return neOf(int(s.SW2()), MaxShortLe), s.SW1() == 0x61
}

// RightLe returns the Le that the card asks for (6Cxx; 00 means 256) and
// whether s is of that family.
func (s Status) RightLe() (int, bool) {
	return neOf(int(s.SW2()), MaxShortLe), s.SW1() == 0x6C
}

// Retries returns the attempts that a password has left (63Cx) and whether s
// is of that family.
func (s Status) Retries() (int, bool) {
	return int(s & 0x0F), s&0xFFF0 == 0x63C0
}

// Response is one response: data and status, never shared with the channel.
type Response struct {
	Data   []byte
	Status Status
}

// ParseResponse splits the octets of a response. Fewer than two octets are
// malformed: an answer that is absent is the channel's error to report.
func ParseResponse(b []byte) (Response, error) {
	if len(b) < 2 {
		return Response{}, fault.New(ErrMalformed.Code, "response of %d octets", len(b))
	}
	n := len(b) - 2
	return Response{Data: b[:n:n], Status: Status(binary.BigEndian.Uint16(b[n:]))}, nil
}
