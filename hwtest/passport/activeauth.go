package passport

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

// oidActiveAuth is id-icao-mrtd-security-aaProtocolObject, and oidPlain the
// plain ECDSA signatures of BSI TR-03111, with the hash as last arc (Doc
// 9303-11 (2021), 9.2.4).
const (
	oidActiveAuth = "2.23.136.1.1.5"
	oidPlain      = "0.4.0.127.0.7.1.1.4.1"
)

// aaHashes are the hashes of active authentication: the arc of plain ECDSA
// and the trailer of ISO/IEC 9796-2:2010, table 3; one octet, or two with CC.
var aaHashes = map[string]struct {
	arc     int
	trailer []byte
}{
	"sha1":   {1, []byte{0xBC}},
	"sha224": {2, []byte{0x38, 0xCC}},
	"sha256": {3, []byte{0x34, 0xCC}},
	"sha384": {4, []byte{0x36, 0xCC}},
	"sha512": {5, []byte{0x35, 0xCC}},
}

// activeAuthInfo is the ActiveAuthenticationInfo that DG14 must have for ECDSA.
func activeAuthInfo(hash string) []byte {
	return der.Seq(der.OID(oidActiveAuth), der.SmallInt(1), der.OID(fmt.Sprintf("%s.%d", oidPlain, aaHashes[hash].arc)))
}

// internalAuthenticate is INTERNAL AUTHENTICATE of active authentication (Doc
// 9303-11 (2021), 6.1): the terminal's eight octets are signed.
func (c *Chip) internalAuthenticate(cmd command, d damage) ([]byte, int) {
	key := c.doc.Secret.ActiveKey
	switch {
	case key == nil || !c.state.inLDS:
		return nil, swINS
	case !c.state.granted && !c.doc.Access.Open:
		return nil, swSecurity
	case cmd.p1 != 0 || cmd.p2 != 0:
		return nil, swP1P2
	case len(cmd.data) != 8:
		return nil, swLength
	}
	signature, err := c.signChallenge(key, cmd.data)
	if err != nil {
		return nil, swConditions
	}
	if d.has(KindBadSignature) {
		spoil(key, signature)
	}
	return signature, swOK
}

// spoil makes a signature a wrong one. Of RSA's one in some hundred still ends
// in a trailer by chance and fails for another reason than the others: it is
// spoilt further.
func spoil(key *pki.Key, signature []byte) {
	for i := len(signature) / 2; i < len(signature); i++ {
		signature[i] ^= 1
		if key.RSA == nil {
			return
		}
		m := new(big.Int).SetBytes(signature)
		m.Exp(m, big.NewInt(int64(key.RSA.E)), key.RSA.N)
		last := func(x *big.Int) byte { return byte(new(big.Int).And(x, big.NewInt(0xFF)).Uint64()) }
		ends := []byte{last(m), last(new(big.Int).Sub(key.RSA.N, m))}
		if bytes.IndexByte(ends, 0xBC) < 0 && bytes.IndexByte(ends, 0xCC) < 0 { // trailers of ISO/IEC 9796-2:2010
			return
		}
	}
}

func (c *Chip) signChallenge(key *pki.Key, challenge []byte) ([]byte, error) {
	if key.RSA == nil {
		digest, err := pki.Digest(key.Scheme.Hash, challenge)
		if err != nil {
			return nil, err
		}
		r, s, err := key.Curve.Sign(c.rand, key.D, digest)
		if err != nil {
			return nil, err
		}
		size := (key.Curve.N.BitLen() + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...), nil
	}
	// Digital signature scheme 1 of ISO/IEC 9796-2:2010 with partial recovery:
	// 6A, a message part of the chip's own, the hash over it and the challenge,
	// the trailer.
	trailer := aaHashes[key.Scheme.Hash].trailer
	empty, err := pki.Digest(key.Scheme.Hash, nil)
	if err != nil {
		return nil, err
	}
	own := c.random(key.RSA.Size() - 1 - len(empty) - len(trailer))
	digest, err := pki.Digest(key.Scheme.Hash, append(bytes.Clone(own), challenge...))
	if err != nil {
		return nil, err
	}
	return key.RSA.Private(bytes.Join([][]byte{{0x6A}, own, digest, trailer}, nil)), nil
}
