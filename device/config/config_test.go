package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

var update = flag.Bool("update", false, "write golden files anew")

func example() *Config {
	c := Default(policy.Desk)
	c.Post = "desk-1"
	c.State = "/var/lib/watchpost"
	c.Owners = []Owner{
		{ID: "ministry", PublicKey: "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},
		{ID: "data-protection", PublicKey: "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="},
	}
	c.Capture.Camera = "face"
	c.Capture.Reader = "Identive Reader 00 00"
	return c
}

func TestRoundTripToGolden(t *testing.T) {
	raw, err := Encode(example())
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "desk.yaml")
	if *update {
		if err := os.WriteFile(golden, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, want) {
		t.Errorf("the form has changed:\n%s", raw)
	}
	c, err := Read(golden)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Encode(c)
	if err != nil || !bytes.Equal(again, want) {
		t.Errorf("reading and writing again changes it (%v)", err)
	}
	if c.AdminSocket() != "/var/lib/watchpost/admin.sock" || c.CaptureSocket() != "/var/lib/watchpost/capture.sock" {
		t.Errorf("sockets %s and %s", c.AdminSocket(), c.CaptureSocket())
	}
}

func TestOldFileStillReads(t *testing.T) {
	c, err := Decode([]byte("version: 1\npost: a\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP.Listen != "127.0.0.1:8443" || c.Workplace != policy.Desk {
		t.Errorf("defaults are not filled in: %+v", c)
	}
}

func TestRefuses(t *testing.T) {
	raw, err := Encode(example())
	if err != nil {
		t.Fatal(err)
	}
	good := string(raw)
	for _, c := range []struct {
		name, old, new string
		code           fault.Code
	}{
		{"unknown key", "post:", "posts:", "config.format"},
		{"unknown nested key", "  listen:", "  listne:", "config.format"},
		{"not yaml", "owners:", "owners: [", "config.format"},
		{"version", "version: 1", "version: 7", "config.version"},
		{"workplace", "workplace: desk", "workplace: kiosk", "config.workplace"},
		{"post name", "post: desk-1", "post: a/b", "config.post"},
		{"short key", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "AQEB", "config.owners"},
		{"same key twice", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=", "config.owners"},
		{"same id twice", "id: ministry", "id: data-protection", "config.owners"},
		{"listen", "127.0.0.1:9464", "9464", "config.listen"},
		{"display", "capture:\n", "capture:\n  display: both\n", "config.display"},
		{"terminal key", "capture:\n", "capture:\n  terminal_key: signer.sock\n", "config.terminal_key"},
		{"log level", "level: info", "level: loud", "config.log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.Replace(good, c.old, c.new, 1)
			if bad == good {
				t.Fatalf("%q does not occur", c.old)
			}
			if _, err := Decode([]byte(bad)); fault.CodeOf(err) != c.code {
				t.Errorf("code %q, want %q (%v)", fault.CodeOf(err), c.code, err)
			}
		})
	}
	one := example()
	one.Owners = one.Owners[:1]
	raw, err = Encode(one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(raw); fault.CodeOf(err) != "config.owners" {
		t.Errorf("a single owner: %v", err)
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none.yaml")); fault.CodeOf(err) != "config.missing" {
		t.Errorf("no file: %v", err)
	}
	if _, err := Decode(make([]byte, MaxBytes+1)); fault.CodeOf(err) != "config.too_large" {
		t.Errorf("large file: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	raw, err := Encode(example())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := Decode(raw); err == nil && len(c.Owners) == 1 {
			t.Error("one owner accepted")
		}
	})
}
