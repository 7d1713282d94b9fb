package passport

import (
	"bytes"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/dh"
)

// Object identifiers of chip authentication (Doc 9303-11 (2021),
// 9.2.7).
const (
	oidPublicKeyDH   = "0.4.0.127.0.7.2.2.1.1"
	oidPublicKeyECDH = "0.4.0.127.0.7.2.2.1.2"
	oidChipAuth      = "0.4.0.127.0.7.2.2.3" // with agreement (1 DH, 2 ECDH) and suite as last arcs

	oidDH    = "1.2.840.10046.2.1" // DH keys of ANSI X9.42
	oidECKey = "1.2.840.10045.2.1"
)

// ChipKey is one key of chip authentication.
type ChipKey struct {
	Curve    string `yaml:"curve" json:"curve"`                             // a name of curve.ByName, or "dh-0" to "dh-2" for a group of PACE
	Suite    string `yaml:"suite" json:"suite"`                             // 3des, aes128, aes192, aes256
	KeyID    int    `yaml:"key_id,omitempty" json:"key_id,omitempty"`       // 0 is none
	Explicit bool   `yaml:"explicit,omitempty" json:"explicit,omitempty"`   // domain parameters written out in DG14
	OmitInfo bool   `yaml:"omit_info,omitempty" json:"omit_info,omitempty"` // no ChipAuthenticationInfo: readers assume 3des and no key id
	// D is the private key. A profile leaves it out: it is made from the seed.
	D *big.Int `yaml:"-" json:"d,omitempty"`
}

func (k ChipKey) oid() string {
	agreement := 2
	if k.finite() {
		agreement = 1
	}
	return fmt.Sprintf("%s.%d.%d", oidChipAuth, agreement, suites[k.Suite])
}

func (k ChipKey) finite() bool { return strings.HasPrefix(k.Curve, "dh-") }

// parameter is the identifier of the key's domain where it is a standardized
// one, else -1.
func (k ChipKey) parameter() int {
	if number, ok := strings.CutPrefix(k.Curve, "dh-"); ok {
		id, err := strconv.Atoi(number)
		if err != nil {
			return -1
		}
		return id
	}
	for id := firstCurve; id <= lastCurve; id++ {
		if c, err := curve.ByPACE(id); err == nil && c.Name == k.Curve {
			return id
		}
	}
	return -1
}

// domain returns the group of the key.
func (k ChipKey) domain() (domain, error) {
	if number, ok := strings.CutPrefix(k.Curve, "dh-"); ok {
		id, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		g, err := dh.ByPACE(id)
		return finite{g}, err
	}
	c, err := curve.ByName(k.Curve)
	return elliptic{c}, err
}

// finitePublicKey is the SubjectPublicKeyInfo of a key in a group of numbers
// (RFC 3279 (2002), 2.3.3).
func finitePublicKey(g *dh.Group, d *big.Int) []byte {
	parameters := der.Seq(der.Int(g.P), der.Int(g.G), der.Int(g.Q))
	return der.Seq(der.Seq(der.OID(oidDH), parameters), der.Bits(der.Int(g.Power(g.G, d))))
}

// infos are the ChipAuthenticationPublicKeyInfo and ChipAuthenticationInfo of
// this key; publicKey is the encoded SubjectPublicKeyInfo.
func (k ChipKey) infos(publicKey []byte) [][]byte {
	var id [][]byte
	if k.KeyID != 0 {
		id = [][]byte{der.SmallInt(int64(k.KeyID))}
	}
	oid := oidPublicKeyECDH
	if k.finite() {
		oid = oidPublicKeyDH
	}
	key := der.Seq(append([][]byte{der.OID(oid), publicKey}, id...)...)
	if k.OmitInfo {
		return [][]byte{key}
	}
	return [][]byte{key, der.Seq(append([][]byte{der.OID(k.oid()), der.SmallInt(1)}, id...)...)}
}

// chipAuthSelect is MSE:Set AT for internal authentication: it names protocol
// and key for the GENERAL AUTHENTICATE that follows (Doc 9303-11 (2021),
// 6.2.4.2).
func (c *Chip) chipAuthSelect(cmd command) ([]byte, int) {
	c.state.chipKey = nil
	if c.state.sm == nil {
		return nil, swSecurity
	}
	parts, ok := objects(cmd.data)
	if !ok {
		return nil, swData
	}
	var oid, id []byte
	for _, p := range parts {
		switch p.tag {
		case 0x80:
			oid = p.value
		case 0x84:
			id = p.value
		default:
			return nil, swData
		}
	}
	for i := range c.doc.Secret.ChipKeys {
		k := &c.doc.Secret.ChipKeys[i]
		if bytes.Equal(der.TLV(0x06, oid), der.OID(k.oid())) && k.named(id) {
			c.state.chipKey = k
			return nil, swOK
		}
	}
	return nil, swReferenceAbsent
}

// named reports whether a key reference means this key; none will do where the
// chip has one key for the protocol.
func (k *ChipKey) named(id []byte) bool {
	return len(id) == 0 || new(big.Int).SetBytes(id).Cmp(big.NewInt(int64(k.KeyID))) == 0
}

// chipAuthAgree is GENERAL AUTHENTICATE of chip authentication.
func (c *Chip) chipAuthAgree(cmd command, d damage) ([]byte, int) {
	k := c.state.chipKey
	c.state.chipKey = nil
	o, rest, ok := nextObject(cmd.data)
	if !ok || o.tag != 0x7C || len(rest) != 0 {
		return nil, swData
	}
	inner, rest, ok := nextObject(o.value)
	if !ok || inner.tag != 0x80 || len(rest) != 0 {
		return nil, swData
	}
	if sw := c.renew(k, inner.value, d); sw != swOK {
		return nil, sw
	}
	return der.TLV(0x7C), swOK
}

// chipAuthKAT is MSE:Set KAT, the form for 3DES (Doc 9303-11 (2021), 6.2.4.1).
func (c *Chip) chipAuthKAT(cmd command, d damage) ([]byte, int) {
	if c.state.sm == nil {
		return nil, swSecurity
	}
	parts, ok := objects(cmd.data)
	if !ok {
		return nil, swData
	}
	var point, id []byte
	for _, p := range parts {
		switch p.tag {
		case 0x91:
			point = p.value
		case 0x84:
			id = p.value
		default:
			return nil, swData
		}
	}
	for i := range c.doc.Secret.ChipKeys {
		if k := &c.doc.Secret.ChipKeys[i]; k.Suite == "3des" && k.named(id) {
			return nil, c.renew(k, point, d)
		}
	}
	return nil, swReferenceAbsent
}

// renew agrees on a new secret with the terminal's key: the answer still goes
// out under the old session, all that follows comes under the new one.
func (c *Chip) renew(k *ChipKey, point []byte, d damage) int {
	dom, err := k.domain()
	if err != nil {
		return swReferenceAbsent
	}
	theirs, ok := dom.decode(point)
	if !ok {
		return swData
	}
	secret := dom.secret(dom.mul(k.D, theirs))
	if id := k.parameter(); c.agreement != nil && id >= 0 {
		secret = c.agreement("ca", id, k.D, point)
	}
	if d.has(KindStaleKeys) {
		return swOK // says yes and goes on under the old keys
	}
	c.state.next = newMessaging(suites[k.Suite], secret, nil)
	c.state.terminal = terminalRun{chipID: c.state.terminal.chipID, ephemeral: dom.compress(theirs, point)}
	return swOK
}
