package passport

import (
	"crypto/sha1"
	"crypto/subtle"
	"fmt"
	"math/big"

	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// PACE is one offer of password authenticated connection establishment with
// generic mapping over an elliptic curve.
type PACE struct {
	Suite     string `yaml:"suite" json:"suite"`         // 3des, aes128, aes192, aes256
	Parameter int    `yaml:"parameter" json:"parameter"` // 8 to 18 (Doc 9303-11 (2021), table 8)
}

// oidPACEGM is id-PACE-ECDH-GM (Doc 9303-11 (2021), 9.2.1); the last arc is the
// suite.
const oidPACEGM = "0.4.0.127.0.7.2.2.4.2"

var suites = map[string]suite{"3des": suite3DES, "aes128": suiteAES128, "aes192": suiteAES192, "aes256": suiteAES256}

func (p PACE) oid() string { return fmt.Sprintf("%s.%d", oidPACEGM, suites[p.Suite]) }

// info is the PACEInfo of Doc 9303-11 (2021), 9.2.1.
func (p PACE) info() []byte {
	return der.Seq(der.OID(p.oid()), der.SmallInt(2), der.SmallInt(int64(p.Parameter)))
}

// paceRun is a PACE exchange on its way.
type paceRun struct {
	offer     PACE
	suite     suite
	curve     *curve.Curve
	key       []byte // from the password
	done      int    // steps answered
	nonce     []byte
	generator curve.Point // mapped
	secret    []byte
	mine      curve.Point // ephemeral public keys on the mapped generator
	theirs    curve.Point
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
		case p.tag == 0x84 && len(p.value) == 1:
			parameter = int(p.value[0])
		default:
			return nil, swData
		}
	}
	for _, offer := range c.doc.Access.PACE {
		if string(der.TLV(0x06, oid)) != string(der.OID(offer.oid())) || parameter >= 0 && parameter != offer.Parameter {
			continue
		}
		s := suites[offer.Suite]
		key := c.passwordKey(s, password)
		if key == nil {
			return nil, swReferenceAbsent
		}
		domain, err := curve.ByPACE(offer.Parameter)
		if err != nil {
			return nil, swReferenceAbsent
		}
		c.state.pace = &paceRun{offer: offer, suite: s, curve: domain, key: key}
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
	return der.TLV(0x7C, der.TLV(uint32(tag), value)), swOK
}

const nonceSize = 16 // octets: a multiple of either block size

func (c *Chip) paceNonce(run *paceRun, d damage) []byte {
	run.nonce = c.random(nonceSize)
	sent := run.nonce
	if d.has(KindWrongNonce) {
		sent = c.random(nonceSize)
	}
	return cbcEncrypt(run.suite.cipher(run.key), make([]byte, run.suite.blockSize()), sent)
}

// paceMap is the generic mapping (Doc 9303-11 (2021), 4.4.3.3.1): G' = s·G + H
// with H from an anonymous key agreement.
func (c *Chip) paceMap(run *paceRun, value []byte, d damage) ([]byte, int) {
	theirs, ok := run.curve.Decode(value)
	if !ok {
		return nil, swData
	}
	k := c.scalar(run.curve, func(k *big.Int) bool {
		return !d.has(KindLeadingZero) || run.curve.Shared(k, theirs)[0] == 0
	})
	shared := run.curve.Mul(k, theirs)
	run.generator = run.curve.Add(run.curve.Mul(new(big.Int).SetBytes(run.nonce), run.curve.G), shared)
	if run.generator.Infinite() {
		return nil, swAuthFailed
	}
	return damagedPoint(run.curve, run.curve.Public(k), value, d), swOK
}

// paceAgree is the key agreement over the mapped generator.
func (c *Chip) paceAgree(run *paceRun, value []byte, d damage) ([]byte, int) {
	theirs, ok := run.curve.Decode(value)
	if !ok {
		return nil, swData
	}
	k := c.scalar(run.curve, func(k *big.Int) bool {
		return !d.has(KindLeadingZero) || run.curve.Shared(k, theirs)[0] == 0
	})
	run.theirs = theirs
	run.mine = run.curve.Mul(k, run.generator)
	run.secret = run.curve.Shared(k, theirs)
	if run.mine.X.Cmp(theirs.X) == 0 {
		return nil, swAuthFailed // the two keys must differ (Doc 9303-11 (2021), 4.4.1)
	}
	return damagedPoint(run.curve, run.mine, value, d), swOK
}

// paceConfirm checks the terminal's token, answers with the chip's, and starts
// secure messaging.
func (c *Chip) paceConfirm(run *paceRun, value []byte, d damage) ([]byte, int) {
	macKey := run.suite.derive(run.secret, kdfMAC)
	if subtle.ConstantTimeCompare(run.token(macKey, run.mine), value) != 1 {
		return nil, swAuthFailed
	}
	token := run.token(macKey, run.theirs)
	if d.has(KindWrongToken) {
		token[0] ^= 1
	}
	c.state.next = newMessaging(run.suite, run.secret, nil)
	c.state.granted = true
	return token, swOK
}

// token is the authentication token over a public key (Doc 9303-11 (2021),
// 4.4.3.4 and 9.4.4).
func (run *paceRun) token(macKey []byte, key curve.Point) []byte {
	input := der.TLV(0x7F49, der.OID(run.offer.oid()), der.TLV(0x86, run.curve.Encode(key)))
	if run.suite == suite3DES {
		input = pad(input, run.suite.blockSize())
	}
	return run.suite.mac(macKey, input)
}

// scalar draws private keys until one will do.
func (c *Chip) scalar(domain *curve.Curve, willDo func(*big.Int) bool) *big.Int {
	for {
		k, err := domain.Scalar(c.rand)
		if err != nil {
			panic("passport: no random octets: " + err.Error())
		}
		if willDo(k) {
			return k
		}
	}
}

// damagedPoint encodes the chip's point, or what a fault puts in its place.
func damagedPoint(domain *curve.Curve, p curve.Point, theirs []byte, d damage) []byte {
	switch {
	case d.has(KindEchoKey):
		return theirs
	case d.has(KindInfinity):
		return domain.Encode(curve.Point{})
	case d.has(KindOffCurve):
		out := domain.Encode(p)
		out[len(out)-1] ^= 1
		return out
	}
	return domain.Encode(p)
}
