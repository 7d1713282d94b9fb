// Package passport is a virtual eMRTD chip: the file system of ISO/IEC
// 7816-4:2020, basic access control, PACE, secure messaging, chip and active
// authentication of ICAO Doc 9303-11 (8th edition, 2021), with faults to order.
//
// It is written apart from the product's reader and imports nothing of
// device/document: code shared by both sides would hide its own mistakes. A
// Profile describes a document, Personalise makes it, a Chip answers commands
// in the process, and ServeVPCD puts it behind vsmartcard's virtual reader.
package passport

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"slices"
	"sync"
	"time"
)

// Chip is one virtual chip. It is safe for concurrent use; commands are
// answered one after the other.
type Chip struct {
	doc *Document // read only
	atr []byte    // read only, so that ATR answers while a command runs

	// agreement computes shared secrets in the chip's place, nil for its own
	// arithmetic; set before the first command.
	agreement Agreement

	mu     sync.Mutex // guards all that follows
	rand   io.Reader
	faults faultState
	trust  *TerminalTrust // of terminals; outlives resets, for a chip learns new authorities and later dates
	state  state
}

// state is what a reset forgets.
type state struct {
	commands  int
	torn      bool
	files     map[string]uint16 // of the selected directory; nil is none
	inLDS     bool
	current   string // selected file, "" is none
	challenge []byte // of BAC, used once
	granted   bool   // access control has succeeded
	sm        *messaging
	next      *messaging // takes over once the answer has left
	pace      *paceRun   // between MSE:Set AT and the last step
	chipKey   *ChipKey   // chosen for chip authentication
	terminal  terminalRun
	chained   []byte // command data of a chain on its way
}

// New makes the document that profile describes and returns its chip.
func New(profile Profile) (*Chip, error) {
	doc, err := Personalise(profile)
	if err != nil {
		return nil, err
	}
	return NewChip(doc)
}

// NewChip returns a chip that holds doc, which must not be changed any more.
func NewChip(doc *Document) (*Chip, error) {
	if err := doc.check(); err != nil {
		return nil, err
	}
	c := &Chip{doc: doc, atr: doc.atr(), rand: rand.Reader}
	c.faults = faultState{faults: doc.Faults, shown: make([]int, len(doc.Faults))}
	if doc.Terminal != nil {
		trust := *doc.Terminal
		c.trust = &trust
	}
	c.reset()
	return c, nil
}

// Agreement computes the shared secret of a private key and the other side's
// public key, as sent, in the standardized domain of that identifier. protocol
// is "pace" or "ca". Tests give one that is nobody's in this repository.
type Agreement func(protocol string, parameter int, private *big.Int, public []byte) []byte

// SetAgreement has shared secrets computed by a: those of PACE, and those of
// chip authentication in a standardized domain. It is called before the first
// command.
func (c *Chip) SetAgreement(a Agreement) { c.agreement = a }

// ATR returns the answer to reset. It never waits for a running command.
func (c *Chip) ATR() []byte { return slices.Clone(c.atr) }

// Reset is a power cycle: sessions and selections are gone, a torn card is
// back in the field.
func (c *Chip) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

func (c *Chip) reset() { c.state = state{files: masterFiles} }

// Commands returns how many commands came since the last reset.
func (c *Chip) Commands() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.commands
}

