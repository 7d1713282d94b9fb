package pki_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/document/internal/pkitest"
	"github.com/watchpost/watchpost/device/document/pki"
)

// The identifier before the content is not signed (RFC 5652:2009 5.4): one that
// was changed must not make another content of it. Found by fuzzing.
func TestContentUnderAnotherTag(t *testing.T) {
	k := pkitest.NewEC(t, "P-256")
	ds := pkitest.Certificate{Subject: pkitest.Name("UT", "", "DS"), Key: k}.Issue(t)
	signed := pkitest.SignedData{Content: []byte("content"), Certificates: [][]byte{ds}, Key: k}.Sign(t)
	octets := []byte("\x04\x07content")
	if bytes.Count(signed, octets) != 1 {
		t.Fatal("the content is not where the test looks for it")
	}
	for tag := range 31 {
		b := bytes.Replace(signed, octets, append([]byte{byte(tag)}, octets[1:]...), 1)
		s, err := pki.ParseSignedData(b)
		switch tag {
		case 0x04:
			if err != nil || !s.VerifySigner(0).OK() || string(s.EContent) != "content" {
				t.Errorf("as signed: %v", err)
			}
		default:
			if !errors.Is(err, pki.ErrMalformed) {
				t.Errorf("content under tag %#x: %v", tag, err)
			}
		}
	}
}

// A key that cannot be used is not handed out beside the reason. Found by fuzzing.
func TestRefusedKeyIsNoKey(t *testing.T) {
	k := pkitest.NewRSA(t, 1024)
	raw := pkitest.Certificate{Subject: pkitest.Name("UT", "", "DS"), Key: k}.Issue(t)
	good, err := pki.ParseCertificate(raw)
	if err != nil || good.PublicKey.RSA == nil {
		t.Fatalf("the certificate as it is: %v", err)
	}
	modulus := good.PublicKey.RSA.N.Bytes()
	even := bytes.Clone(modulus)
	even[len(even)-1] &^= 1
	c, err := pki.ParseCertificate(bytes.ReplaceAll(raw, modulus, even))
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(c.PublicKey.Err, pki.ErrKey) || c.PublicKey.RSA != nil {
		t.Errorf("an even modulus: %v, key %v", c.PublicKey.Err, c.PublicKey)
	}
}

// Parameters of RSASSA-PSS that cannot be read leave an algorithm that has a
// name and verifies nothing. Found by fuzzing.
func TestUnreadableParametersHaveAName(t *testing.T) {
	raw := pkitest.Certificate{Subject: pkitest.Name("UT", "", "DS"), Key: pkitest.NewRSA(t, 1024)}.Issue(t)
	pkcs1 := []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00") // sha256WithRSAEncryption, NULL
	if bytes.Count(raw, pkcs1) != 2 {
		t.Fatal("the algorithm is not where the test looks for it")
	}
	pss := bytes.Clone(pkcs1)
	pss[8] = 0x0a // id-RSASSA-PSS with NULL in the place of its parameters
	c, err := pki.ParseCertificate(bytes.ReplaceAll(raw, pkcs1, pss))
	if err != nil {
		t.Fatal(err)
	}
	if c.Algorithm.Err == nil || c.Algorithm.String() != "RSASSA-PSS unknown" {
		t.Errorf("%s: %v", c.Algorithm, c.Algorithm.Err)
	}
}
