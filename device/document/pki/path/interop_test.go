package path

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// OpenSSL judges the same table: an independent reading of the suite, and of
// what we make of it. Where it differs from the suite is told.
func TestInteropPKITS(t *testing.T) {
	dir := os.Getenv("WATCHPOST_DATA")
	if os.Getenv("WATCHPOST_INTEROP") != "1" || dir == "" {
		t.Skip("SKIPPED: WATCHPOST_INTEROP=1 and WATCHPOST_DATA compare with OpenSSL on the NIST path validation suite")
	}
	dir = filepath.Join(dir, "pki", "pkits")
	work := t.TempDir()
	bundle := func(name, kind, pattern string, take func(name string) bool) string {
		var b bytes.Buffer
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, f := range files {
			if !take(strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))) {
				continue
			}
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: raw}); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(work, name)
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const root = "TrustAnchorRootCertificate"
	anchors := bundle("root.pem", "CERTIFICATE", "certs/*.crt", func(n string) bool { return n == root })
	others := bundle("others.pem", "CERTIFICATE", "certs/*.crt", func(n string) bool { return n != root && !strings.HasSuffix(n, "EE") })
	crls := bundle("crls.pem", "X509 CRL", "crls/*.crl", func(string) bool { return true })
	at := strconv.FormatInt(pkitsTime.Unix(), 10)
	same, differ := 0, []string{}
	for _, c := range pkitsTable(t) {
		if c.excluded != "" {
			continue
		}
		end := bundle("end.pem", "CERTIFICATE", "certs/"+c.certificate+".crt", func(string) bool { return true })
		args := []string{"verify", "-CAfile", anchors, "-untrusted", others, "-CRLfile", crls, "-crl_check_all", "-extended_crl", "-attime", at, "-auth_level", "0", "-policy_check"}
		if !strings.ContainsAny(c.inputs, "0123456789") {
			args = append(args, "-policy", oidAnyPolicy) // which our nil stands for
		}
		for word := range strings.FieldsSeq(c.inputs) {
			switch word {
			case "explicit":
				args = append(args, "-explicit_policy")
			case "inhibit-mapping":
				args = append(args, "-inhibit_map")
			case "inhibit-any":
				args = append(args, "-inhibit_any")
			default:
				args = append(args, "-policy", "2.16.840.1.101.3.2.1.48."+word)
			}
		}
		got := "valid"
		if out, err := exec.CommandContext(t.Context(), "openssl", append(args, end)...).CombinedOutput(); err != nil {
			if _, ended := err.(*exec.ExitError); !ended {
				t.Fatalf("openssl: %v %s", err, out)
			}
			got = "invalid"
		}
		if got == c.verdict {
			same++
			continue
		}
		differ = append(differ, c.number+" "+c.certificate+" ("+c.inputs+"): suite "+c.verdict+", OpenSSL "+got)
	}
	for _, d := range differ {
		t.Log(d)
	}
	t.Logf("OpenSSL agrees with the suite on %d cases, differs on %d; we differ on none (TestPKITS)", same, len(differ))
	if same < 200 {
		t.Error("OpenSSL was not asked the same question")
	}
}
