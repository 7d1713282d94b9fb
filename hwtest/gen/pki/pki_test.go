package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// schemes are the kinds of issuer that the tests go through. RSA keys are
// small: their size changes nothing but time.
var schemes = map[string]Spec{
	"brainpool named":    {},
	"brainpool explicit": {CSCA: Scheme{Key: "brainpoolP384r1", Hash: "sha384", Explicit: true}, DS: Scheme{Key: "brainpoolP256r1", Explicit: true}},
	"nist":               {CSCA: Scheme{Key: "secp521r1", Hash: "sha512"}, DS: Scheme{Key: "secp256r1"}},
	"pkcs1":              {CSCA: Scheme{Key: "rsa-2048"}, DS: Scheme{Key: "rsa-2048", Exponent: 3}, BySKI: true},
	"pss":                {CSCA: Scheme{Key: "rsa-2048", PSS: true, Hash: "sha512"}, DS: Scheme{Key: "rsa-2048", PSS: true, SaltLen: 20}, SODVersion: 1},
	"sha1":               {CSCA: Scheme{Key: "rsa-1024", Hash: "sha1"}, DS: Scheme{Key: "rsa-1024", Hash: "sha1"}, SODHash: "sha1"},
}

var groups = map[int][]byte{1: []byte("one"), 2: []byte("two"), 14: []byte("fourteen")}

func issuerOf(t testing.TB, spec Spec) *Issuer {
	t.Helper()
	i, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// openssl runs the command line tool as a judge. Without it the test is
// skipped in so many words, and fails where CI promises to have it.
func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing")
		}
		t.Skip("SKIPPED: openssl is missing; install the Debian package openssl")
	}
	out, err := exec.Command("openssl", args...).CombinedOutput()
	return string(out), err
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// anchor writes a certificate as openssl wants its trusted ones: in PEM.
func anchor(t *testing.T, certificate []byte) string {
	t.Helper()
	return write(t, "csca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
}

func TestOpenSSLAcceptsChainAndObject(t *testing.T) {
	for name, spec := range schemes {
		t.Run(name, func(t *testing.T) {
			i := issuerOf(t, spec)
			csca, ds := anchor(t, i.CSCA.DER), write(t, "ds.der", i.DS.DER)
			verify := []string{"verify", "-check_ss_sig", "-auth_level", "0", "-attime", "1767225600", "-CAfile", csca, ds} // 2026-01-01
			out, err := openssl(t, verify...)
			if explicit := spec.DS.Explicit; explicit != strings.Contains(out, "explicit ECC parameters") || !explicit && err != nil {
				t.Fatalf("chain: %v\n%s", err, out)
			}
			sod, err := i.SOD(groups)
			if err != nil {
				t.Fatal(err)
			}
			if sod[0] != 0x77 {
				t.Fatalf("EF.SOD begins with %02X", sod[0])
			}
			cms := write(t, "sod.der", sod[bytes.IndexByte(sod[1:], 0x30)+1:])
			content := filepath.Join(t.TempDir(), "content")
			// OpenSSL 3 reads explicit parameters and refuses them in a chain: the
			// object's own signature is what it can judge there.
			check := []string{"cms", "-verify", "-inform", "DER", "-in", cms, "-CAfile", csca, "-purpose", "any", "-auth_level", "0", "-attime", "1767225600", "-binary", "-out", content}
			if spec.DS.Explicit {
				check = append(check, "-noverify")
			}
			if out, err := openssl(t, check...); err != nil {
				t.Fatalf("security object: %v\n%s", err, out)
			}
			got, err := os.ReadFile(content)
			if err != nil {
				t.Fatal(err)
			}
			want, err := SecurityObject{Groups: groups, Hash: spec.SODHash, Version: spec.SODVersion}.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Error("the signed content is another one")
			}
		})
	}
}

func TestOpenSSLRefusesDefects(t *testing.T) {
	for name, tc := range map[string]struct {
		defects Defects
		says    string
	}{
		"foreign signer":       {Defects{ForeignSigner: true}, "CMS_SignerInfo_verify:verification failure"},
		"foreign csca":         {Defects{ForeignCSCA: true}, "unable to get local issuer certificate"}, // by key identifier
		"wrong message digest": {Defects{WrongMessageDigest: true}, "verification failure"},
		"no certificate":       {Defects{NoCertificate: true}, "signer certificate not found"},
		"named serial":         {Defects{NamedSerial: 77}, "signer certificate not found"},
		"expired signer":       {Defects{DSNotAfter: time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)}, "certificate has expired"},
		"signer of tomorrow":   {Defects{DSNotBefore: time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)}, "certificate is not yet valid"},
		"csca is no authority": {Defects{CSCANotCA: true}, "invalid CA certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			i := issuerOf(t, Spec{Defects: tc.defects})
			sod, err := i.SOD(groups)
			if err != nil {
				t.Fatal(err)
			}
			cms := write(t, "sod.der", sod[bytes.IndexByte(sod[1:], 0x30)+1:])
			out, err := openssl(t, "cms", "-verify", "-inform", "DER", "-in", cms, "-CAfile", anchor(t, i.CSCA.DER),
				"-purpose", "any", "-attime", "1767225600", "-binary", "-out", os.DevNull)
			if err == nil || !strings.Contains(out, tc.says) {
				t.Errorf("%v, and not for the reason meant:\n%s", err, out)
			}
		})
	}
}