// Transmit answers one command APDU after the time that the document's air
// model takes. The error is ErrTorn once the card has left the field; nothing
// that a command can hold is an error. The answer belongs to the caller.
func (c *Chip) Transmit(raw []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.commands++
	if c.state.torn {
		return nil, ErrTorn
	}
	cmd, ok := parseCommand(raw)
	if !ok {
		return c.finish(raw, statusOnly(swLength), damage{}, "")
	}
	if cmd.extended && c.doc.Limits.NoExtended || len(raw) > c.maxCommand() {
		return c.finish(raw, statusOnly(swLength), damage{}, "")
	}
	if cmd.cla&^0x1C != 0 || cmd.cla&0x0C != 0 && cmd.cla&0x0C != 0x0C {
		return c.finish(raw, statusOnly(swCLA), damage{}, "")
	}
	cmd.ne = min(cmd.ne, maxAnswer)
	secured := cmd.cla&0x0C != 0
	if secured {
		if c.state.sm == nil {
			return c.finish(raw, statusOnly(swSMMissing), damage{}, "")
		}
		plain, sw := c.state.sm.unwrap(cmd)
		if sw != swOK {
			c.endSession()
			return c.finish(raw, statusOnly(sw), damage{}, "")
		}
		cmd = plain
	} else {
		c.endSession() // a plain command ends the session (Doc 9303-11 (2021), 9.8.3)
	}
	step := c.step(cmd)
	d := c.faults.strike(c.state.commands, step)
	if d.has(KindTear) {
		c.state.torn = true
		return nil, ErrTorn
	}
	data, sw := c.answer(cmd, d)
	answer := c.protect(secured, response{odd: cmd.ins&1 != 0, data: data, status: sw}, d)
	if c.state.next != nil {
		c.state.sm, c.state.next = c.state.next, nil
	}
	return c.finish(raw, answer, d, step)
}

// answer carries a command out, or does what a fault puts in its place.
func (c *Chip) answer(cmd command, d damage) ([]byte, int) {
	if d.has(KindStatus) {
		return nil, d.status
	}
	data, sw := c.dispatch(cmd, d)
	if len(data) > cmd.ne {
		data = data[:cmd.ne] // never more than was asked for
	}
	return data, sw
}

// protect wraps an answer when the command came protected, less what faults
// take away.
func (c *Chip) protect(secured bool, r response, d damage) []byte {
	if !secured || c.state.sm == nil || d.has(KindPlainAnswer) {
		return append(slices.Clone(r.data), byte(r.status>>8), byte(r.status))
	}
	if d.has(KindPlainStatus) {
		c.endSession()
		return statusOnly(d.status)
	}
	return c.state.sm.wrap(r, d)
}

// finish spends the time that the exchange takes on the air.
func (c *Chip) finish(raw, answer []byte, d damage, step string) ([]byte, error) {
	if d.has(KindSilence) {
		answer = []byte{}
	}
	if d.has(KindNoise) {
		answer = noise(c.rand)
	}
	wait := c.doc.Air.Duration(len(raw), len(answer)) + c.doc.Air.stepTime(step) + time.Duration(d.millis)*time.Millisecond
	if wait > 0 {
		time.Sleep(wait)
	}
	return answer, nil
}

func (c *Chip) dispatch(cmd command, d damage) ([]byte, int) {
	if cmd.ins != insGeneralAuthenticate {
		c.state.pace = nil
		if cmd.cla&0x10 != 0 && (cmd.ins == insPerformSecurity || cmd.ins == insExternalAuthenticate) && len(c.state.chained) < maxChained {
			c.state.chained = append(c.state.chained, cmd.data...)
			return nil, swOK
		}
		if cmd.cla&0x10 != 0 {
			return nil, swChaining
		}
	}
	if c.state.chained != nil {
		cmd.data, c.state.chained = append(c.state.chained, cmd.data...), nil
	}
	switch cmd.ins {
	case insSelect:
		return c.selectFile(cmd)
	case insReadBinary, insReadBinaryOdd:
		return c.readBinary(cmd, d)
	case insGetChallenge:
		return c.getChallenge(cmd)
	case insExternalAuthenticate:
		return c.externalAuthenticate(cmd)
	case insInternalAuthenticate:
		return c.internalAuthenticate(cmd, d)
	case insManageSecurity:
		return c.manageSecurity(cmd, d)
	case insPerformSecurity:
		if cmd.p1 != 0 || cmd.p2 != 0xBE {
			return nil, swP1P2
		}
		return c.verifyCertificate(cmd)
	case insGeneralAuthenticate:
		return c.generalAuthenticate(cmd, d)
	}
	return nil, swINS
}

