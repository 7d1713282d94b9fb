package pki_test

import (
	"bytes"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/internal/pkitest"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
)

func TestCertificateFields(t *testing.T) {
	ca, ds := pkitest.NewEC(t, "P-256"), pkitest.NewEC(t, "brainpoolP256r1")
	point := der.Marshal(der.Sequence, der.Marshal(der.Sequence, der.Marshal(der.ContextConstructed(0),
		der.Marshal(der.ContextConstructed(0), der.Marshal(der.Context(6), []byte("https://pkd.example/UTO.crl"))))))
	types := der.Marshal(der.Sequence, pkitest.Int(big.NewInt(0)), der.Marshal(der.Set, der.Marshal(der.PrintableString, []byte("P")), der.Marshal(der.PrintableString, []byte("ID"))))
	usagePeriod := der.Marshal(der.Sequence, der.Marshal(der.Context(0), []byte("20200101000000Z")), der.Marshal(der.Context(1), []byte("20230101000000Z")))
	raw := pkitest.Certificate{
		Serial: -77, Issuer: pkitest.Name("UT", "Utopia", "CSCA"), Subject: pkitest.Name("ut", "Utopia", "DS 1"), Key: ds, Signer: ca,
		KeyUsage: pkitest.UsageSign, ExtKeyUsage: [][]byte{pkitest.UsageMasterList},
		Extensions: [][]byte{
			pkitest.Extension(pkitest.OID(2, 5, 29, 31), false, point),
			pkitest.Extension(pkitest.OID(2, 5, 29, 16), false, usagePeriod),
			pkitest.Extension(pkitest.OID(2, 23, 136, 1, 1, 6, 2), false, types),
			pkitest.Extension(pkitest.OID(2, 23, 136, 1, 1, 6, 1), false, pkitest.Null),
			pkitest.Extension(pkitest.OID(1, 2, 3), true, pkitest.Null),
		},
	}.Issue(t)
	c := parse(t, raw)
	day := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	for name, ok := range map[string]bool{
		"version":       c.Version == 3,
		"serial":        c.Serial.Int64() == -77,
		"deviation":     slices.Contains(c.Deviations, pki.DeviationNegativeSerial),
		"country":       c.Subject.Country() == "UT" && c.Issuer.Country() == "UT",
		"name":          c.Subject.String() == "C=ut,O=Utopia,CN=DS 1",
		"dates":         c.NotBefore.Equal(pkitest.From) && c.NotAfter.Equal(pkitest.Until),
		"key ids":       bytes.Equal(c.SubjectKeyID, ds.ID()) && bytes.Equal(c.AuthorityKeyID, ca.ID()),
		"usage":         c.HasKeyUsage && c.KeyUsage == pki.KeyUsageDigitalSignature && !c.HasUsage(pki.KeyUsageCertSign),
		"extended":      c.HasExtKeyUsage(pki.ExtKeyUsageMasterList) && !c.HasExtKeyUsage(pki.ExtKeyUsageDeviationList),
		"no CA":         !c.HasBasicConstraints && !c.IsCA && c.MaxPathLen == -1,
		"CRL point":     slices.Equal(c.CRLDistributionPoints, []string{"https://pkd.example/UTO.crl"}),
		"usage period":  c.PrivateKeyUsageFrom.Equal(day(2020)) && c.PrivateKeyUsageUntil.Equal(day(2023)),
		"types":         slices.Equal(c.DocumentTypes, []string{"P", "ID"}),
		"name change":   c.NameChange,
		"critical":      slices.Equal(c.UnknownCritical, []string{"1.2.3"}),
		"raw":           bytes.Equal(c.Raw, raw),
		"not by itself": !c.SelfSigned() && !c.SelfIssued(),
	} {
		if !ok {
			t.Errorf("%s is wrong: %+v", name, c)
		}
	}
}

// A malformed extension never makes a certificate unreadable, and never
// passes for an absent restriction when it is critical.
func TestMalformedExtensions(t *testing.T) {
	k := pkitest.NewEC(t, "P-256")
	for _, critical := range []bool{false, true} {
		for last := range 40 {
			x := pkitest.Extension(pkitest.OID(2, 5, 29, last), critical, []byte{0x30, 0x05, 0x01})
			c := parse(t, pkitest.Certificate{Subject: pkitest.Name("UT", "", "X"), Key: k, NoKeyIDs: true, Extensions: [][]byte{x}}.Issue(t))
			if critical && len(c.UnknownCritical) == 0 && !slices.Contains([]int{17, 18, 32}, last) {
				t.Errorf("extension %d: malformed and critical, and nothing said", last)
			}
		}
	}
	twice := pkitest.Extension(pkitest.OID(2, 5, 29, 15), true, der.Marshal(der.BitString, []byte{0, 0x06}))
	c := parse(t, pkitest.Certificate{Subject: pkitest.Name("UT", "", "X"), Key: k, KeyUsage: pkitest.UsageSign, Extensions: [][]byte{twice}}.Issue(t))
	if c.KeyUsage != pki.KeyUsageDigitalSignature || !slices.Contains(c.Deviations, pki.DeviationDuplicateExtension) {
		t.Errorf("repeated key usage: %v, %v", c.KeyUsage, c.Deviations)
	}
}