func TestOpenSSLReadsListsAndLinks(t *testing.T) {
	i := issuerOf(t, Spec{})
	csca := anchor(t, i.CSCA.DER)
	crl, err := i.CRL(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), i.DS.Template.Serial)
	if err != nil {
		t.Fatal(err)
	}
	out, err := openssl(t, "crl", "-inform", "DER", "-in", write(t, "crl.der", crl), "-CAfile", csca, "-noout", "-text")
	if err != nil || !strings.Contains(out, "verify OK") || !strings.Contains(out, "Serial Number: 1001") {
		t.Errorf("revocation list: %v\n%s", err, out)
	}
	out, err = openssl(t, "verify", "-crl_check", "-CRLfile", write(t, "crl.der", crl), "-attime", "1767225600", "-CAfile", csca, write(t, "ds.der", i.DS.DER))
	if err == nil || !strings.Contains(out, "revoked") {
		t.Errorf("a revoked signer: %v\n%s", err, out)
	}
	next, link, err := i.Link()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(next.DER, link.DER) {
		t.Error("link and new certificate are the same")
	}
	const in2030 = "1900000000"
	if out, err := openssl(t, "verify", "-attime", in2030, "-CAfile", csca, write(t, "link.der", link.DER)); err != nil {
		t.Errorf("link: %v\n%s", err, out)
	}
	if out, err := openssl(t, "verify", "-attime", in2030, "-CAfile", csca, write(t, "next.der", next.DER)); err == nil {
		t.Errorf("the new root passes as a child of the old one\n%s", out)
	}
	list, err := i.MasterList(i.CSCA.DER, link.DER)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := openssl(t, "cms", "-verify", "-inform", "DER", "-in", write(t, "ml.der", list), "-CAfile", csca,
		"-purpose", "any", "-attime", "1767225600", "-binary", "-out", os.DevNull); err != nil {
		t.Errorf("master list: %v\n%s", err, out)
	}
}

func TestStandardLibraryReadsNamedCurves(t *testing.T) {
	i := issuerOf(t, schemes["nist"])
	csca, err := x509.ParseCertificate(i.CSCA.DER)
	if err != nil {
		t.Fatal(err)
	}
	ds, err := x509.ParseCertificate(i.DS.DER)
	if err != nil {
		t.Fatal(err)
	}
	if err := ds.CheckSignatureFrom(csca); err != nil {
		t.Error(err)
	}
	if !csca.IsCA || csca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || ds.IsCA || ds.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Error("basic constraints or key usage are not as meant")
	}
	if !bytes.Equal(ds.AuthorityKeyId, csca.SubjectKeyId) || len(ds.AuthorityKeyId) != 20 {
		t.Error("key identifiers do not chain")
	}
	if !slices.Equal(ds.Subject.Country, []string{"UT"}) {
		t.Errorf("country %v", ds.Subject.Country)
	}
	crl, err := i.CRL(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(crl)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(csca); err != nil || len(list.RevokedCertificateEntries) != 0 {
		t.Errorf("empty list: %v", err)
	}
}

func TestSameSpecSameOctets(t *testing.T) {
	for _, name := range []string{"brainpool named", "pss"} {
		a, b := issuerOf(t, schemes[name]), issuerOf(t, schemes[name])
		sodA, errA := a.SOD(groups)
		sodB, errB := b.SOD(groups)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if !bytes.Equal(a.CSCA.DER, b.CSCA.DER) || !bytes.Equal(a.DS.DER, b.DS.DER) || !bytes.Equal(sodA, sodB) {
			t.Errorf("%s: made twice, not the same", name)
		}
	}
	a, b := issuerOf(t, Spec{}), issuerOf(t, Spec{Seed: "another"})
	if bytes.Equal(a.CSCA.Key.identifier(), b.CSCA.Key.identifier()) {
		t.Error("another seed, the same key")
	}
}

func TestSpecRefusals(t *testing.T) {
	for name, spec := range map[string]Spec{
		"curve":              {CSCA: Scheme{Key: "secp112r1"}},
		"hash":               {DS: Scheme{Hash: "md5"}},
		"mask":               {DS: Scheme{MGFHash: "crc32"}},
		"RSA size":           {DS: Scheme{Key: "rsa-1000"}},
		"odd RSA size":       {DS: Scheme{Key: "rsa-2047"}},
		"RSA without number": {DS: Scheme{Key: "rsa-big"}},
		"even exponent":      {DS: Scheme{Key: "rsa-1024", Exponent: 4}},
	} {
		if _, err := New(spec); fault.CodeOf(err) != codeSpec {
			t.Errorf("%s: got %v", name, err)
		}
	}
	i := issuerOf(t, Spec{SODHash: "md5"})
	if _, err := i.SOD(groups); !errors.Is(err, &fault.Error{Code: codeSpec}) {
		t.Errorf("hash of the security object: got %v", err)
	}
	small := issuerOf(t, schemes["sha1"]).DS.Key
	small.Scheme = Scheme{Key: "rsa-1024", Hash: "sha512", MGFHash: "sha512", PSS: true}
	if _, err := small.Sign(Stream("x"), []byte("x")); fault.CodeOf(err) != codeSpec {
		t.Errorf("key too short for its salt: got %v", err)
	}
}

func TestNegativeSerialIsWrittenAsSuch(t *testing.T) {
	key, err := NewKey(Scheme{}, Stream("k"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Issue(Template{Serial: big.NewInt(-129), NotBefore: dsFrom, NotAfter: dsUntil}, key, nil, Stream("c"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(c.DER, []byte{0x02, 0x02, 0xFF, 0x7F}) {
		t.Error("-129 is not written as FF7F")
	}
}
