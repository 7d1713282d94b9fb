package passport

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"fmt"
	"math/big"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// Mapping is how the nonce chooses the generator.
type Mapping string

// Mappings (Doc 9303-11 (2021), 4.4.3.3).
const (
	MappingGeneric    Mapping = "gm" // also ""
	MappingIntegrated Mapping = "im"
	MappingChip       Mapping = "cam" // generic, and the chip proves a static key of EF.CardSecurity
)

// PACE is one offer of password authenticated connection establishment.
type PACE struct {
	Mapping   Mapping `yaml:"mapping,omitempty" json:"mapping,omitempty"` // gm by default
	Suite     string  `yaml:"suite" json:"suite"`                         // 3des, aes128, aes192, aes256
	Parameter int     `yaml:"parameter" json:"parameter"`                 // 0 to 2, or 8 to 18 (Doc 9303-11 (2021), 9.5.1)
	// Explicit writes the domain parameters out, as a chip with proprietary ones
	// does; Reference is what PACEInfo calls them (32 and higher), 0 for nothing.
	Explicit  bool `yaml:"explicit,omitempty" json:"explicit,omitempty"`
	Reference int  `yaml:"reference,omitempty" json:"reference,omitempty"`
}

// oidPACE is id-PACE (Doc 9303-11 (2021), 9.2.3); mapping and agreement follow
// as one arc, the suite as the last.
const oidPACE = "0.4.0.127.0.7.2.2.4"

var suites = map[string]suite{"3des": suite3DES, "aes128": suiteAES128, "aes192": suiteAES192, "aes256": suiteAES256}

func (p PACE) oid() string { return fmt.Sprintf("%s.%d.%d", oidPACE, p.arc(), suites[p.Suite]) }

// arc is 0 where there is no such protocol.
func (p PACE) arc() int {
	elliptic := p.Parameter >= firstCurve
	switch {
	case (p.Mapping == "" || p.Mapping == MappingGeneric) && !elliptic:
		return 1
	case p.Mapping == "" || p.Mapping == MappingGeneric:
		return 2
	case p.Mapping == MappingIntegrated && !elliptic:
		return 3
	case p.Mapping == MappingIntegrated:
		return 4
	case p.Mapping == MappingChip && elliptic && p.Suite != "3des":
		return 6
	}
	return 0
}

// infos are PACEInfo and, with explicit parameters, PACEDomainParameterInfo
// (Doc 9303-11 (2021), 9.2.1 and 9.2.2).
func (p PACE) infos() [][]byte {
	if !p.Explicit {
		return [][]byte{der.Seq(der.OID(p.oid()), der.SmallInt(2), der.SmallInt(int64(p.Parameter)))}
	}
	var id []byte
	if p.Reference != 0 {
		id = der.SmallInt(int64(p.Reference))
	}
	dom, err := domainByPACE(p.Parameter)
	if err != nil {
		return nil // checkAuthenticity says so
	}
	return [][]byte{
		der.Seq(der.OID(p.oid()), der.SmallInt(2), id),
		der.Seq(der.OID(fmt.Sprintf("%s.%d", oidPACE, p.arc())), dom.algorithm(), id),
	}
}

// names reports whether a reference of MSE:Set AT means this offer; -1 is none.
func (p PACE) names(reference int) bool {
	if p.Explicit {
		return reference < 0 || reference == p.Reference && p.Reference != 0
	}
	return reference < 0 || reference == p.Parameter
}

// paceRun is a PACE exchange on its way.
type paceRun struct {
	offer     PACE
	suite     suite
	domain    domain
	key       []byte // from the password
	done      int    // steps answered
	nonce     []byte
	mapKey    *big.Int // the chip's private key of the generic mapping
	generator element  // mapped
	secret    []byte
	mine      element // ephemeral public key on the mapped generator
	sent      []byte  // the same as it was sent
	theirs    []byte  // the terminal's as it came
}

// password references of MSE:Set AT (Doc 9303-11 (2021), 4.4.4.1).
const (
	passwordMRZ = 1
	passwordCAN = 2
)

// paceSelect is MSE:Set AT for mutual authentication.
func (c *Chip) paceSelect(cmd command) ([]byte, int) {
	c.state.pace = nil
	parts, ok := objects(cmd.data)
	if !ok {
		return nil, swData
	}
	var oid []byte
	password, parameter := -1, -1
	for _, p := range parts {
		switch {
		case p.tag == 0x80:
			oid = p.value
		case p.tag == 0x83 && len(p.value) == 1:
			password = int(p.value[0])
		case p.tag == 0x84 && (len(p.value) == 1 || len(p.value) == 2):
			parameter = int(new(big.Int).SetBytes(p.value).Int64())
		default:
			return nil, swData
		}
	}
	for _, offer := range c.doc.Access.PACE {
		if string(der.TLV(0x06, oid)) != string(der.OID(offer.oid())) || !offer.names(parameter) {
			continue
		}
		s := suites[offer.Suite]
		key := c.passwordKey(s, password)
		if key == nil {
			return nil, swReferenceAbsent
		}
		dom, err := domainByPACE(offer.Parameter)
		if err != nil {
			return nil, swReferenceAbsent
		}
		c.state.pace = &paceRun{offer: offer, suite: s, domain: dom, key: key}
		return nil, swOK
	}
	return nil, swData
}

