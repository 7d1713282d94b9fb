package main

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/directory"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

// utopia publishes two editions: the second has a new key and lacks the first's
// neighbour.
func utopia(t *testing.T) (issuer *pki.Issuer, older, newer []byte) {
	t.Helper()
	issuer, err := pki.New(pki.Spec{Seed: "trust commands", CSCA: pki.Scheme{Key: "secp256r1"}, DS: pki.Scheme{Key: "secp256r1"}})
	if err != nil {
		t.Fatal(err)
	}
	neighbour, err := pki.New(pki.Spec{Seed: "neighbour", Country: "XO", State: "XOM", CSCA: pki.Scheme{Key: "secp256r1"}, DS: pki.Scheme{Key: "secp256r1"}})
	if err != nil {
		t.Fatal(err)
	}
	next, link, err := issuer.Link()
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	if older, err = issuer.MasterListAt(day, issuer.CSCA.DER, neighbour.CSCA.DER); err != nil {
		t.Fatal(err)
	}
	if newer, err = issuer.MasterListAt(day.AddDate(0, 1, 0), issuer.CSCA.DER, next.DER, link.DER); err != nil {
		t.Fatal(err)
	}
	return issuer, older, newer
}

func TestTrustCheckAndDiff(t *testing.T) {
	issuer, older, newer := utopia(t)
	dir := t.TempDir()
	path := func(name string, raw []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b, ca := path("a.ml", older), path("b.ml", newer), path("csca.cer", issuer.CSCA.DER)

	out, status := runTrust(t, "check", a, b, ca)
	var row checkRow
	if err := json.Unmarshal([]byte(out), &row); err != nil || status != exitOK {
		t.Fatalf("%d %v %s", status, err, out)
	}
	if row.Files != 3 || row.Certificates != 6 || row.Distinct != 4 || row.Unparsed != 0 || row.Unusable != 0 ||
		row.Signatures["self"] != 3 || row.Signatures["issuer"] != 1 || row.Signatures["broken"] != 0 {
		t.Errorf("%s", out)
	}

	changes := func(args ...string) string {
		out, status := runTrust(t, append([]string{"diff"}, args...)...)
		if status != exitOK {
			t.Errorf("%v: %d", args, status)
		}
		var all []string
		for line := range strings.Lines(out) {
			var r diffRow
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			all = append(all, r.Change+" "+r.Country+" "+string(r.Kind))
		}
		slices.Sort(all) // a list is a set: its order is that of its octets
		return strings.Join(all, ", ")
	}
	if got := changes(a, b); got != "added UT csca, added UT link, removed XO csca" {
		t.Errorf("editions: %s", got)
	}
	if got := changes(b, b); got != "" {
		t.Errorf("the same twice: %s", got)
	}
	store := filepath.Join(dir, "store")
	if out, status := runTrust(t, "import", "--store", store, "--anchor", ca, a); status != exitOK {
		t.Fatal(out)
	}
	if got := changes(store, b); got != "added UT csca, added UT link, removed XO csca" {
		t.Errorf("store and edition: %s", got)
	}
	broken := bytes.Clone(newer)
	broken[len(broken)-3] ^= 1
	for name, tc := range map[string]struct {
		file, want string
	}{
		"a file that is no list":      {path("text", []byte("hello")), `"lists":2,"lists_broken":0,"refused":[{"file":"FILE","reason":"trust.unrecognized"}]`},
		"a file that is missing":      {filepath.Join(dir, "none"), `"lists":2,"lists_broken":0,"refused":[{"file":"FILE","reason":"trust.file"}]`},
		"a list cut short":            {path("cut.ml", newer[:len(newer)/2]), `"lists":2,"lists_broken":0,"refused":[{"file":"FILE","reason":"pki.malformed"}]`},
		"a list whose signature ends": {path("broken.ml", broken), `"lists":3,"lists_broken":1,"refused":[]`},
	} {
		out, status := runTrust(t, "check", a, tc.file, b)
		want := strings.ReplaceAll(tc.want, "FILE", tc.file)
		if (status == exitFailed) != strings.Contains(want, "reason") || !strings.Contains(out, want) || !strings.Contains(out, `"distinct":4,`) {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
	if out, status := runTrust(t, "diff", dir, a); status != exitFailed || out != "" {
		t.Errorf("a folder without store: %d %s", status, out)
	}
	if out, status := runTrust(t, "diff", a, filepath.Join(dir, "none")); status != exitFailed || out != "" {
		t.Errorf("a missing side: %d %s", status, out)
	}
	if _, status := runTrust(t, "diff", a); status != exitUsage {
		t.Errorf("one side: %d", status)
	}
}

func TestTrustFetch(t *testing.T) {
	issuer, older, newer := utopia(t)
	d := directory.ForTest(t, nil, "UT")
	d.Stop()
	if err := d.Load(directory.Entry{Kind: "ml", Country: "UT", Name: "new", Version: 7, Raw: newer},
		directory.Entry{Kind: "dsc", Country: "UT", Name: "signer", Version: 8, Raw: issuer.DS.DER}); err != nil {
		t.Fatal(err)
	}
	if err := d.Run(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ca, store, old := filepath.Join(dir, "csca.cer"), filepath.Join(dir, "store"), filepath.Join(dir, "old.ml")
	crl, err := issuer.CRL(time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC), big.NewInt(1))
	if err != nil {
		t.Fatal(err)
	}
	for path, raw := range map[string][]byte{ca: issuer.CSCA.DER, old: older, filepath.Join(dir, "crl"): crl} {
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	get := func(want int, args ...string) fetchRow {
		t.Helper()
		out, status := runTrust(t, append([]string{"fetch", "--ldap", d.URL("ldap", directory.Base), "--store", store}, args...)...)
		var row fetchRow
		if err := json.Unmarshal([]byte(out), &row); err != nil || status != want {
			t.Fatalf("status %d, %v: %s", status, err, out)
		}
		return row
	}
	if row := get(exitFailed); row.Error == nil || row.Error.Code != "trust.unanchored" || row.Accepted != 0 {
		t.Errorf("without an anchor: %+v", row)
	}
	if row := get(exitOK, "--anchor", ca); row.Entries != 2 || row.Fetched != 2 || row.Accepted != 4 || row.Added != 4 || len(row.Refused) != 0 {
		t.Errorf("with it: %+v", row)
	}
	if row := get(exitOK); row.Unchanged != 2 || row.Fetched != 0 {
		t.Errorf("again: %+v", row)
	}
	if out, status := runTrust(t, "import", "--store", store, old); status != exitFailed || !strings.Contains(out, "trust.rollback") {
		t.Errorf("an older edition by file: %s", out)
	}
	for name, args := range map[string][]string{
		"no URL":                  {"--store", store},
		"another scheme":          {"--store", store, "--ldap", "https://host"},
		"password without a name": {"--store", store, "--ldap", "ldaps://host", "--password-file", ca},
		"name without a password": {"--store", store, "--ldap", "ldaps://host", "--bind-dn", "cn=a"},
		"password in the URL":     {"--store", store, "--ldap", "ldap://a:b@host"},
		"an argument too much":    {"--store", store, "--ldap", "ldaps://host", "more"},
	} {
		if out, status := runTrust(t, append([]string{"fetch"}, args...)...); status != exitUsage || out != "" {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
	d.Stop()
	if row := get(exitFailed); row.Error == nil || row.Error.Code != "pkd.connect" {
		t.Errorf("nobody there: %+v", row)
	}
}

func TestTrustStatus(t *testing.T) {
	issuer, older, _ := utopia(t)
	dir := t.TempDir()
	crl, err := issuer.CRL(time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC), big.NewInt(7), big.NewInt(8))
	if err != nil {
		t.Fatal(err)
	}
	ca, list, revoked, store := filepath.Join(dir, "csca.cer"), filepath.Join(dir, "a.ml"), filepath.Join(dir, "a.crl"), filepath.Join(dir, "store")
	for path, raw := range map[string][]byte{ca: issuer.CSCA.DER, list: older, revoked: crl} {
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, status := runTrust(t, "import", "--store", store, "--anchor", ca, list, revoked); status != exitOK {
		t.Fatal(out)
	}
	read := func(at string) []statusRow {
		t.Helper()
		out, status := runTrust(t, "status", "--store", store, "--at", at)
		var rows []statusRow
		for line := range strings.Lines(out) {
			var r statusRow
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, r)
		}
		if status != exitOK || len(rows) != 2 {
			t.Fatalf("%d %s", status, out)
		}
		return rows
	}
	rows := read("2025-07-11")
	if r := rows[0]; r.Kind != "master_list" || r.List != "UT" || r.Edition != "2025-06-01T00:00:00Z" || r.AgeDays != 40 || r.Certificates != 2 || r.File != "a.ml" || r.Stale {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; r.Kind != "crl" || r.List != "UT" || r.AgeDays != 10 || r.Certificates != 2 || r.Stale || r.NextUpdate != "2025-09-29T00:00:00Z" {
		t.Errorf("%+v", r)
	}
	if rows = read("2025-09-30"); !rows[1].Stale || rows[0].Stale {
		t.Errorf("%+v", rows)
	}
	for name, args := range map[string][]string{"no store": {"status", "--store", dir + "/none"}, "no date": {"status", "--store", store, "--at", "x"}} {
		if out, status := runTrust(t, args...); status == exitOK || out != "" {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
}
