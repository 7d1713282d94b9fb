package pki

import (
	"crypto"
	"os"
	"path/filepath"
	"slices"
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
			t.Errorf("incomplete: %s serial %s %v..%v, %d extensions", c.Subject, c.Serial, c.NotBefore, c.NotAfter, len(c.Extensions))
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
			for _, i := range issuers {
				if c.AuthorityKeyID != nil && string(i.SubjectKeyID) == string(c.AuthorityKeyID) {
					t.Errorf("%s serial %s: the issuer is held and does not verify it", c.Subject, c.Serial)
				}
			}
		}
	}
	// Two links name an issuer of which only another key generation is in the
	// set, three an issuer that is not in it.
	if len(all) != 777 || verified != 772 || orphans != 3 || broken != 2 {
		t.Errorf("unexpected counts")
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

// Objects of a careless issuer: identifier of nobody, value as r||s, hash misnamed.
// They verify, and what was tolerated is said.
func TestZKRSecurityObjects(t *testing.T) {
	dir := filepath.Join(dataDir(t), "emrtd", "zkr")
	for name, want := range map[string][]Deviation{
		"ecdsa-p256-sha256": {DeviationSignerVersion, DeviationSignerMismatch, DeviationPlainECDSA},
		"ecdsa-p384-sha384": {DeviationSignerVersion, DeviationDigestAlgorithm, DeviationSignerMismatch, DeviationPlainECDSA, DeviationSignatureHash},
		"rsa-2048-sha256":   {DeviationSignerVersion, DeviationSignerMismatch},
	} {
		s, err := ParseSignedData(readFile(t, dir, "johnny-silverhand-"+name+".sod"))
		if err != nil {
			t.Fatal(err)
		}
		if r := s.VerifySigner(0); !r.OK() || !slices.Equal(r.Deviations, want) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func hashByName(t testing.TB, name string) crypto.Hash {
	t.Helper()
	h, ok := map[string]crypto.Hash{"SHA-1": crypto.SHA1, "SHA-224": crypto.SHA224, "SHA-256": crypto.SHA256, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}[name]
	if !ok {
		t.Fatalf("no hash %q", name)
	}
	return h
}
