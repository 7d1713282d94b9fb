package inspect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/lds"
)

// outside returns the folder of the evaluation data, which is not in the
// repository. The test is skipped where WATCHPOST_DATA is not set.
func outside(t *testing.T) string {
	t.Helper()
	root := os.Getenv("WATCHPOST_DATA")
	if root == "" {
		t.Skip("WATCHPOST_DATA is not set: NOT RUN on real files")
	}
	return filepath.Join(root, "emrtd")
}

func load(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTestPassport(t *testing.T) {
	root := outside(t)
	f := map[lds.File][]byte{}
	entries, err := os.ReadDir(filepath.Join(root, "bsi2008"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, ok := lds.NamedFile(e.Name())
		if !ok {
			t.Fatalf("%s is not taken for a file of a chip", e.Name())
		}
		f[name] = load(t, root, "bsi2008", e.Name())
	}
	i := Judge(Input{Files: f, At: time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC), Policy: Policy{AllowSHA1: true}})
	want := expect{
		SODFormat: "pass", SODSignature: "pass", SODAlgorithm: "pass sha1_allowed: hashes signature signer_certificate",
		DGUnlisted: "fail unlisted: dg4 dg5 dg7 dg11 dg12 dg15", COMMatch: "pass", DSCountry: "pass", DSChain: "not-performed no_store",
		MRZCheckDigits: "pass read_from_dg1", DocumentExpiry: "pass",
	}
	for _, n := range []int{1, 2, 3, 14} {
		want[GroupHash(n)], want[GroupFormat(n)] = "pass", "pass"
	}
	for _, n := range []int{4, 5, 7, 11, 12, 15} {
		want[GroupHash(n)], want[GroupFormat(n)] = "not-performed unlisted", "pass"
	}
	compare(t, i, want)
	if len(i.Data.Face) != 1 || len(i.Data.Finger) != 2 || len(i.Data.Iris) != 2 {
		t.Error("pictures are missing")
	}
}

// Synthetic security objects with odd features: no outer tag, a signer
// identifier of zeros, plain ECDSA, a hash of the wrong length.
func TestFictionalState(t *testing.T) {
	root := outside(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	anchors := store(t, load(t, root, "zkr/zkr-csca-ecdsa-p256-sha256.pem"), load(t, root, "zkr/zkr-csca-rsa-2048-sha256.pem"))
	stranger := store(t, load(t, root, "masterlist/NL_ROOT_CA.cer"))
	for _, name := range []string{"ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-2048-sha256"} {
		f := map[lds.File][]byte{lds.SOD: load(t, root, "zkr/johnny-silverhand-"+name+".sod")}
		i := Judge(Input{Files: f, At: at, Trust: anchors})
		compare(t, i, expect{DSChain: "pass", DSValidity: "pass", CSCAValidity: "pass", GroupHash(1): "not-performed not_present"})
		for _, code := range []Code{SODFormat, SODSignature} {
			if c, _ := i.Check(code); c.Result != Pass || !strings.HasPrefix(c.Reason, "tolerated: ") {
				t.Errorf("%s: %s is %s %q: what was tolerated must be said", name, code, c.Result, c.Reason)
			}
		}
		compare(t, Judge(Input{Files: f, At: at, Trust: stranger}), expect{DSChain: "not-assessable no_anchor_for_country"})
	}
}

func TestSampleSecurityObject(t *testing.T) {
	f := map[lds.File][]byte{lds.SOD: load(t, outside(t), "sod/EF_SOD.bin")}
	compare(t, Judge(Input{Files: f, At: at}), expect{SODFormat: "pass", SODSignature: "pass", DGUnlisted: "pass", DSChain: "not-performed no_store"})
}
