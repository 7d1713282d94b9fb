package pki_test

import (
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/document/internal/pkitest"
	"github.com/watchpost/watchpost/device/document/pki"
)

func FuzzParseCertificate(f *testing.F) {
	ec := pkitest.NewEC(f, "brainpoolP256r1")
	ec.Explicit = true
	f.Add(pkitest.Certificate{Subject: pkitest.Name("UT", "O", "CN"), Key: ec, CA: true, KeyUsage: pkitest.UsageCA}.Issue(f))
	f.Add(pkitest.Certificate{Subject: pkitest.Name("UT", "O", "CN"), Key: pkitest.NewRSA(f, 1024), ExtKeyUsage: [][]byte{pkitest.UsageMasterList}}.Issue(f))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := pki.ParseCertificate(raw)
		if err != nil {
			return
		}
		if c.PublicKey == nil || c.Serial == nil || (c.PublicKey.Err == nil) != (c.PublicKey.RSA != nil || c.PublicKey.EC != nil || c.PublicKey.DSA != nil) {
			t.Fatal("a parsed certificate lacks what it promises")
		}
		_ = c.SelfSigned()
		_, _, _ = c.Subject.String(), c.Algorithm.String(), c.PublicKey.String()
	})
}

func FuzzParseSignedData(f *testing.F) {
	k := pkitest.NewEC(f, "P-256")
	m := pkitest.SignedData{Content: []byte("content"), Certificates: [][]byte{pkitest.Certificate{Subject: pkitest.Name("UT", "", "DS"), Key: k}.Issue(f)}, Key: k}
	f.Add(m.Sign(f))
	m.Indefinite = true
	f.Add(m.Sign(f))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := pki.ParseSignedData(raw)
		if err != nil {
			return
		}
		for i := range s.Signers {
			if !s.VerifySigner(i).OK() {
				continue
			}
			// PKCS #7 v1.5 signs a sequence without its header: content itself is no less signed.
			bare := slices.Contains(s.Deviations, pki.DeviationContentNotOctets)
			if got := string(s.EContent); got != "content" && (!bare || got != "\x30\x07content") {
				t.Fatalf("changed content passes: %x", got)
			}
		}
	})
}

func FuzzParseCRL(f *testing.F) {
	k := pkitest.NewEC(f, "P-256")
	f.Add(pkitest.CRL{Issuer: pkitest.Name("UT", "", "CA"), Key: k, This: pkitest.From, Next: pkitest.Until, Serials: []int64{1, 2}, Number: 1}.Issue(f))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := pki.ParseCRL(raw); err == nil && c.ThisUpdate.IsZero() && c.Len() < 0 {
			t.Fatal("a parsed list lacks what it promises")
		}
	})
}
