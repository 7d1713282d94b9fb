package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	chip "github.com/watchpost/watchpost/hwtest/passport/lds"
)

// chipFolder writes a sound chip's files under odd but allowed names, and the
// certificate of its CSCA beside them.
func chipFolder(t *testing.T) (dir, csca string) {
	t.Helper()
	issuer, err := pki.New(pki.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	dg1 := chip.DG1([]string{specimen1, specimen2})
	sod, err := issuer.SOD(map[int][]byte{1: dg1})
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	csca = filepath.Join(t.TempDir(), "csca.cer")
	for path, content := range map[string][]byte{
		filepath.Join(dir, "ef.SOD"): sod, filepath.Join(dir, "Dg1.BIN"): dg1, filepath.Join(dir, "README.md"): []byte("no file of a chip"), csca: issuer.CSCA.DER,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, csca
}

func runInspect(t *testing.T, args ...string) (out []byte, status int) {
	t.Helper()
	root := newRoot()
	var stdout bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(append([]string{"document", "inspect"}, args...))
	status = run(t.Context(), root)
	return stdout.Bytes(), status
}

func results(t *testing.T, out []byte) map[string]string {
	t.Helper()
	var i struct {
		Checks []struct{ Code, Result, Reason, Clause string }
	}
	if err := json.Unmarshal(out, &i); err != nil || bytes.Count(out, []byte("\n")) != 1 {
		t.Fatalf("not one JSON object on a line: %v", err)
	}
	m := map[string]string{}
	for _, c := range i.Checks {
		m[c.Code] = c.Result
	}
	return m
}

func TestDocumentInspect(t *testing.T) {
	dir, csca := chipFolder(t)
	anchors := filepath.Join(t.TempDir(), "anchors")
	root := newRoot()
	root.SetOut(&bytes.Buffer{})
	root.SetErr(&bytes.Buffer{})
	root.SetArgs([]string{"trust", "import", "--store", anchors, csca})
	if status := run(t.Context(), root); status != exitOK {
		t.Fatalf("import: status %d", status)
	}
	out, status := runInspect(t, "--dir", dir, "--trust", anchors, "--at", "2026-03-01")
	got := results(t, out)
	for code, want := range map[string]string{
		"sod.signature": "pass", "ds.chain": "pass", "dg1.hash": "pass", "ds.validity": "pass", "dg2.hash": "not-performed",
		"document.expiry": "fail", "ds.country": "pass", "portrait.match": "not-performed",
	} {
		if got[code] != want {
			t.Errorf("%s is %s, want %s", code, got[code], want)
		}
	}
	if status != exitOK {
		t.Errorf("status %d: a verdict is an answer", status)
	}
	if out, _ = runInspect(t, "--dir", dir, "--at", "2023-12-31T23:59:59Z"); results(t, out)["ds.validity"] != "fail" || results(t, out)["ds.chain"] != "not-performed" {
		t.Error("--at and the missing store went unseen")
	}
}

func TestDocumentInspectPolicy(t *testing.T) {
	dir, _ := chipFolder(t)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	for content, want := range map[string]int{
		"document: {allow_sha1: true}\n": exitOK, "document: {allow_sha2: true}\n": exitFailed, "": exitFailed, "[": exitFailed, "version: 99\n": exitFailed,
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, status := runInspect(t, "--dir", dir, "--policy", file); status != want {
			t.Errorf("%q: status %d, want %d", content, status, want)
		}
	}
}

func TestDocumentInspectRefuses(t *testing.T) {
	dir, _ := chipFolder(t)
	empty := t.TempDir()
	for name, c := range map[string]struct {
		args   []string
		status int
	}{
		"no folder named":    {nil, exitUsage},
		"time is no time":    {[]string{"--dir", dir, "--at", "yesterday"}, exitUsage},
		"an argument":        {[]string{"--dir", dir, "more"}, exitUsage},
		"no such store":      {[]string{"--dir", dir, "--trust", empty}, exitFailed},
		"no such policy":     {[]string{"--dir", dir, "--policy", filepath.Join(dir, "no")}, exitFailed},
		"policy is a folder": {[]string{"--dir", dir, "--policy", dir}, exitFailed},
	} {
		if out, status := runInspect(t, c.args...); status != c.status || len(out) != 0 {
			t.Errorf("%s: status %d, want %d; %d bytes out", name, status, c.status, len(out))
		}
	}
	for name, c := range map[string]struct{ dir, want string }{
		"no such folder": {filepath.Join(dir, "no"), "document.file"},
		"empty folder":   {empty, "document.no_files"},
	} {
		if out, status := runInspect(t, "--dir", c.dir); status != exitFailed || string(out) != `{"error":{"code":"`+c.want+`"}}`+"\n" {
			t.Errorf("%s: status %d, %s", name, status, out)
		}
	}
}

// TestDocumentInspectOddFolder: a file that cannot be read, or is there twice,
// costs the others nothing.
func TestDocumentInspectOddFolder(t *testing.T) {
	dir, _ := chipFolder(t)
	sod, err := os.ReadFile(filepath.Join(dir, "ef.SOD"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("EF_SOD.BIN", sod) // the same again
	put("DG11", []byte{0x6B, 0})
	put("ef_dg11.bin", []byte{0x6B, 0x01, 0x00})
	put("DG12.txt", []byte("nothing of a chip"))
	put("DG99", []byte{1})
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "EF.DG2")); err != nil {
		t.Fatal(err)
	}
	out, status := runInspect(t, "--dir", dir, "--at", "2026-03-01")
	got := results(t, out)
	if status != exitOK || got["sod.signature"] != "pass" || got["dg1.hash"] != "pass" || got["dg2.hash"] != "not-performed" ||
		!bytes.Contains(out, []byte(`{"code":"dg2.format","result":"not-performed","reason":"document.file"`)) {
		t.Errorf("status %d, %s", status, out)
	}
	if _, there := got["dg12.hash"]; there {
		t.Error("another program's file was taken for one of the chip")
	}
}

func TestDocumentInspectLargeFile(t *testing.T) {
	dir, _ := chipFolder(t)
	if err := os.WriteFile(filepath.Join(dir, "DG2"), append([]byte{0x75}, make([]byte, lds.MaxFile+100)...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, status := runInspect(t, "--dir", dir)
	if got := results(t, out); status != exitOK || got["dg2.format"] != "fail" || got["dg1.hash"] != "pass" {
		t.Errorf("status %d, dg2.format %s, dg1.hash %s: one file must not lose the rest", status, got["dg2.format"], got["dg1.hash"])
	}
}

func TestDocumentInspectReport(t *testing.T) {
	dir, _ := chipFolder(t)
	policyFile := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policyFile, []byte("document: {allow_sha1: true, max_crl_age: 720h}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, status := runInspect(t, "--dir", dir, "--at", "2026-03-01", "--policy", policyFile, "--report", "tr03135")
	var r struct {
		Form       string
		JudgedAt   string `json:"judged_at"`
		Policy     map[string]any
		Electronic struct {
			Result string
			Checks []struct {
				Code, Result, Reason, Clause string
				Performed                    bool
			}
		}
		Overall string
	}
	if err := json.Unmarshal(out, &r); err != nil || status != exitOK || bytes.Count(out, []byte("\n")) != 1 {
		t.Fatalf("%d %v %s", status, err, out)
	}
	if r.Form != "watchpost tr03135 1" || r.JudgedAt != "2026-03-01T00:00:00Z" || r.Policy["max_crl_age"] != "720h0m0s" || r.Policy["allow_sha1"] != true ||
		len(r.Electronic.Checks) < 20 || r.Overall != "failed" { // the specimen has expired
		t.Errorf("%s", out)
	}
	for name, args := range map[string][]string{
		"another report":     {"--dir", dir, "--report", "xml"},
		"age without a unit": {"--dir", dir, "--policy", writeFile(t, "document: {max_crl_age: 30}\n")},
		"a key of nobody":    {"--dir", dir, "--policy", writeFile(t, "document: {max_age: 30h}\n")},
	} {
		if out, status := runInspect(t, args...); status == exitOK || len(out) != 0 {
			t.Errorf("%s: %d %s", name, status, out)
		}
	}
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
