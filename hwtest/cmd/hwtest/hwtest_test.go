package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/cmd/program"
	"github.com/watchpost/watchpost/device/fault"
)

func runHwtest(t *testing.T, args ...string) (int, string) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	status := program.Run(t.Context(), root, &out)
	return status, out.String()
}

func TestMakeWritesFilesAndIssuer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	status, out := runHwtest(t, "passport", "make", "--out", dir)
	if status != program.OK {
		t.Fatalf("status %d: %s", status, out)
	}
	var line struct {
		Dir string   `json:"dir"`
		MRZ []string `json:"mrz"`
		Key string   `json:"key"`
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		t.Fatalf("not one line of JSON: %v\n%s", err, out)
	}
	if line.Dir != dir || len(line.MRZ) != 2 || line.Key == "" {
		t.Errorf("line %+v", line)
	}
	for _, name := range []string{"EF.SOD.bin", "EF.COM.bin", "DG1.bin", "pki/CSCA.der", "pki/DS.der", "pki/CSCA.crl", "pki/masterlist.ml"} {
		if content, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(content) == 0 {
			t.Errorf("%s: %d octets, %v", name, len(content), err)
		}
	}
}

// TestPortTaken holds that a page's address that somebody has is told before
// anything is set up.
func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	root := newRoot()
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	for _, address := range []string{l.Addr().String(), "no address", "127.0.0.1:99999"} {
		root.SetArgs([]string{"up", "--post", "--listen", address})
		if err := root.ExecuteContext(t.Context()); fault.CodeOf(err) != "demo.listen" || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestStatuses(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("holder:\n  surname: X\nno_such_key: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		status int
		args   []string
	}{
		{program.Usage, []string{"passport", "make"}},
		{program.Usage, []string{"passport", "make", "--out", "x", "more"}},
		{program.Usage, []string{"no-such-command"}},
		{program.Failed, []string{"passport", "make", "--out", t.TempDir(), "--profile", bad}},
		{program.Failed, []string{"passport", "make", "--out", t.TempDir(), "--profile", bad + ".none"}},
		{program.Failed, []string{"passport", "serve", "--vpcd", "127.0.0.1:1"}},
		{program.Failed, []string{"passport", "serve", "--inside", t.TempDir()}},
		{program.Failed, []string{"up", "--pcscd", filepath.Join(t.TempDir(), "none")}},
	} {
		if status, out := runHwtest(t, tc.args...); status != tc.status {
			t.Errorf("%v: status %d, want %d\n%s", tc.args, status, tc.status, out)
		}
	}
}
