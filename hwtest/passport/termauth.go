package passport

import (
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/cvc"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// Terminal guards DG3 and DG4 by terminal authentication, version 1 (Doc
// 9303-11 (2021), 7.1 and appendix K).
type Terminal struct {
	Authority cvc.Spec  `yaml:"authority,omitempty"`  // who certifies terminals
	Date      time.Time `yaml:"date,omitempty"`       // of the chip, the authority's first day by default
	File      uint16    `yaml:"file,omitempty"`       // identifier of EF.CVCA, 011C by default; DG14 names another
	NoInfo    bool      `yaml:"no_info,omitempty"`    // DG14 says nothing of terminal authentication
	Unguarded bool      `yaml:"unguarded,omitempty"`  // DG3 and DG4 are open to whoever has passed access control
	NoPACEID  bool      `yaml:"no_pace_id,omitempty"` // after PACE, too, the document number is what identifies the chip (a known error of chips)
}

// TerminalTrust is what a chip knows of the authorities that certify terminals.
type TerminalTrust struct {
	Points    []TrustPoint `json:"points"` // newest first, two at most
	Date      time.Time    `json:"date"`
	File      uint16       `json:"file,omitempty"`
	Unguarded bool         `json:"unguarded,omitempty"`
	NoPACEID  bool         `json:"no_pace_id,omitempty"`
}

// TrustPoint is a public key of a country verifying authority.
type TrustPoint struct {
	Reference string    `json:"reference"`
	Key       []byte    `json:"key"` // content of 7F49
	Rights    byte      `json:"rights"`
	Until     time.Time `json:"until"`
}

const fileCVCA = "CVCA"

// addTerminal gives the chip its trust point and EF.CVCA, and returns the
// TerminalAuthenticationInfo (Doc 9303-11 (2021), 9.2).
func (p Profile) addTerminal(doc *Document) ([][]byte, error) {
	t := p.Terminal
	switch {
	case t == nil:
		return nil, nil
	case t.Unguarded:
		doc.Terminal = &TerminalTrust{Unguarded: true}
		return nil, nil
	}
	h, err := cvc.New(t.Authority)
	if err != nil {
		return nil, fault.Wrap(codeProfile, err)
	}
	key, err := cvc.PublicKey(h.CVCA.Key, true)
	if err != nil {
		return nil, fault.Wrap(codeProfile, err)
	}
	o, _, _ := nextObject(key)
	statement := h.CVCA.Template
	date := t.Date
	if date.IsZero() {
		date = statement.From
	}
	doc.Terminal = &TerminalTrust{
		Points: []TrustPoint{{statement.Holder, o.value, statement.Role | statement.Rights, statement.Until}},
		Date:   date, File: t.File, NoPACEID: t.NoPACEID,
	}
	doc.Files[fileCVCA] = referencesFile(doc.Terminal.Points)
	if t.NoInfo {
		return nil, nil
	}
	info := [][]byte{der.OID(oidTerminal), der.SmallInt(1)}
	if t.File != 0 {
		info = append(info, der.Seq(der.Octets([]byte{byte(t.File >> 8), byte(t.File)})))
	}
	return [][]byte{der.Seq(info...)}, nil
}

// referencesFile is EF.CVCA: the references, padded to 36 octets (BSI
// TR-03110-3 (2016), A.3; Doc 9303-11 (2021), appendix K.2).
func referencesFile(points []TrustPoint) []byte {
	out := make([]byte, 0, 36)
	for _, p := range points {
		out = append(out, der.TLV(0x42, []byte(p.Reference))...)
	}
	return append(out, make([]byte, 36-len(out))...)
}

// terminalRun is what a session knows of the terminal.
type terminalRun struct {
	ephemeral []byte // compressed key of chip authentication; nil before it
	chipID    []byte // compressed key of PACE, else the document number

	reference string         // named by MSE:Set DST
	verified  *cvCertificate // the last certificate accepted
	key       cvKey          // its key
	rights    byte           // what the chain grants so far
	chosen    bool           // MSE:Set AT has named the terminal's key
	challenge []byte
	granted   byte // rights of an authenticated terminal
}

// setDST is MSE:Set DST: the reference of the key that verifies the next
// certificate.
func (c *Chip) setDST(cmd command) ([]byte, int) {
	run := &c.state.terminal
	if sw := c.terminalReady(); sw != swOK {
		return nil, sw
	}
	o, rest, ok := nextObject(cmd.data)
	if !ok || o.tag != 0x83 || len(rest) != 0 {
		return nil, swData
	}
	run.reference = ""
	if _, _, ok := c.verifier(string(o.value)); !ok {
		return nil, swReferenceAbsent
	}
	run.reference = string(o.value)
	return nil, swOK
}

// terminalReady: terminals are authenticated after chip authentication only.
func (c *Chip) terminalReady() int {
	switch {
	case c.trust == nil:
		return swINS
	case c.state.sm == nil || c.state.terminal.ephemeral == nil:
		return swSecurity
	}
	return swOK
}

// verifier returns the key of a reference, and what it may grant.
func (c *Chip) verifier(reference string) (key cvKey, rights byte, ok bool) {
	run := &c.state.terminal
	if run.verified != nil && run.verified.holder == reference {
		return run.key, run.rights, true
	}
	for _, p := range c.trust.Points {
		if p.Reference == reference {
			key, ok = parseCVKey(p.Key, nil)
			return key, p.Rights, ok
		}
	}
	return key, 0, false
}

// expired reports whether the trust point of this reference is past its day.
func (c *Chip) expired(reference string) bool {
	for _, p := range c.trust.Points {
		if p.Reference == reference {
			return p.Until.Before(c.trust.Date)
		}
	}
	return false
}

// verifyCertificate is PSO: VERIFY CERTIFICATE.
func (c *Chip) verifyCertificate(cmd command) ([]byte, int) {
	run := &c.state.terminal
	if sw := c.terminalReady(); sw != swOK {
		return nil, sw
	}
	key, rights, ok := c.verifier(run.reference)
	expired := c.expired(run.reference)
	run.reference = ""
	if !ok {
		return nil, swConditions
	}
	cert, ok := parseCV(cmd.data)
	if !ok {
		return nil, swData
	}
	subject, ok := parseCVKey(cert.key, key.curve)
	if !ok {
		return nil, swData
	}
	if expired && cert.rights&roleMask != roleCVCA {
		return nil, swConditions // a trust point past its day vouches for links alone (7.1.4.3.4)
	}
	if !key.verify(cert.body, cert.signature) || !mayCertify(rights&roleMask, cert.rights&roleMask) {
		return nil, swAuthFailed
	}
	if cert.until.Before(c.trust.Date) && cert.rights&roleMask != roleCVCA { // 7.1.4.3.5: links do not expire
		return nil, swAuthFailed
	}
	c.accept(cert, subject, rights)
	return nil, swOK
}

// mayCertify: authorities certify authorities and verifiers, verifiers
// inspection systems (BSI TR-03110-3 (2016), 2.3).
func mayCertify(issuer, subject byte) bool {
	if issuer == roleCVCA {
		return subject != roleIS
	}
	return issuer != roleIS && subject == roleIS
}

// accept makes the certificate the current one. A link becomes a trust point
// for good; dates of those whom the state trusts move the chip's clock.
func (c *Chip) accept(cert cvCertificate, key cvKey, issuerRights byte) {
	run := &c.state.terminal
	own := issuerRights&roleMask == roleCVCA || issuerRights&roleMask == roleOwn
	if own && cert.from.After(c.trust.Date) {
		c.trust.Date = cert.from
	}
	run.rights = cert.rights&roleMask | cert.rights&issuerRights&^roleMask
	run.verified, run.key, run.chosen = &cert, key, false
	if cert.rights&roleMask == roleCVCA {
		c.trust.Points = []TrustPoint{{cert.holder, slices.Clone(cert.key), cert.rights, cert.until}, c.trust.Points[0]}
	}
}

// setATTerminal is MSE:Set AT for external authentication: the terminal's own
// key, which must be the one certified last.
func (c *Chip) setATTerminal(cmd command) ([]byte, int) {
	run := &c.state.terminal
	if sw := c.terminalReady(); sw != swOK {
		return nil, sw
	}
	o, rest, ok := nextObject(cmd.data)
	if !ok || o.tag != 0x83 || len(rest) != 0 {
		return nil, swData
	}
	if run.verified == nil || run.verified.holder != string(o.value) || run.verified.rights&roleMask != roleIS {
		return nil, swReferenceAbsent
	}
	run.chosen = true
	return nil, swOK
}

// authenticateTerminal is EXTERNAL AUTHENTICATE of terminal authentication.
func (c *Chip) authenticateTerminal(cmd command) ([]byte, int) {
	run := &c.state.terminal
	challenge := run.challenge
	run.challenge = nil
	if challenge == nil || !run.chosen {
		return nil, swConditions
	}
	if !run.key.verify(slices.Concat(run.chipID, challenge, run.ephemeral), cmd.data) {
		return nil, swAuthFailed
	}
	run.granted = run.rights
	return nil, swOK
}

// mayReadBiometrics says whether the terminal has the right to DG3 or DG4.
func (c *Chip) mayReadBiometrics(name string) bool {
	if c.doc.Access.Open || c.trust != nil && c.trust.Unguarded {
		return true
	}
	right := byte(cvc.RightFinger)
	if name == "DG4" {
		right = cvc.RightIris
	}
	return c.state.terminal.granted&right != 0
}

// documentNumber is the number in the MRZ information with its check digit:
// what comes before the two dates and their check digits.
func documentNumber(accessInfo string) []byte {
	const dates = 2 * 7
	return []byte(accessInfo[:max(len(accessInfo)-dates, 0)])
}
