package passport

import (
	"bytes"
	"math/big"
	"slices"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// Constants of the pseudo-random function of the integrated mapping, for keys
// of 128 bits and for longer ones (Doc 9303-11 (2021), 4.4.3.3.2).
var randomConstants = map[bool][2]string{
	false: {"a668892a7c41e3ca739f40b057d85904", "a4e136ac725f738b01c1f60217c188ad"},
	true: {"d463d65234124ef7897054986dca0a174e28df758cbaa03f240616414d5a1676",
		"54bd7255f0aaf831bec3423fcf39d69b6cbf066677d0faae5aadd99df8e53517"},
}

// pseudoRandom is R(s,t): t is the terminal's nonce and first key.
func (s suite) pseudoRandom(nonce, t []byte, bits int) *big.Int {
	long := s.keySize() > 16
	size := 16
	if long {
		size = 32
	}
	constant := func(i int) []byte {
		v, ok := new(big.Int).SetString(randomConstants[long][i], 16)
		if !ok {
			panic("passport: constant is not hexadecimal")
		}
		return v.FillBytes(make([]byte, size))
	}
	seal := func(key, data []byte) []byte {
		return cbcEncrypt(s.cipher(key[:s.keySize()]), make([]byte, s.blockSize()), data)
	}
	const spare = 64
	var out []byte
	for key := seal(t, nonce); len(out)*8 < bits+spare; key = seal(key, constant(0)) {
		out = append(out, seal(key, constant(1))...)
	}
	return new(big.Int).SetBytes(out)
}

func (s suite) keySize() int {
	switch s {
	case suiteAES192:
		return 24
	case suiteAES256:
		return 32
	}
	return 16
}

// paceMap answers the mapping step: the key of the generic mapping, nothing
// for the integrated one.
func (c *Chip) paceMap(run *paceRun, value []byte, d damage) ([]byte, int) {
	if run.offer.Mapping == MappingIntegrated {
		if len(value) != run.suite.keySize() || len(run.nonce) < run.suite.keySize() {
			return nil, swData
		}
		number := run.suite.pseudoRandom(run.nonce, value, run.domain.bits())
		var ok bool
		if run.generator, ok = run.domain.embed(number); !ok {
			return nil, swAuthFailed
		}
		return []byte{}, swOK
	}
	theirs, ok := run.domain.decode(value)
	if !ok {
		return nil, swData
	}
	k, shared := c.agreeOn(run.domain, theirs, d)
	nonce := run.domain.mul(new(big.Int).SetBytes(run.nonce), run.domain.generator())
	run.generator = run.domain.add(nonce, shared)
	if run.domain.neutral(run.generator) {
		return nil, swAuthFailed
	}
	run.mapKey = k
	return damagedKey(run.domain, run.domain.mul(k, run.domain.generator()), value, d), swOK
}

// agreeOn draws a private key for which the shared element will do: any, or
// one whose secret begins with a zero octet where a fault wants that. Those
// are looked for by steps of one, each of which adds the other's key.
func (c *Chip) agreeOn(dom domain, theirs element, d damage) (k *big.Int, shared element) {
	k, err := dom.scalar(c.rand)
	if err != nil {
		panic("passport: no random octets: " + err.Error())
	}
	shared = dom.mul(k, theirs)
	for d.has(KindLeadingZero) && (dom.neutral(shared) || dom.secret(shared)[0] != 0) {
		k.Add(k, big.NewInt(1))
		shared = dom.add(shared, theirs)
	}
	return k.Mod(k, dom.order()), shared
}

// chipData is the encrypted chip authentication data of the chip
// authentication mapping: the map key over the static key (Doc 9303-11 (2021),
// 4.4.3.5.2).
func (c *Chip) chipData(run *paceRun, d damage) []byte {
	static := c.doc.Secret.MappingKey
	if static == nil {
		return nil
	}
	n := run.domain.order()
	v := new(big.Int).ModInverse(static, n)
	v.Mul(v, run.mapKey).Mod(v, n)
	if d.has(KindWrongChipData) {
		v.Add(v, big.NewInt(1))
	}
	key := run.suite.derive(run.secret, kdfEncrypt)
	block := run.suite.cipher(key)
	iv := bytes.Repeat([]byte{0xFF}, run.suite.blockSize())
	block.Encrypt(iv, iv)
	size := (n.BitLen() + 7) / 8
	return cbcEncrypt(block, iv, pad(v.FillBytes(make([]byte, size)), run.suite.blockSize()))
}

// damagedKey encodes the chip's key, or what a fault puts in its place.
func damagedKey(dom domain, e element, theirs []byte, d damage) []byte {
	switch {
	case d.has(KindEchoKey):
		return theirs
	case d.has(KindInfinity):
		return dom.encode(element{})
	case d.has(KindOffCurve):
		out := slices.Clone(dom.encode(e))
		out[len(out)-1] ^= 1
		return out
	}
	return dom.encode(e)
}

// mappingInfo is the ChipAuthenticationPublicKeyInfo of the static key, as
// EF.CardSecurity has it.
func mappingInfo(publicKey []byte) []byte {
	return der.Seq(der.OID(oidPublicKeyECDH), publicKey)
}
