package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"

	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// Verify checks a signature over message. Errors: ErrSignature,
// ErrForbiddenHash, ErrAlgorithm, or the key's own error. SHA-1 verifies: ask
// Algorithm.WeakHash.
func (k *PublicKey) Verify(a Algorithm, message, signature []byte) error {
	if a.Err != nil {
		return a.Err
	}
	if a.Hash == 0 || !a.Hash.Available() {
		return fault.New(ErrAlgorithm.Code, "%s names no hash", a.OID)
	}
	h := a.Hash.New()
	h.Write(message)
	return k.VerifyDigest(a, h.Sum(nil), signature)
}

// VerifyDigest checks a signature over a digest of a.Hash.
func (k *PublicKey) VerifyDigest(a Algorithm, digest, signature []byte) error {
	switch {
	case k.Err != nil:
		return k.Err
	case a.Err != nil:
		return a.Err
	case a.Hash == 0 || len(digest) != a.Hash.Size():
		return fault.New(ErrAlgorithm.Code, "digest does not fit %s", a)
	}
	switch a.Scheme {
	case SchemeRSAPKCS1, SchemeRSAUnbound:
		if k.RSA == nil {
			break
		}
		if k.OID == oidRSAPSS {
			return fault.New(ErrAlgorithm.Code, "PKCS #1 v1.5 signature under a key kept to RSASSA-PSS")
		}
		return k.RSA.verifyPKCS1(a.Hash, digest, signature)
	case SchemeRSAPSS:
		if k.RSA == nil {
			break
		}
		return k.RSA.verifyPSS(a, digest, signature)
	case SchemeDSA:
		if k.DSA == nil {
			break
		}
		r, s, err := derSignature(signature)
		if err != nil {
			return err
		}
		return k.DSA.verify(digest, r, s)
	case SchemeECDSA, SchemePlainECDSA:
		if k.EC == nil {
			break
		}
		var r, s *big.Int
		var err error
		if a.Scheme == SchemeECDSA {
			r, s, err = derSignature(signature)
		} else {
			r, s, err = plainSignature(k.EC.Curve, signature)
		}
		if err != nil {
			return err
		}
		return k.EC.verify(digest, r, s)
	}
	return fault.New(ErrAlgorithm.Code, "%s under a key of %s", a, k)
}

// verifyPKCS1 builds the one encoding that is due and compares it whole
// (RFC 8017:2016 8.2.2), so that no lax parsing of a padding is possible. The
// form without NULL parameters is accepted too, as note 2 of its A.2.4 asks.
func (k *RSAKey) verifyPKCS1(h crypto.Hash, digest, signature []byte) error {
	em, err := k.open(signature)
	if err != nil {
		return err
	}
	oid, ok := digestOIDs[h]
	if !ok {
		return fault.New(ErrAlgorithm.Code, "no identifier for %s", HashName(h))
	}
	id := der.Marshal(der.ObjectID, oid)
	for _, parameters := range [][]byte{{0x05, 0x00}, nil} {
		info := der.Marshal(der.Sequence, der.Marshal(der.Sequence, id, parameters), der.Marshal(der.OctetString, digest))
		if len(em) < len(info)+11 {
			return fault.New(ErrSignature.Code, "key of %d bytes is too short for the hash", len(em))
		}
		want := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, len(em)-len(info)-3)...)
		want = append(append(want, 0), info...)
		if bytes.Equal(em, want) {
			return nil
		}
	}
	return fault.New(ErrSignature.Code, "RSA signature does not verify")
}

// digestOIDs are the content octets of the digest identifiers.
var digestOIDs = map[crypto.Hash][]byte{
	crypto.SHA1:   {0x2B, 0x0E, 0x03, 0x02, 0x1A},
	crypto.SHA224: {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04},
	crypto.SHA256: {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01},
	crypto.SHA384: {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02},
	crypto.SHA512: {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03},
}

// open is RSAVP1 with the result at the length of the modulus.
func (k *RSAKey) open(signature []byte) ([]byte, error) {
	n := (k.N.BitLen() + 7) / 8
	if len(signature) != n {
		return nil, fault.New(ErrSignature.Code, "RSA signature of %d bytes under a modulus of %d", len(signature), n)
	}
	s := new(big.Int).SetBytes(signature)
	if s.Cmp(k.N) >= 0 {
		return nil, fault.New(ErrSignature.Code, "RSA signature is not below the modulus")
	}
	return s.Exp(s, k.E, k.N).FillBytes(make([]byte, n)), nil
}

