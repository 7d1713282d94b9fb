package passport

import (
	"crypto"
	"crypto/rsa"
	"math/big"
	"strings"
	"time"

	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// cvCertificate is a card verifiable certificate as a chip reads it (BSI
// TR-03110-3 (2016), C.1).
type cvCertificate struct {
	body      []byte // 7F4E, what is signed
	signature []byte
	authority string
	holder    string
	key       []byte // content of 7F49
	rights    byte   // role and rights
	from      time.Time
	until     time.Time
}

const (
	oidTerminal         = "0.4.0.127.0.7.2.2.2"
	oidInspectionSystem = "0.4.0.127.0.7.3.1.2.1"

	roleMask = 0xC0
	roleCVCA = 0xC0
	roleIS   = 0x00
	roleOwn  = 0x80 // of a document verifier: domestic
)

// parseCV reads the two objects of PSO: VERIFY CERTIFICATE.
func parseCV(data []byte) (c cvCertificate, ok bool) {
	outer, ok := objects(data)
	if !ok || len(outer) != 2 || outer[0].tag != 0x7F4E || outer[1].tag != 0x5F37 {
		return c, false
	}
	c.body, c.signature = outer[0].raw, outer[1].value
	parts, ok := objects(outer[0].value)
	if !ok {
		return c, false
	}
	found := map[uint32][]byte{}
	for _, p := range parts {
		found[p.tag] = p.value
	}
	c.authority, c.holder, c.key = string(found[0x42]), string(found[0x5F20]), found[0x7F49]
	authorization, ok := objects(found[0x7F4C])
	if !ok || len(authorization) != 2 || string(authorization[0].raw) != string(der.OID(oidInspectionSystem)) || len(authorization[1].value) != 1 {
		return c, false
	}
	c.rights = authorization[1].value[0]
	var fromOK, untilOK bool
	c.from, fromOK = cvDay(found[0x5F25])
	c.until, untilOK = cvDay(found[0x5F24])
	return c, fromOK && untilOK && c.authority != "" && c.holder != "" && c.key != nil && len(found) == len(parts)
}

func cvDay(b []byte) (time.Time, bool) {
	if len(b) != 6 {
		return time.Time{}, false
	}
	text := make([]byte, 6)
	for i, d := range b {
		if d > 9 {
			return time.Time{}, false
		}
		text[i] = '0' + d
	}
	t, err := time.Parse("060102", string(text))
	return t, err == nil
}

// cvKey is a public key of a terminal or of an authority.
type cvKey struct {
	arcs  string // after id-TA
	rsa   *rsa.PublicKey
	curve *curve.Curve
	point curve.Point
}

// parseCVKey reads the content of 7F49. A key without domain parameters is on
// its issuer's curve.
func parseCVKey(data []byte, issuer *curve.Curve) (k cvKey, ok bool) {
	parts, ok := objects(data)
	if !ok || len(parts) < 2 || parts[0].tag != 0x06 {
		return k, false
	}
	found := map[uint32][]byte{}
	for _, p := range parts[1:] {
		found[p.tag] = p.value
	}
	for _, arcs := range []string{"1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "2.1", "2.2", "2.3", "2.4", "2.5"} {
		if string(parts[0].raw) == string(der.OID(oidTerminal+"."+arcs)) {
			k.arcs = arcs
		}
	}
	switch {
	case strings.HasPrefix(k.arcs, "1."):
		n, e := new(big.Int).SetBytes(found[0x81]), new(big.Int).SetBytes(found[0x82])
		if n.Sign() == 0 || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
			return k, false
		}
		k.rsa = &rsa.PublicKey{N: n, E: int(e.Int64())}
		return k, true
	case k.arcs == "":
		return k, false
	}
	k.curve = issuer
	if p := found[0x81]; p != nil {
		k.curve = curveOver(p, found)
	}
	if k.curve == nil {
		return k, false
	}
	k.point, ok = k.curve.Decode(found[0x86])
	return k, ok
}

// curveOver returns the curve of these domain parameters, nil where one of
// them is another's.
func curveOver(prime []byte, found map[uint32][]byte) *curve.Curve {
	same := func(b []byte, v *big.Int) bool { return new(big.Int).SetBytes(b).Cmp(v) == 0 }
	for _, name := range curve.Names() {
		c, err := curve.ByName(name)
		if err != nil || !same(prime, c.P) {
			continue
		}
		if same(found[0x82], c.A) && same(found[0x83], c.B) && string(found[0x84]) == string(c.Encode(c.G)) && same(found[0x85], c.N) {
			return c
		}
	}
	return nil
}

// verify checks a signature, the RSA ones by the standard library.
func (k cvKey) verify(message, signature []byte) bool {
	hash := map[string]crypto.Hash{
		"1.1": crypto.SHA1, "1.2": crypto.SHA256, "1.3": crypto.SHA1, "1.4": crypto.SHA256, "1.5": crypto.SHA512, "1.6": crypto.SHA512,
		"2.1": crypto.SHA1, "2.2": crypto.SHA224, "2.3": crypto.SHA256, "2.4": crypto.SHA384, "2.5": crypto.SHA512,
	}[k.arcs]
	h := hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	switch k.arcs {
	case "1.1", "1.2", "1.5":
		return rsa.VerifyPKCS1v15(k.rsa, hash, digest, signature) == nil
	case "1.3", "1.4", "1.6":
		return rsa.VerifyPSS(k.rsa, hash, digest, signature, &rsa.PSSOptions{SaltLength: hash.Size()}) == nil
	}
	size := (k.curve.N.BitLen() + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return k.curve.Verify(k.point, digest, r, s)
}