// manageSecurity is MANAGE SECURITY ENVIRONMENT in its uses: PACE, chip
// authentication in both forms, and terminal authentication.
func (c *Chip) manageSecurity(cmd command, d damage) ([]byte, int) {
	switch uint16(cmd.p1)<<8 | uint16(cmd.p2) {
	case mseSetATMutual:
		if c.state.sm != nil || len(c.doc.Access.PACE) == 0 {
			return nil, swConditions
		}
		return c.paceSelect(cmd)
	case mseSetATInternal:
		return c.chipAuthSelect(cmd)
	case mseSetKAT:
		return c.chipAuthKAT(cmd, d)
	case mseSetDST:
		return c.setDST(cmd)
	case mseSetATExternal:
		return c.setATTerminal(cmd)
	}
	return nil, swP1P2
}

// generalAuthenticate belongs to what MANAGE SECURITY ENVIRONMENT began.
func (c *Chip) generalAuthenticate(cmd command, d damage) ([]byte, int) {
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return nil, swP1P2
	case c.state.pace != nil:
		return c.paceStep(cmd, d)
	case c.state.chipKey != nil && cmd.cla&0x10 == 0:
		return c.chipAuthAgree(cmd, d)
	}
	return nil, swConditions
}

// P1 and P2 of MANAGE SECURITY ENVIRONMENT (Doc 9303-11 (2021), 4.4.4.1,
// 6.2.4.1 and 6.2.4.2).
const (
	mseSetATMutual   = 0xC1A4
	mseSetATInternal = 0x41A4
	mseSetKAT        = 0x41A6
	mseSetDST        = 0x81B6
	mseSetATExternal = 0x81A4
)

// maxChained is the most command data of one chain, in octets.
const maxChained = 1 << 14

// maxAnswer is the most data in an answer: with its status word it fills the
// largest message of vpcd, 65,535 octets.
const maxAnswer = 65535 - 2

// Instructions (ISO/IEC 7816-4:2020, table 4).
const (
	insManageSecurity       = 0x22
	insPerformSecurity      = 0x2A
	insExternalAuthenticate = 0x82
	insGetChallenge         = 0x84
	insGeneralAuthenticate  = 0x86
	insInternalAuthenticate = 0x88
	insSelect               = 0xA4
	insReadBinary           = 0xB0
	insReadBinaryOdd        = 0xB1
)

// step names what a command asks for, as Fault.Step does.
func (c *Chip) step(cmd command) string {
	switch cmd.ins {
	case insSelect:
		return "select:" + c.selectTarget(cmd)
	case insReadBinary, insReadBinaryOdd:
		name, _ := c.readTarget(cmd)
		return "read:" + name
	case insGetChallenge:
		if c.state.terminal.chosen {
			return "ta-challenge"
		}
		return "get-challenge"
	case insExternalAuthenticate:
		if c.state.terminal.chosen {
			return "ta-authenticate"
		}
		return "external-authenticate"
	case insInternalAuthenticate:
		return "internal-authenticate"
	case insManageSecurity:
		switch uint16(cmd.p1)<<8 | uint16(cmd.p2) {
		case mseSetATMutual:
			return "pace-select"
		case mseSetDST:
			return "ta-dst"
		case mseSetATExternal:
			return "ta-select"
		}
		return "ca-select"
	case insPerformSecurity:
		return "ta-verify"
	case insGeneralAuthenticate:
		if run := c.state.pace; run != nil {
			return fmt.Sprintf("pace-%d", run.done+1)
		}
		return "ca-agree"
	}
	return ""
}

func (c *Chip) endSession() {
	if c.state.sm != nil {
		c.state.sm, c.state.granted, c.state.terminal = nil, false, terminalRun{}
	}
}

func (c *Chip) maxCommand() int {
	if n := c.doc.Limits.MaxCommand; n > 0 {
		return n
	}
	return 65535
}

func statusOnly(sw int) []byte { return []byte{byte(sw >> 8), byte(sw)} }

func noise(r io.Reader) []byte {
	out := make([]byte, 300)
	if _, err := io.ReadFull(r, out); err != nil {
		panic("passport: no random octets: " + err.Error())
	}
	return out
}