// verifyPSS is EMSA-PSS-VERIFY (RFC 8017:2016 9.1.2).
func (k *RSAKey) verifyPSS(a Algorithm, digest, signature []byte) error {
	bad := fault.New(ErrSignature.Code, "RSASSA-PSS signature does not verify")
	if a.MGFHash == 0 || !a.MGFHash.Available() {
		return fault.New(ErrAlgorithm.Code, "RSASSA-PSS without a mask hash")
	}
	em, err := k.open(signature)
	if err != nil {
		return err
	}
	emBits := k.N.BitLen() - 1
	if emLen := (emBits + 7) / 8; len(em) > emLen {
		// The modulus is one bit over a whole number of bytes.
		if em[0] != 0 {
			return bad
		}
		em = em[1:]
	}
	hLen := a.Hash.Size()
	if len(em) < hLen+a.SaltLength+2 || em[len(em)-1] != 0xBC {
		return bad
	}
	db := append([]byte(nil), em[:len(em)-hLen-1]...)
	h := em[len(db) : len(em)-1]
	spare := byte(0xFF) >> (8*len(em) - emBits)
	if db[0]&^spare != 0 {
		return bad
	}
	mask(a.MGFHash, h, db)
	db[0] &= spare
	zeros := len(db) - a.SaltLength - 1
	for _, b := range db[:zeros] {
		if b != 0 {
			return bad
		}
	}
	if db[zeros] != 1 {
		return bad
	}
	inner := a.Hash.New()
	inner.Write(make([]byte, 8))
	inner.Write(digest)
	inner.Write(db[zeros+1:])
	if !bytes.Equal(inner.Sum(nil), h) {
		return bad
	}
	return nil
}

// mask xors MGF1(seed) into db (RFC 8017:2016 B.2.1).
func mask(h crypto.Hash, seed, db []byte) {
	for counter, at := uint32(0), 0; at < len(db); counter++ {
		f := h.New()
		f.Write(seed)
		f.Write([]byte{byte(counter >> 24), byte(counter >> 16), byte(counter >> 8), byte(counter)})
		for _, b := range f.Sum(nil) {
			if at == len(db) {
				break
			}
			db[at] ^= b
			at++
		}
	}
}

// derSignature reads ECDSA-Sig-Value strictly, so that one signature has one form.
func derSignature(b []byte) (r, s *big.Int, err error) {
	wrong := func(err error) (*big.Int, *big.Int, error) {
		return nil, nil, fault.New(ErrSignature.Code, "ECDSA value is not in DER: %v", err)
	}
	e, err := der.ParseStrict(b)
	if err != nil {
		return wrong(err)
	}
	if e.ID != der.Sequence {
		return wrong(malformedf("no sequence"))
	}
	var v [2]*big.Int
	rest := e.Content
	for i := range v {
		var n der.Element
		if n, rest, err = der.Parse(rest); err != nil {
			return wrong(err)
		}
		if n, err = der.ParseStrict(n.Raw); err != nil {
			return wrong(err)
		}
		if v[i], err = n.StrictUint(); err != nil {
			return wrong(err)
		}
	}
	if len(rest) != 0 {
		return wrong(malformedf("%d bytes left over", len(rest)))
	}
	return v[0], v[1], nil
}

// plainSignature splits r||s, each at the order's length (BSI TR-03111 v2.10 5.2.1).
func plainSignature(c *curve.Curve, b []byte) (r, s *big.Int, err error) {
	n := c.OrderBytes()
	if len(b) != 2*n {
		return nil, nil, fault.New(ErrSignature.Code, "plain ECDSA value of %d bytes where %d are due", len(b), 2*n)
	}
	return new(big.Int).SetBytes(b[:n]), new(big.Int).SetBytes(b[n:]), nil
}

// standardCurves are verified by the standard library, which is faster.
var standardCurves = map[string]func() elliptic.Curve{
	"P-224": elliptic.P224, "P-256": elliptic.P256, "P-384": elliptic.P384, "P-521": elliptic.P521,
}

// verify is ECDSA verification (SEC 1 v2.0:2009 4.1.4).
func (k *ECKey) verify(digest []byte, r, s *big.Int) error {
	bad := fault.New(ErrSignature.Code, "ECDSA signature does not verify")
	c := k.Curve
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(c.N) >= 0 || s.Cmp(c.N) >= 0 {
		return bad
	}
	if std, ok := standardCurves[c.Name]; ok {
		public, err := ecdsa.ParseUncompressedPublicKey(std(), c.Marshal(k.Point))
		if err != nil || !ecdsa.Verify(public, digest, r, s) {
			return bad
		}
		return nil
	}
	if len(digest) > c.OrderBytes() {
		digest = digest[:c.OrderBytes()]
	}
	e := new(big.Int).SetBytes(digest)
	if excess := 8*len(digest) - c.N.BitLen(); excess > 0 {
		e.Rsh(e, uint(excess))
	}
	w := new(big.Int).ModInverse(s, c.N)
	u := new(big.Int).Mul(e, w)
	v := new(big.Int).Mul(r, w)
	p := c.Combine(u, k.Point, v)
	if p.IsInfinity() || new(big.Int).Mod(p.X, c.N).Cmp(r) != 0 {
		return bad
	}
	return nil
}
