package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// issueCSCA makes a self-signed CSCA and a document signer under it.
func issueCSCA(t *testing.T) (csca, ds []byte) {
	t.Helper()
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	root := &x509.Certificate{SerialNumber: big.NewInt(255), Subject: pkix.Name{Country: []string{"UT"}, Organization: []string{"Utopia"}, CommonName: "CSCA"},
		NotBefore: from, NotAfter: from.AddDate(15, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	signer := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{Country: []string{"UT"}, CommonName: "DS"},
		NotBefore: from, NotAfter: from.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	if csca, err = x509.CreateCertificate(rand.Reader, root, root, ca.Public(), ca); err != nil {
		t.Fatal(err)
	}
	if ds, err = x509.CreateCertificate(rand.Reader, signer, root, leaf.Public(), ca); err != nil {
		t.Fatal(err)
	}
	return csca, ds
}

func runTrust(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	root := newRoot()
	var stdout bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(append([]string{"trust"}, args...))
	status = run(t.Context(), root)
	return stdout.String(), status
}

func TestTrust(t *testing.T) {
	dir := t.TempDir()
	csca, ds := issueCSCA(t)
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	caPath := write("csca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: csca}))
	dsPath, textPath := write("ds.cer", ds), write("text.txt", []byte("hello"))
	store := filepath.Join(dir, "store")

	// Rows in the order given, paths as given, one object a line, nothing else.
	out, status := runTrust(t, "import", "--store", store, dsPath, caPath, textPath, dsPath)
	want := `{"file":"` + dsPath + `","kind":"certificate","certificates":1,"accepted":0,"refused":[{"subject":"C=UT,CN=DS","reason":"trust.unanchored"}],"error":{"code":"trust.unanchored"}}
{"file":"` + caPath + `","kind":"certificate","certificates":1,"accepted":1,"refused":[]}
{"file":"` + textPath + `","kind":"unknown","certificates":0,"accepted":0,"refused":[],"error":{"code":"trust.unrecognized"}}
{"file":"` + dsPath + `","kind":"certificate","certificates":1,"accepted":1,"refused":[]}
`
	if out != want || status != exitFailed {
		t.Errorf("status %d, rows:\n%s", status, out)
	}
	out, status = runTrust(t, "import", "--store", store, caPath)
	if !strings.Contains(out, `"accepted":1,"refused":[]}`) || status != exitOK {
		t.Errorf("again: status %d, %s", status, out)
	}
	out, status = runTrust(t, "list", "--store", store)
	form := regexp.MustCompile(`^\{"subject":"C=UT,O=Utopia,CN=CSCA","issuer":"C=UT,O=Utopia,CN=CSCA","country":"UT","serial":"ff","not_before":"2025-01-02T03:04:05Z","not_after":"2040-01-02T03:04:05Z",` +
		`"algorithm":"ECDSA SHA-256","key":"EC P-256","kind":"csca","fingerprint":"[0-9a-f]{64}","provenance":\[\{"file":"csca.pem","kind":"certificate"\}\],"edition":""\}\n` +
		`\{"subject":"C=UT,CN=DS".*"kind":"ds".*\}\n$`)
	if !form.MatchString(out) || status != exitOK {
		t.Errorf("status %d, rows:\n%s", status, out)
	}
	if out, _ = runTrust(t, "list", "--verify", "--store", store); !strings.Contains(out, `"signature":"self"`) || !strings.Contains(out, `"signature":"issuer"`) {
		t.Errorf("--verify:\n%s", out)
	}
}

func TestTrustRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x")
	for name, x := range map[string]struct {
		args   []string
		status int
	}{
		"no store flag":      {[]string{"import", file}, exitUsage},
		"no file":            {[]string{"import", "--store", dir}, exitUsage},
		"missing file":       {[]string{"import", "--store", dir, file}, exitFailed},
		"missing anchor":     {[]string{"import", "--store", dir, "--anchor", file, file}, exitFailed},
		"list of no store":   {[]string{"list", "--store", filepath.Join(dir, "none")}, exitFailed},
		"list with a file":   {[]string{"list", "--store", dir, file}, exitUsage},
		"list, unknown flag": {[]string{"list", "--stores", dir}, exitUsage},
	} {
		out, status := runTrust(t, x.args...)
		if status != x.status {
			t.Errorf("%s: status %d, %s", name, status, out)
		}
		if name == "missing file" && out != `{"file":"`+file+`","kind":"unknown","certificates":0,"accepted":0,"refused":[],"error":{"code":"trust.file"}}`+"\n" {
			t.Errorf("%s: %s", name, out)
		}
	}
}
