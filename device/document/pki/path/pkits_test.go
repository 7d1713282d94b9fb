package path

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// pkitsTime is within the validity of this edition of the suite, 2001 to 2011.
var pkitsTime = time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC)

// pkitsCase is a row of testdata/pkits.csv.
type pkitsCase struct{ number, certificate, inputs, verdict, excluded string }

func pkitsTable(t *testing.T) []pkitsCase {
	t.Helper()
	f, err := os.Open("testdata/pkits.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment, r.FieldsPerRecord = '#', 5
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkitsCase
	for _, row := range rows {
		all = append(all, pkitsCase{row[0], row[1], row[2], row[3], row[4]})
	}
	return all
}

// inputs turns "explicit 1 2" into the settings of a case.
func (c pkitsCase) settings(in Input) Input {
	for word := range strings.FieldsSeq(c.inputs) {
		switch word {
		case "explicit":
			in.ExplicitPolicy = true
		case "inhibit-mapping":
			in.InhibitMapping = true
		case "inhibit-any":
			in.InhibitAnyValue = true
		default:
			in.Policies = append(in.Policies, "2.16.840.1.101.3.2.1.48."+word)
		}
	}
	return in
}

// NIST PKITS as one table: every case that the profile has, with the verdict of
// the suite, through one pool of all its authorities and lists. Cases of what
// Doc 9303 excludes are named, and must at least never come out as valid where
// the suite says invalid.
func TestPKITS(t *testing.T) {
	dir := os.Getenv("WATCHPOST_DATA")
	if dir == "" {
		t.Skip("SKIPPED: set WATCHPOST_DATA to run the NIST path validation suite")
	}
	dir = filepath.Join(dir, "pki", "pkits")
	in := Input{At: pkitsTime, RequireCRL: true}
	ends := map[string]*pki.Certificate{}
	files, _ := filepath.Glob(filepath.Join(dir, "certs", "*.crt"))
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".crt")
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := pki.ParseCertificate(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch {
		case strings.HasSuffix(name, "EE"):
			ends[name] = c
		case name == "TrustAnchorRootCertificate":
			in.Anchors = append(in.Anchors, c)
		default:
			in.Intermediates = append(in.Intermediates, c)
		}
	}
	files, _ = filepath.Glob(filepath.Join(dir, "crls", "*.crl"))
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		l, err := pki.ParseCRL(raw)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		in.CRLs = append(in.CRLs, l)
	}
	if len(in.Anchors) != 1 || len(in.CRLs) != 173 {
		t.Fatalf("%d anchors, %d lists", len(in.Anchors), len(in.CRLs))
	}
	applied, agreed, excluded := 0, 0, map[string]int{}
	used := map[string]bool{}
	for _, c := range pkitsTable(t) {
		end := ends[c.certificate]
		if end == nil {
			t.Errorf("%s: no certificate %s", c.number, c.certificate)
			continue
		}
		used[c.certificate] = true
		path, err := Verify(t.Context(), end, c.settings(in))
		got := "valid"
		if err != nil {
			got = "invalid"
		}
		if err != nil && fault.CodeOf(err) == "" || err == nil && len(path) == 0 {
			t.Errorf("%s: no code or no path: %v", c.number, err)
		}
		if c.excluded != "" {
			excluded[c.excluded]++
			// A base list without its delta is what RFC 5280:2008 6.3.1 lets one use.
			if got == "valid" && c.verdict == "invalid" && !strings.HasPrefix(c.excluded, "delta") {
				t.Errorf("%s %s: excluded, and valid where the suite says invalid", c.number, c.certificate)
			}
			continue
		}
		applied++
		if got != c.verdict {
			t.Errorf("%s %s (%s): %s, want %s: %v", c.number, c.certificate, c.inputs, got, c.verdict, err)
			continue
		}
		agreed++
		t.Logf("%-8s %-55s %-8s %s", c.number, c.certificate, got, fault.CodeOf(err))
	}
	if applied < 150 || len(used) != len(ends) {
		t.Errorf("%d cases apply, %d of %d end certificates used", applied, len(used), len(ends))
	}
	for clause, n := range excluded {
		t.Logf("excluded %2d: %s", n, clause)
	}
	t.Logf("PKITS: %d cases apply, %d agree; %d excluded", applied, agreed, func() (n int) {
		for _, k := range excluded {
			n += k
		}
		return
	}())
}