// passwordKey is the key from the password referred to, nil where the chip has
// no such password (Doc 9303-11 (2021), 9.7.3).
func (c *Chip) passwordKey(s suite, reference int) []byte {
	switch {
	case reference == passwordMRZ && c.doc.Secret.AccessInfo != "":
		sum := sha1.Sum([]byte(c.doc.Secret.AccessInfo))
		return s.derive(sum[:], kdfPassword)
	case reference == passwordCAN && c.doc.Secret.CAN != "":
		return s.derive([]byte(c.doc.Secret.CAN), kdfPassword)
	}
	return nil
}

// paceStep is one GENERAL AUTHENTICATE of PACE (Doc 9303-11 (2021), 4.4.4.2):
// the four steps come in their order, all but the last with the chaining bit.
func (c *Chip) paceStep(cmd command, d damage) ([]byte, int) {
	run := c.state.pace
	c.state.pace = nil // an error ends the exchange
	o, rest, ok := nextObject(cmd.data)
	if !ok || o.tag != 0x7C || len(rest) != 0 {
		return nil, swData
	}
	run.done++
	if last := run.done == 4; last == (cmd.cla&0x10 != 0) {
		return nil, swChaining
	}
	var tag byte
	var value []byte
	if run.done > 1 {
		inner, more, ok := nextObject(o.value)
		if !ok || len(more) != 0 || int(inner.tag) != 0x7F+2*run.done-2 {
			return nil, swData
		}
		value = inner.value
	} else if len(o.value) != 0 {
		return nil, swData
	}
	var sw int
	switch run.done {
	case 1:
		tag, value, sw = 0x80, c.paceNonce(run, d), swOK
	case 2:
		tag = 0x82
		value, sw = c.paceMap(run, value, d)
	case 3:
		tag = 0x84
		value, sw = c.paceAgree(run, value, d)
	case 4:
		tag = 0x86
		value, sw = c.paceConfirm(run, value, d)
	}
	if sw != swOK {
		return nil, sw
	}
	if run.done < 4 {
		c.state.pace = run
	}
	answer := der.TLV(uint32(tag), value)
	if run.done == 4 && run.offer.Mapping == MappingChip && !d.has(KindNoChipData) {
		answer = append(answer, der.TLV(0x8A, c.chipData(run, d))...)
	}
	return der.TLV(0x7C, answer), swOK
}

const nonceSize = 16 // octets: a multiple of either block size

func (c *Chip) paceNonce(run *paceRun, d damage) []byte {
	size := nonceSize
	if run.offer.Mapping == MappingIntegrated && run.suite.keySize() > size && !d.has(KindShortNonce) {
		size = 2 * nonceSize // as long as a key at least (Doc 9303-11 (2021), 4.4.3.3.2)
	}
	run.nonce = c.random(size)
	sent := run.nonce
	if d.has(KindWrongNonce) {
		sent = c.random(size)
	}
	return cbcEncrypt(run.suite.cipher(run.key), make([]byte, run.suite.blockSize()), sent)
}

// paceAgree is the key agreement over the mapped generator.
func (c *Chip) paceAgree(run *paceRun, value []byte, d damage) ([]byte, int) {
	theirs, ok := run.domain.decode(value)
	if !ok {
		return nil, swData
	}
	k, shared := c.agreeOn(run.domain, theirs, d)
	run.theirs = value
	run.mine = run.domain.mul(k, run.generator)
	if dom, numbers := run.domain.(finite); numbers && d.has(KindShortKey) {
		for dom.encode(run.mine)[0] != 0 {
			k.Add(k, big.NewInt(1))
			run.mine, shared = dom.add(run.mine, run.generator), dom.add(shared, theirs)
		}
	}
	run.secret = run.domain.secret(shared)
	if c.agreement != nil {
		run.secret = c.agreement("pace", run.offer.Parameter, k, value)
	}
	mine := run.domain.encode(run.mine)
	if string(mine) == string(value) {
		return nil, swAuthFailed // the two keys must differ (Doc 9303-11 (2021), 4.4.1)
	}
	run.sent = mine
	if d.has(KindShortKey) {
		run.sent = bytes.TrimLeft(mine, "\x00")
		return run.sent, swOK
	}
	return damagedKey(run.domain, run.mine, value, d), swOK
}

// paceConfirm checks the terminal's token, answers with the chip's, and starts
// secure messaging.
func (c *Chip) paceConfirm(run *paceRun, value []byte, d damage) ([]byte, int) {
	macKey := run.suite.derive(run.secret, kdfMAC)
	if subtle.ConstantTimeCompare(run.token(macKey, run.sent), value) != 1 {
		return nil, swAuthFailed
	}
	token := run.token(macKey, run.theirs)
	if d.has(KindWrongToken) {
		token[0] ^= 1
	}
	c.state.next = newMessaging(run.suite, run.secret, nil)
	c.state.granted = true
	c.state.terminal = terminalRun{chipID: run.domain.compress(run.mine, run.sent)}
	if c.trust != nil && c.trust.NoPACEID {
		c.state.terminal.chipID = documentNumber(c.doc.Secret.AccessInfo)
	}
	return token, swOK
}

// token is the authentication token over a public key (Doc 9303-11 (2021),
// 4.4.3.4 and 9.4.4).
func (run *paceRun) token(macKey, key []byte) []byte {
	input := der.TLV(0x7F49, der.OID(run.offer.oid()), der.TLV(run.domain.keyTag(), key))
	if run.suite == suite3DES {
		input = pad(input, run.suite.blockSize())
	}
	return run.suite.mac(macKey, input)
}
