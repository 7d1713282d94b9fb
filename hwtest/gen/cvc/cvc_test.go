package cvc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"testing"

	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

// signed splits a certificate into what is signed and the signature.
func signed(t *testing.T, raw []byte) (body, signature []byte) {
	t.Helper()
	at := bytes.LastIndex(raw, []byte{0x5F, 0x37})
	start := bytes.Index(raw, []byte{0x7F, 0x4E})
	head := 3 // tag and one octet of length
	if raw[at+2] > 0x80 {
		head += int(raw[at+2] & 0x7F)
	}
	if !bytes.Equal(raw, der.TLV(0x7F21, raw[start:])) {
		t.Fatal("not one data object 7F21")
	}
	return raw[start:at], raw[at+head:]
}

// TestSignatures: the standard library verifies what is issued.
func TestSignatures(t *testing.T) {
	h, err := New(Spec{Linked: true, CVCA: pki.Scheme{Key: "secp256r1", Hash: "sha256"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, pair := range [][2]*Certificate{{h.CVCA, h.CVCA}, {h.Link, h.CVCA}, {h.DV, h.Link}, {h.Terminal, h.DV}} {
		point := pair[1].Key.Curve.Public(pair[1].Key.D)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), pair[1].Key.Curve.Encode(point))
		if err != nil {
			t.Fatal(err)
		}
		body, signature := signed(t, pair[0].Raw)
		digest := sha256.Sum256(body)
		if len(signature) != 64 || !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			t.Errorf("certificate %d does not verify", i)
		}
	}
	for _, pss := range []bool{false, true} {
		h, err := New(Spec{CVCA: pki.Scheme{Key: "rsa-1024", Hash: "sha256", PSS: pss}})
		if err != nil {
			t.Fatal(err)
		}
		body, signature := signed(t, h.Terminal.Raw)
		digest := sha256.Sum256(body)
		key := &rsa.PublicKey{N: h.DV.Key.RSA.N, E: h.DV.Key.RSA.E}
		verify := func() error { return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) }
		if pss {
			verify = func() error {
				return rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
			}
		}
		if err := verify(); err != nil {
			t.Errorf("PSS %t: %v", pss, err)
		}
	}
}

// TestDefects: what is said to be wrong is.
func TestDefects(t *testing.T) {
	sound, err := New(Spec{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(Spec{})
	if err != nil || !bytes.Equal(sound.PEM(), again.PEM()) {
		t.Error("equal specs make different octets")
	}
	for name, d := range map[string]Defects{
		"foreign verifier": {ForeignDV: true}, "foreign terminal": {ForeignTerminal: true}, "other key": {OtherKey: true},
		"role": {TerminalIsDV: true}, "no verifier": {SkipDV: true}, "expired": {TerminalUntil: isFrom},
	} {
		h, err := New(Spec{Defects: d})
		if err != nil || bytes.Equal(h.PEM(), sound.PEM()) {
			t.Errorf("%s: nothing differs, %v", name, err)
		}
	}
	for _, s := range []pki.Scheme{{Key: "rsa-1024", Hash: "sha384"}, {Key: "no curve"}, {Key: "secp256r1", Hash: "md5"}} {
		if _, err := New(Spec{CVCA: s}); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}
