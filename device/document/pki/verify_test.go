package pki_test

import (
	"crypto"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/document/internal/pkitest"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/document/pki/der"
)

func parse(t *testing.T, raw []byte) *pki.Certificate {
	t.Helper()
	c, err := pki.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every scheme verifies, and nothing verifies after a bit of the signed bytes
// or of the signature has changed.
func TestSchemes(t *testing.T) {
	rsaKey := pkitest.NewRSA(t, 1024)
	type scheme struct {
		key *pkitest.Key
		alg pkitest.Algorithm
		who pki.Scheme
	}
	var all []scheme
	hashes := []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512}
	for _, h := range hashes {
		all = append(all, scheme{rsaKey, pkitest.Algorithm{Hash: h}, pki.SchemeRSAPKCS1})
		if 2*h.Size() < 1024/8-2 {
			all = append(all, scheme{rsaKey, pkitest.Algorithm{Hash: h, PSS: true, Salt: h.Size()}, pki.SchemeRSAPSS})
		}
		all = append(all, scheme{rsaKey, pkitest.Algorithm{Hash: h, PSS: true, Salt: 7}, pki.SchemeRSAPSS})
	}
	for i, c := range curve.All() {
		k := pkitest.NewEC(t, c.Name)
		k.Explicit = i%2 == 0
		h := hashes[i%len(hashes)]
		all = append(all, scheme{k, pkitest.Algorithm{Hash: h}, pki.SchemeECDSA}, scheme{k, pkitest.Algorithm{Hash: h, Plain: true}, pki.SchemePlainECDSA})
	}
	for _, s := range all {
		c := parse(t, pkitest.Certificate{Subject: pkitest.Name("UT", "Test", "CA"), Key: s.key, Algorithm: s.alg, CA: true}.Issue(t))
		name := c.Algorithm.String() + " under " + c.PublicKey.String()
		if c.PublicKey.Err != nil || c.Algorithm.Scheme != s.who || c.Algorithm.WeakHash() != (s.alg.Hash == crypto.SHA1) {
			t.Errorf("%s: key %v, scheme %d", name, c.PublicKey.Err, c.Algorithm.Scheme)
		}
		if s.key.RSA == nil && c.PublicKey.Explicit != s.key.Explicit {
			t.Errorf("%s: explicit %v", name, c.PublicKey.Explicit)
		}
		if err := c.CheckSignatureFrom(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tbs := slices.Clone(c.RawTBS)
		tbs[len(tbs)/2] ^= 1
		if err := c.PublicKey.Verify(c.Algorithm, tbs, c.Signature); !errors.Is(err, pki.ErrSignature) {
			t.Errorf("%s: changed content: %v", name, err)
		}
		for _, at := range []int{0, len(c.Signature) / 2, len(c.Signature) - 1} {
			bad := slices.Clone(c.Signature)
			bad[at] ^= 1
			if err := c.PublicKey.Verify(c.Algorithm, c.RawTBS, bad); !errors.Is(err, pki.ErrSignature) {
				t.Errorf("%s: changed signature at %d: %v", name, at, err)
			}
		}
		for _, bad := range [][]byte{nil, c.Signature[:len(c.Signature)-1], append(slices.Clone(c.Signature), 0), make([]byte, len(c.Signature))} {
			if err := c.PublicKey.Verify(c.Algorithm, c.RawTBS, bad); !errors.Is(err, pki.ErrSignature) {
				t.Errorf("%s: signature of %d bytes: %v", name, len(bad), err)
			}
		}
	}
}

// PSS parameters are the signature's own: each that differs from what was used fails.
func TestPSSParametersBind(t *testing.T) {
	k := pkitest.NewRSA(t, 1024)
	c := parse(t, pkitest.Certificate{Subject: pkitest.Name("UT", "", "CA"), Key: k, Algorithm: pkitest.Algorithm{Hash: crypto.SHA256, PSS: true, Salt: 32}}.Issue(t))
	if err := c.CheckSignatureFrom(c); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*pki.Algorithm){
		"hash": func(a *pki.Algorithm) { a.Hash = crypto.SHA384 },
		"mgf":  func(a *pki.Algorithm) { a.MGFHash = crypto.SHA1 },
		"salt": func(a *pki.Algorithm) { a.SaltLength = 20 },
		"long": func(a *pki.Algorithm) { a.SaltLength = 2048 },
	} {
		a := c.Algorithm
		change(&a)
		if err := c.PublicKey.Verify(a, c.RawTBS, c.Signature); !errors.Is(err, pki.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAlgorithmsThatAreRefused(t *testing.T) {
	k, ec := pkitest.NewRSA(t, 1024), pkitest.NewEC(t, "P-256")
	subject := pkitest.Name("UT", "", "CA")
	id := func(arcs ...int) []byte { return der.Marshal(der.Sequence, pkitest.OID(arcs...), pkitest.Null) }
	trailer2 := der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 113549, 1, 1, 10), der.Marshal(der.Sequence,
		der.Marshal(der.ContextConstructed(3), pkitest.Int(big.NewInt(2)))))
	for name, x := range map[string]struct {
		c    pkitest.Certificate
		want error
	}{
		"MD5 with RSA":           {pkitest.Certificate{Key: k, Algorithm: pkitest.Algorithm{Raw: id(1, 2, 840, 113549, 1, 1, 4)}}, pki.ErrForbiddenHash},
		"MD2 with RSA":           {pkitest.Certificate{Key: k, Algorithm: pkitest.Algorithm{Raw: id(1, 2, 840, 113549, 1, 1, 2)}}, pki.ErrForbiddenHash},
		"unknown algorithm":      {pkitest.Certificate{Key: k, Algorithm: pkitest.Algorithm{Raw: id(1, 2, 3, 4)}}, pki.ErrAlgorithm},
		"RSA without a hash":     {pkitest.Certificate{Key: k, Algorithm: pkitest.Algorithm{Raw: id(1, 2, 840, 113549, 1, 1, 1)}}, pki.ErrAlgorithm},
		"PSS trailer":            {pkitest.Certificate{Key: k, Algorithm: pkitest.Algorithm{Raw: trailer2}}, pki.ErrAlgorithm},
		"ECDSA under RSA":        {pkitest.Certificate{Key: k, Algorithm: pkitest.Algorithm{Raw: id(1, 2, 840, 10045, 4, 3, 2)}}, pki.ErrAlgorithm},
		"RSA under EC":           {pkitest.Certificate{Key: ec, Algorithm: pkitest.Algorithm{Raw: id(1, 2, 840, 113549, 1, 1, 11)}}, pki.ErrAlgorithm},
		"other algorithm inside": {pkitest.Certificate{Key: k, Inner: id(1, 2, 840, 113549, 1, 1, 5)}, pki.ErrAlgorithm},
		"PKCS #1 called SHA-384": {pkitest.Certificate{Key: k, Algorithm: pkitest.Algorithm{Raw: id(1, 2, 840, 113549, 1, 1, 12)}}, pki.ErrSignature},
		"PKCS #1 called PSS":     {pkitest.Certificate{Key: k, Algorithm: pkitest.Algorithm{Raw: der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 113549, 1, 1, 10))}}, pki.ErrSignature},
		"DER ECDSA called plain": {pkitest.Certificate{Key: ec, Algorithm: pkitest.Algorithm{Raw: id(0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 3)}}, pki.ErrSignature},
	} {
		x.c.Subject = subject
		c := parse(t, x.c.Issue(t))
		if err := c.CheckSignatureFrom(c); !errors.Is(err, x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A parameter set that shares anything less than everything with a known
// curve is no key, and a named curve takes no point off it.
func TestExplicitCurveKeys(t *testing.T) {
	c := curve.ByName("brainpoolP256r1")
	good := func() (p, a, b *big.Int, g []byte, n, h *big.Int) {
		return new(big.Int).Set(c.P), new(big.Int).Set(c.A), new(big.Int).Set(c.B), c.Marshal(c.G), new(big.Int).Set(c.N), big.NewInt(1)
	}
	compressed := append([]byte{2 + byte(c.G.Y.Bit(0))}, c.Marshal(c.G)[1:33]...)
	other := c.Marshal(c.ScalarBaseMult(big.NewInt(2)))
	for name, x := range map[string]struct {
		make func() []byte
		want error
	}{
		"all":         {func() []byte { return pkitest.ExplicitParameters(good()) }, nil},
		"no cofactor": {func() []byte { p, a, b, g, n, _ := good(); return pkitest.ExplicitParameters(p, a, b, g, n, nil) }, nil},
		"compressed G": {func() []byte {
			p, a, b, _, n, h := good()
			return pkitest.ExplicitParameters(p, a, b, compressed, n, h)
		}, nil},
		"other G": {func() []byte { p, a, b, _, n, h := good(); return pkitest.ExplicitParameters(p, a, b, other, n, h) }, pki.ErrCurve},
		"other a": {func() []byte {
			p, a, b, g, n, h := good()
			return pkitest.ExplicitParameters(p, a.Add(a, n).Sub(a, big.NewInt(0)).Mod(a, p), b, g, n, h)
		}, pki.ErrCurve},
		"other b": {func() []byte {
			p, a, b, g, n, h := good()
			return pkitest.ExplicitParameters(p, a, b.Sub(b, big.NewInt(1)), g, n, h)
		}, pki.ErrCurve},
		"other n": {func() []byte {
			p, a, b, g, n, h := good()
			return pkitest.ExplicitParameters(p, a, b, g, n.Sub(n, big.NewInt(2)), h)
		}, pki.ErrCurve},
		"other h": {func() []byte {
			p, a, b, g, n, _ := good()
			return pkitest.ExplicitParameters(p, a, b, g, n, big.NewInt(2))
		}, pki.ErrCurve},
		"other p": {func() []byte {
			p, a, b, g, n, h := good()
			return pkitest.ExplicitParameters(p.Add(p, big.NewInt(2)), a, b, g, n, h)
		}, pki.ErrCurve},
		"unknown OID": {func() []byte { return pkitest.OID(1, 3, 132, 0, 6) }, pki.ErrCurve},
		"inherited":   {func() []byte { return pkitest.Null }, pki.ErrCurve},
		"other curve": {func() []byte { return pkitest.OID(1, 2, 840, 10045, 3, 1, 7) }, pki.ErrPoint},
	} {
		k := pkitest.NewEC(t, c.Name)
		k.Parameters = x.make()
		key, err := pki.ParsePublicKey(k.SPKI())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if x.want == nil && key.Err != nil || !errors.Is(key.Err, x.want) {
			t.Errorf("%s: %v", name, key.Err)
		}
		if x.want != nil && key.EC != nil {
			t.Errorf("%s: a key came with the error", name)
		}
	}
}

func TestRSAKeyBounds(t *testing.T) {
	spki := func(n, e *big.Int) []byte {
		return der.Marshal(der.Sequence, der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 113549, 1, 1, 1), pkitest.Null),
			der.Marshal(der.BitString, []byte{0}, der.Marshal(der.Sequence, pkitest.Int(n), pkitest.Int(e))))
	}
	odd := func(bits uint) *big.Int {
		return new(big.Int).SetBit(new(big.Int).SetBit(new(big.Int), int(bits)-1, 1), 0, 1)
	}
	for name, x := range map[string]struct {
		n, e *big.Int
		ok   bool
	}{
		"e 3":                     {odd(1024), big.NewInt(3), true},
		"e 107903":                {odd(3072), big.NewInt(107903), true},
		"e of 2000 bits":          {odd(2048), odd(2000), true},
		"16384 bits":              {odd(16384), big.NewInt(65537), true},
		"e 1":                     {odd(1024), big.NewInt(1), false},
		"e even":                  {odd(1024), big.NewInt(4), false},
		"e zero":                  {odd(1024), big.NewInt(0), false},
		"e negative":              {odd(1024), big.NewInt(-3), false},
		"e over n":                {odd(1024), odd(1025), false},
		"n even":                  {new(big.Int).Lsh(odd(1023), 1), big.NewInt(3), false},
		"n negative":              {new(big.Int).Neg(odd(1024)), big.NewInt(3), false},
		"n short":                 {odd(511), big.NewInt(3), false},
		"n long":                  {odd(16385), big.NewInt(3), false},
		"slow: 16384-bit n and e": {odd(16384), odd(16000), false},
	} {
		k, err := pki.ParsePublicKey(spki(x.n, x.e))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if x.ok != (k.Err == nil) || (!x.ok && !errors.Is(k.Err, pki.ErrKey)) {
			t.Errorf("%s: %v", name, k.Err)
		}
	}
}
