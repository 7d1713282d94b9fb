package emrtd_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/hwtest/passport/lds"
)

// measured notes the longest command and answer.
type measured struct {
	*virtual
	command, answer int
	odd             int // READ BINARY with the odd instruction
}

func (m *measured) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	answer, err := m.virtual.Transmit(ctx, command)
	m.command, m.answer = max(m.command, len(command)), max(m.answer, len(answer))
	if len(command) > 1 && command[1] == 0xB1 {
		m.odd++
	}
	return answer, err
}

// TestExtendedLengthLearned: as long as reader, EF.ATR/INFO and chip all carry,
// and no longer.
func TestExtendedLengthLearned(t *testing.T) {
	capabilities := func(third byte) []byte { return apdu.AppendTLV(nil, 0x47, []byte{0x94, 0x21, third}) }
	for name, tc := range map[string]struct {
		atr      []byte // nil is none, empty the chip's own
		response int    // of the reader
		limits   passport.Limits
		longest  [2]int // bounds of the longest answer
	}{
		"all carry it":            {[]byte{}, 65_538, passport.Limits{}, [2]int{6000, 65_538}},
		"no EF.ATR/INFO":          {nil, 65_538, passport.Limits{}, [2]int{200, 258}},
		"the file says 500":       {lds.ATRInfo(500, 500), 65_538, passport.Limits{}, [2]int{400, 500}},
		"the file says 256":       {lds.ATRInfo(256, 256), 65_538, passport.Limits{}, [2]int{200, 258}},
		"capabilities alone":      {capabilities(0x40), 65_538, passport.Limits{}, [2]int{6000, 65_538}},
		"capabilities without it": {capabilities(0x00), 65_538, passport.Limits{}, [2]int{200, 258}},
		"the reader says 1000":    {[]byte{}, 1000, passport.Limits{}, [2]int{900, 1000}},
		"the reader is short":     {[]byte{}, 258, passport.Limits{}, [2]int{200, 258}},
		"reader says nothing":     {[]byte{}, 0, passport.Limits{}, [2]int{200, 258}},
		"the file lies":           {lds.ATRInfo(65_535, 65_535), 65_538, passport.Limits{NoExtended: true}, [2]int{200, 258}},
		"the chip gives 2000":     {[]byte{}, 65_538, passport.Limits{MaxRead: 2000}, [2]int{2000, 2100}},
		"nonsense in the file":    {bytes.Repeat([]byte{0x7F}, 20), 65_538, passport.Limits{}, [2]int{200, 258}},
		"the file never ends":     {[]byte{0x7F, 0x66, 0x84, 0xFF, 0xFF, 0xFF, 0xFF}, 65_538, passport.Limits{}, [2]int{200, 258}},
		"negative numbers":        {apdu.AppendTLV(nil, 0x7F66, []byte{2, 1, 0xFF, 2, 1, 0xFF}), 65_538, passport.Limits{}, [2]int{200, 258}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := strong(brainpool, chipKey, nil, 6000)
			p.Limits = tc.limits
			if tc.atr == nil || len(tc.atr) > 0 {
				p.FileData = map[string][]byte{"ATR_INFO": tc.atr}
			}
			v := newVirtual(t, p)
			v.maxResponse = tc.response
			m := &measured{virtual: v}
			r, err := read(t, m, p)
			if err != nil || proof(r, emrtd.ProofChip).Outcome != emrtd.OutcomeProven {
				t.Fatalf("%v, %+v", err, r.Proofs)
			}
			sameFiles(t, r, p, "COM", "SOD", "DG1", "DG2", "DG14")
			if m.answer < tc.longest[0] || m.answer > tc.longest[1] {
				t.Errorf("longest answer of %d octets, want %v", m.answer, tc.longest)
			}
		})
	}
}

// TestHugePortrait reads a portrait of 200 KB under PACE and the keys of Chip
// Authentication: beyond offset 32,767 by the odd READ BINARY, with short and
// with extended lengths, with a chip that gives less than it is asked for, and
// across a session that dies in the middle.
func TestHugePortrait(t *testing.T) {
	for name, tc := range map[string]struct {
		response int
		limits   passport.Limits
		faults   []passport.Fault
		sessions int
	}{
		"extended":        {response: 65_538, sessions: 1},
		"short":           {response: 258, sessions: 1},
		"chip gives 3000": {response: 65_538, limits: passport.Limits{MaxRead: 3000}, sessions: 1},
		"no identifiers":  {response: 65_538, limits: passport.Limits{NoSFI: true}, sessions: 1},
		"session dies":    {response: 4096, faults: []passport.Fault{{Kind: passport.KindWrongMAC, Step: "read:DG2", At: 45, Times: 1}}, sessions: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := strong(passport.PACE{Suite: "aes128", Parameter: 12}, passport.ChipKey{Curve: "secp256r1", Suite: "aes256"}, nil, 200_000)
			p.Limits, p.Faults = tc.limits, tc.faults
			v := newVirtual(t, p)
			v.maxResponse = tc.response
			m := &measured{virtual: v}
			r, err := read(t, m, p)
			if err != nil {
				t.Fatal(err)
			}
			sameFiles(t, r, p, "DG1", "DG2", "SOD")
			if m.odd < 3 || r.Access.Sessions != tc.sessions {
				t.Errorf("%d odd READ BINARY, %d sessions, %d commands", m.odd, r.Access.Sessions, r.Traffic.Commands)
			}
		})
	}
}
