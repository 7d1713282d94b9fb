package passport

import (
	"crypto/sha1"
	"crypto/subtle"
	"io"
	"slices"
)

// getChallenge is GET CHALLENGE: of terminal authentication where a terminal's
// key has been chosen, else of basic access control (Doc 9303-11 (2021),
// 4.3.4.1): eight octets, inside the application only.
func (c *Chip) getChallenge(cmd command) ([]byte, int) {
	if cmd.p1 != 0 || cmd.p2 != 0 {
		return nil, swP1P2
	}
	if c.state.terminal.chosen && cmd.ne >= 8 {
		c.state.terminal.challenge = c.random(8)
		return slices.Clone(c.state.terminal.challenge), swOK
	}
	if !c.state.inLDS || c.doc.Access.NoBAC || c.doc.Access.Open {
		return nil, swConditions
	}
	if cmd.ne < 8 {
		return nil, swLength
	}
	c.state.challenge = c.random(8)
	return slices.Clone(c.state.challenge), swOK
}

// externalAuthenticate is EXTERNAL AUTHENTICATE of basic access control (Doc
// 9303-11 (2021), 4.3.1 and 4.3.4.2). A challenge serves one attempt.
func (c *Chip) externalAuthenticate(cmd command) ([]byte, int) {
	if cmd.p1 != 0 || cmd.p2 != 0 {
		return nil, swP1P2
	}
	if c.state.terminal.challenge != nil {
		return c.authenticateTerminal(cmd)
	}
	challenge := c.state.challenge
	c.state.challenge = nil
	if challenge == nil || c.state.granted {
		return nil, swConditions
	}
	if len(cmd.data) != 40 || cmd.ne < 40 {
		return nil, swLength
	}
	sum := sha1.Sum([]byte(c.doc.Secret.AccessInfo))
	seed := sum[:16]
	encKey, macKey := suite3DES.derive(seed, kdfEncrypt), suite3DES.derive(seed, kdfMAC)
	if subtle.ConstantTimeCompare(suite3DES.mac(macKey, pad(cmd.data[:32], 8)), cmd.data[32:]) != 1 {
		return nil, swAuthFailed
	}
	block := suite3DES.cipher(encKey)
	zero := make([]byte, 8)
	s := cbcDecrypt(block, zero, cmd.data[:32])
	terminal, echoed, terminalKey := s[:8], s[8:16], s[16:32]
	if subtle.ConstantTimeCompare(echoed, challenge) != 1 {
		return nil, swAuthFailed
	}
	chipKey := c.random(16)
	sealed := cbcEncrypt(block, zero, slices.Concat(challenge, terminal, chipKey))
	answer := append(sealed, suite3DES.mac(macKey, pad(sealed, 8))...)
	session := make([]byte, 16)
	subtle.XORBytes(session, terminalKey, chipKey)
	c.state.next = newMessaging(suite3DES, session, slices.Concat(challenge[4:], terminal[4:]))
	c.state.granted = true
	c.state.terminal = terminalRun{chipID: documentNumber(c.doc.Secret.AccessInfo)}
	return answer, swOK
}

func (c *Chip) random(n int) []byte {
	out := make([]byte, n)
	if _, err := io.ReadFull(c.rand, out); err != nil {
		panic("passport: no random octets: " + err.Error())
	}
	return out
}