func TestSelfIssuedIsNotSelfSigned(t *testing.T) {
	old, next := pkitest.NewEC(t, "P-256"), pkitest.NewEC(t, "P-256")
	name := pkitest.Name("UT", "Utopia", "CSCA")
	link := parse(t, pkitest.Certificate{Subject: name, Key: next, Signer: old, CA: true}.Issue(t))
	bare := parse(t, pkitest.Certificate{Subject: name, Key: next, Signer: old, CA: true, NoKeyIDs: true}.Issue(t))
	root := parse(t, pkitest.Certificate{Subject: name, Key: next, CA: true, NoKeyIDs: true}.Issue(t))
	if !link.SelfIssued() || link.SelfSigned() || !bare.SelfIssued() || bare.SelfSigned() || !root.SelfSigned() {
		t.Error("self-issued and self-signed are mixed up")
	}
}

func TestNames(t *testing.T) {
	k := pkitest.NewEC(t, "P-256")
	name := func(raw []byte) pki.Name { return parse(t, pkitest.Certificate{Subject: raw, Key: k}.Issue(t)).Subject }
	a, b := name(pkitest.Name("UT", "The  State", "CSCA")), name(pkitest.Name("ut", "the state", "csca"))
	if !a.Equal(b) || a.Equal(name(pkitest.Name("UT", "TheState", "CSCA"))) || a.Equal(name(pkitest.Name("UT", "", "CSCA"))) {
		t.Error("comparison of names")
	}
	if s := name(pkitest.Name("UT", `a,b+c"\`, " x ")).String(); s != `C=UT,O=a\,b\+c\"\\,CN=\ x\ ` {
		t.Errorf("escapes: %s", s)
	}
	if name(der.Marshal(der.Sequence)).Country() != "" {
		t.Error("empty name has a country")
	}
}

// Every cut of a certificate is refused with the package's code.
func TestTruncatedCertificate(t *testing.T) {
	raw := pkitest.Certificate{Subject: pkitest.Name("UT", "", "X"), Key: pkitest.NewEC(t, "P-256"), CA: true}.Issue(t)
	for n := range raw {
		if _, err := pki.ParseCertificate(raw[:n]); !errors.Is(err, pki.ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", n, len(raw), err)
		}
	}
	if _, err := pki.ParseCertificate(append(raw, 0)); !errors.Is(err, pki.ErrMalformed) {
		t.Errorf("trailing byte: %v", err)
	}
	if _, err := pki.ParseCertificate(make([]byte, pki.MaxCertificateBytes+1)); !errors.Is(err, pki.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestCRL(t *testing.T) {
	k, other := pkitest.NewEC(t, "P-256"), pkitest.NewEC(t, "P-256")
	name := pkitest.Name("UT", "Utopia", "CSCA")
	ca := parse(t, pkitest.Certificate{Subject: name, Key: k, CA: true}.Issue(t))
	stranger := parse(t, pkitest.Certificate{Subject: name, Key: other, CA: true}.Issue(t))
	this, next := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	raw := pkitest.CRL{Issuer: name, Key: k, This: this, Next: next, Serials: []int64{5, -9, 1 << 40}, Number: 12}.Issue(t)
	c, err := pki.ParseCRL(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !c.ThisUpdate.Equal(this) || !c.NextUpdate.Equal(next) || c.Number.Int64() != 12 || c.Len() != 3 || len(c.UnknownCritical) != 0 {
		t.Errorf("%+v", c)
	}
	if r, ok := c.Revoked(big.NewInt(-9)); !ok || r.Reason != 1 || !r.Time.Equal(this) {
		t.Errorf("entry: %+v %v", r, ok)
	}
	if _, ok := c.Revoked(big.NewInt(9)); ok {
		t.Error("9 is not on the list")
	}
	if err := c.CheckSignatureFrom(ca); err != nil {
		t.Error(err)
	}
	if err := c.CheckSignatureFrom(stranger); !errors.Is(err, pki.ErrSignature) {
		t.Errorf("stranger: %v", err)
	}
	for _, oid := range [][]byte{pkitest.OID(2, 5, 29, 27), pkitest.OID(2, 5, 29, 28)} {
		c, err := pki.ParseCRL(pkitest.CRL{Issuer: name, Key: k, This: this, Extensions: [][]byte{pkitest.Extension(oid, false, pkitest.Null)}}.Issue(t))
		if err != nil || len(c.UnknownCritical) != 1 || !c.NextUpdate.IsZero() {
			t.Errorf("narrowed list: %v", err)
		}
	}
	for n := range raw {
		if _, err := pki.ParseCRL(raw[:n]); !errors.Is(err, pki.ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", n, len(raw), err)
		}
	}
}
