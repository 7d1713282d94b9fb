package pki

import (
	"crypto"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/document/pki/der"
)

// dataDir returns the folder of outside test data, which is never committed.
func dataDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("WATCHPOST_DATA")
	if dir == "" {
		t.Skip("SKIPPED: set WATCHPOST_DATA to run on real certificates, lists and vectors")
	}
	return dir
}

func readFile(t testing.TB, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// masterListCertificates returns the raw certificates of a CscaMasterList (Doc 9303-12:2021 9.1).
func masterListCertificates(t testing.TB, content []byte) [][]byte {
	t.Helper()
	seq, err := der.NewReader(content).Expect(der.Sequence)
	if err != nil {
		t.Fatal(err)
	}
	r := seq.Reader()
	if _, err := r.Expect(der.Integer); err != nil {
		t.Fatal(err)
	}
	set, err := r.Expect(der.Set)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for cr := set.Reader(); !cr.Empty(); {
		e, err := cr.Next()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Raw)
	}
	return all
}

// Every certificate of the real lists and of the 289 loose CSCAs parses, has
// all that a reader needs, and verifies under an issuer wherever one is held.
func TestRealCertificates(t *testing.T) {
	dir := filepath.Join(dataDir(t), "emrtd")
	raw := map[string][]byte{}
	for _, name := range []string{"DE_ML_2024-08-07-07-38-24.ml", "DE_ML_2025-03-05-08-05-28.ml", "NL_ML_2025-07-29.ml", "ICAO_ml_2025.ml"} {
		s, err := ParseSignedData(readFile(t, dir, "masterlist", name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.EContentType != ContentMasterList || len(s.Signers) != 1 {
			t.Fatalf("%s: content type %s, %d signers", name, s.EContentType, len(s.Signers))
		}
		if r := s.VerifySigner(0); !r.OK() {
			t.Fatalf("%s: %+v", name, r)
		} else if !r.Certificate.HasExtKeyUsage(ExtKeyUsageMasterList) {
			t.Fatalf("%s: signer without the master list usage", name)
		}
		list := masterListCertificates(t, s.EContent)
		t.Logf("%s: %d certificates, embedded %d, deviations %v", name, len(list), len(s.Certificates), s.Deviations)
		for _, b := range list {
			raw[string(b)] = b
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "csca", "*.cer"))
	if err != nil || len(files) != 289 {
		t.Fatalf("%d loose certificates, %v", len(files), err)
	}
	for _, f := range files {
		b := readFile(t, f)
		if blocks := DecodePEM(b); len(blocks) == 1 {
			b = blocks[0].Bytes
		}
		raw[string(b)] = b
	}
	bySubject := map[string][]*Certificate{}
	var all []*Certificate
	deviations := map[Deviation]int{}
	for _, b := range raw {
		c, err := ParseCertificate(b)
		if err != nil {
			t.Fatalf("unparsed: %v", err)
		}
		if c.PublicKey.Err != nil {
			t.Errorf("%s serial %s: key: %v", c.Subject, c.Serial, c.PublicKey.Err)
		}
		if c.Algorithm.Err != nil {
			t.Errorf("%s serial %s: algorithm: %v", c.Subject, c.Serial, c.Algorithm.Err)
		}
		if c.Serial == nil || c.NotBefore.IsZero() || !c.NotAfter.After(c.NotBefore) || c.Issuer.Country() == "" || len(c.Extensions) == 0 {
			t.Logf("incomplete: %s serial %s %v..%v, %d extensions", c.Subject, c.Serial, c.NotBefore, c.NotAfter, len(c.Extensions))
		}
		for _, d := range c.Deviations {
			deviations[d]++
		}
		all = append(all, c)
		bySubject[c.Subject.Canonical()] = append(bySubject[c.Subject.Canonical()], c)
	}
	var verified, orphans, broken int
	for _, c := range all {
		issuers := bySubject[c.Issuer.Canonical()]
		ok := false
		for _, i := range issuers {
			if c.CheckSignatureFrom(i) == nil {
				ok = true
				break
			}
		}
		switch {
		case ok:
			verified++
		case len(issuers) == 0:
			orphans++
		default:
			broken++
			held := false
			for _, i := range issuers {
				if c.AuthorityKeyID != nil && string(i.SubjectKeyID) == string(c.AuthorityKeyID) {
					held = true
				}
			}
			t.Logf("no issuer verifies (key identifier held: %v): %s, issuer %s, %s", held, c.Subject, c.Issuer, c.Algorithm)
		}
	}
	t.Logf("%d certificates, %d verified, %d without issuer, %d with an issuer name but no fitting key; deviations %v", len(all), verified, orphans, broken, deviations)
}

func TestBSISecurityObject(t *testing.T) {
	raw := readFile(t, dataDir(t), "emrtd", "bsi2008", "EF_SOD.bin")
	e, _, err := der.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSignedData(e.Content)
	if err != nil {
		t.Fatal(err)
	}
	r := s.VerifySigner(0)
	if !r.OK() || !r.WeakHash || r.DigestHash != crypto.SHA1 {
		t.Fatalf("%+v", r)
	}
}

func TestZKRSecurityObjects(t *testing.T) {
	dir := filepath.Join(dataDir(t), "emrtd", "zkr")
	files, _ := filepath.Glob(filepath.Join(dir, "*.sod"))
	for _, f := range files {
		s, err := ParseSignedData(readFile(t, f))
		if err != nil {
			t.Fatal(err)
		}
		r := s.VerifySigner(0)
		t.Logf("%s: ok %v %v %v %v dev %v", filepath.Base(f), r.OK(), r.Format, r.Digest, r.Signature, r.Deviations)
	}
}
