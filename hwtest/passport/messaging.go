package passport

import (
	"bytes"
	"crypto/subtle"
	"slices"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// Tags of secure messaging data objects (Doc 9303-11 (2021), 9.8.4).
const (
	doEncryptedBER = 0x85 // odd instruction: cryptogram without padding indicator
	doEncrypted    = 0x87
	doMAC          = 0x8E
	doLe           = 0x97
	doStatus       = 0x99
)

// messaging is one secure messaging session, seen from the chip.
type messaging struct {
	suite  suite
	encKey []byte
	macKey []byte
	ssc    []byte // send sequence counter, one block
}

// newMessaging starts a session from a shared secret; ssc nil starts at zero.
func newMessaging(s suite, secret, ssc []byte) *messaging {
	if ssc == nil {
		ssc = make([]byte, s.blockSize())
	}
	return &messaging{suite: s, encKey: s.derive(secret, kdfEncrypt), macKey: s.derive(secret, kdfMAC), ssc: ssc}
}

func (m *messaging) step() {
	for i := len(m.ssc) - 1; i >= 0; i-- {
		m.ssc[i]++
		if m.ssc[i] != 0 {
			return
		}
	}
}

// iv is zero for 3DES and the encrypted counter for AES (Doc 9303-11 (2021),
// 9.8.6.1 and 9.8.7.1).
func (m *messaging) iv() []byte {
	out := make([]byte, m.suite.blockSize())
	if m.suite != suite3DES {
		m.suite.cipher(m.encKey).Encrypt(out, m.ssc)
	}
	return out
}

// unwrap checks and opens a protected command. sw is not swOK where the
// session has to end.
func (m *messaging) unwrap(c command) (plain command, sw int) {
	m.step()
	parts, ok := objects(c.data)
	if !ok {
		return c, swSMWrong
	}
	var cryptogram, le, mac *object
	var covered []byte
	for i := range parts {
		switch p := &parts[i]; {
		case mac != nil:
			return c, swSMWrong // nothing may follow the checksum
		case (p.tag == doEncrypted || p.tag == doEncryptedBER) && cryptogram == nil && le == nil:
			cryptogram = p
			covered = append(covered, p.raw...)
		case p.tag == doLe && le == nil:
			le = p
			covered = append(covered, p.raw...)
		case p.tag == doMAC:
			mac = p
		default:
			return c, swSMWrong
		}
	}
	if mac == nil {
		return c, swSMMissing
	}
	if !m.checkCommand(c, covered, mac.value) {
		return c, swSMWrong
	}
	plain = command{cla: c.cla &^ 0x0C, ins: c.ins, p1: c.p1, p2: c.p2, extended: c.extended}
	if cryptogram != nil {
		if plain.data, ok = m.decrypt(cryptogram, c.ins); !ok {
			return c, swSMWrong
		}
	}
	if le != nil {
		switch len(le.value) {
		case 1:
			plain.ne = shortLe(le.value[0])
		case 2:
			plain.ne = extendedLe(le.value)
		default:
			return c, swSMWrong
		}
		plain.ne = min(plain.ne, m.fits(c.ne))
	}
	return plain, swOK
}

// checkCommand compares the checksum. Where no data object is covered, the
// padded header may or may not have been padded once more: readers differ,
// and ISO/IEC 7816-4:2020, 10.2.3.1 and Doc 9303-11 read differently.
func (m *messaging) checkCommand(c command, covered, got []byte) bool {
	block := m.suite.blockSize()
	input := slices.Concat(m.ssc, pad([]byte{c.cla, c.ins, c.p1, c.p2}, block))
	forms := [][]byte{pad(append(input, covered...), block)}
	if len(covered) == 0 {
		forms = append(forms, input)
	}
	for _, form := range forms {
		if subtle.ConstantTimeCompare(m.suite.mac(m.macKey, form), got) == 1 {
			return true
		}
	}
	return false
}

func (m *messaging) decrypt(o *object, ins byte) ([]byte, bool) {
	value := o.value
	if o.tag == doEncrypted {
		if ins&1 != 0 || len(value) == 0 || value[0] != 1 { // padding indicator: method 2
			return nil, false
		}
		value = value[1:]
	} else if ins&1 == 0 {
		return nil, false
	}
	if len(value) == 0 || len(value)%m.suite.blockSize() != 0 {
		return nil, false
	}
	return unpad(cbcDecrypt(m.suite.cipher(m.encKey), m.iv(), value))
}

// fits is how much plain data a protected response of at most ne octets holds:
// less the status and checksum objects, the head of the cryptogram, padding.
func (m *messaging) fits(ne int) int {
	const trailer = 4 + 10
	head := 1 + len(der.Length(ne)) + 1
	room := (ne - trailer - head) / m.suite.blockSize() * m.suite.blockSize()
	return max(room-1, 0)
}

// response is an answer on its way to protection, in parts that faults can
// disturb one by one.
type response struct {
	odd    bool // odd instruction
	data   []byte
	status int
}

// wrap protects an answer. damage may be zero.
func (m *messaging) wrap(r response, damage damage) []byte {
	m.step()
	if damage.skipCounter {
		m.step()
	}
	block := m.suite.blockSize()
	var body []byte
	if len(r.data) > 0 {
		padded := pad(r.data, block)
		if damage.badPadding {
			padded[len(padded)-1] ^= 0x55
		}
		sealed := cbcEncrypt(m.suite.cipher(m.encKey), m.iv(), padded)
		if r.odd {
			body = der.TLV(doEncryptedBER, sealed)
		} else {
			body = der.TLV(doEncrypted, []byte{1}, sealed)
		}
	}
	inner := r.status
	if damage.innerStatus != 0 {
		inner = damage.innerStatus
	}
	if !damage.dropStatus {
		body = append(body, der.TLV(doStatus, []byte{byte(inner >> 8), byte(inner)})...)
	}
	if !damage.dropMAC {
		mac := m.suite.mac(m.macKey, pad(slices.Concat(m.ssc, body), block))
		if damage.wrongMAC {
			mac = bytes.Clone(mac)
			mac[0] ^= 1
		}
		body = append(body, der.TLV(doMAC, mac)...)
	}
	return append(body, byte(r.status>>8), byte(r.status))
}
