package passport

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

const wholeProfile = `
holder: {surname: TORRIN, given_names: ADA, sex: F, born: 1980-02-03, nationality: UTO, issuer: UTO, document_code: P, document_number: X1234567, expires: 2033-01-01}
portrait: face.jpg
forged_portrait: other.jpg
issuer:
  seed: profile
  csca: {key: brainpoolP384r1, hash: sha384, explicit: true}
  ds: {key: secp256r1}
  sod_hash: sha512
  sod_version: 1
  by_ski: true
  defects: {wrong_digest: [14], ds_not_after: 2026-01-01T00:00:00Z}
files: {COM: "", DG11: dg11.bin}
access: {no_bac: true, can: "123456", pace: [{suite: aes128, parameter: 13}]}
authenticity:
  chip_keys: [{curve: brainpoolP256r1, suite: aes128, key_id: 1}]
  active: {key: secp256r1, hash: sha256}
  clone: true
limits: {no_extended: true, max_read: 223, over_read: "6700", at_end: "6282"}
faults:
  - {kind: tear, at: 40}
  - {kind: status, step: "select:CardAccess", status: "6982", times: 1}
air: {kbit_per_second: 424, command_ms: 3, step_ms: {pace-3: 500}}
`

func TestWholeProfile(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"p.yaml": []byte(wholeProfile), "face.jpg": portrait(100), "other.jpg": portrait(120), "dg11.bin": {0x6B, 0x00},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := LoadProfile(filepath.Join(dir, "p.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Personalise(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := doc.Files["COM"]; ok {
		t.Error("a file that was taken away is there")
	}
	for _, name := range []string{"SOD", "CardAccess", "DG1", "DG2", "DG11", "DG14", "DG15"} {
		if len(doc.Files[name]) == 0 {
			t.Errorf("%s is missing", name)
		}
	}
	if !bytes.Contains(doc.Files["DG2"], portrait(120)) {
		t.Error("the forged portrait is not on the chip")
	}
	if len(doc.Faults) != 2 || doc.Limits.MaxRead != 223 || doc.Air.StepMillis["pace-3"] != 500 || doc.Secret.CAN != "123456" {
		t.Errorf("something of the profile was lost: %+v %+v %+v", doc.Faults, doc.Limits, doc.Air)
	}
	again, err := Personalise(p)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range doc.Files {
		if !bytes.Equal(content, again.Files[name]) {
			t.Errorf("%s differs when made twice", name)
		}
	}
}

func TestProfileRefusals(t *testing.T) {
	for name, text := range map[string]string{
		"unknown key":          "holder: {}\nnickname: x\n",
		"unknown inner key":    "limits: {max_reed: 3}\n",
		"not YAML":             "limits: {",
		"unknown fault":        "faults: [{kind: explode}]\n",
		"fault without status": "faults: [{kind: status}]\n",
		"fault status":         "faults: [{kind: status, status: \"90\"}]\n",
		"short read of none":   "faults: [{kind: short-read}]\n",
		"negative at":          "faults: [{kind: tear, at: -1}]\n",
		"limit status":         "limits: {over_read: \"67\"}\n",
		"at_end is short":      "limits: {at_end: short}\n",
		"negative limit":       "limits: {max_read: -1}\n",
		"PACE suite":           "access: {pace: [{suite: des, parameter: 13}]}\n",
		"PACE parameters":      "access: {pace: [{suite: 3des, parameter: 3}]}\n",
		"PACE mapping":         "access: {pace: [{mapping: xm, suite: aes128, parameter: 13}]}\n",
		"CAM over numbers":     "access: {pace: [{mapping: cam, suite: aes128, parameter: 1}]}\n",
		"CAM with 3DES":        "access: {pace: [{mapping: cam, suite: 3des, parameter: 13}]}\n",
		"chip key curve":       "authenticity: {chip_keys: [{curve: x, suite: 3des}]}\n",
		"chip key RSA":         "authenticity: {chip_keys: [{curve: rsa-1024, suite: 3des}]}\n",
		"chip key suite":       "authenticity: {chip_keys: [{curve: secp256r1, suite: x}]}\n",
		"info left out":        "authenticity: {chip_keys: [{curve: secp256r1, suite: aes128, omit_info: true}]}\n",
		"active hash":          "authenticity: {active: {key: secp256r1, hash: md5}}\n",
		"issuer":               "issuer: {csca: {key: rsa-12}}\n",
		"format":               "format: td9\n",
		"holder":               "holder: {surname: x}\n",
		"no such country":      "holder: {surname: A, nationality: QQQ, issuer: QQQ, document_code: P, document_number: A1}\n",
		"missing portrait":     "portrait: /nonexistent/face.jpg\n",
		"missing file":         "files: {DG3: /nonexistent/dg3.bin}\n",
		"portrait is no image": "portrait: /dev/null\n",
	} {
		p, err := ParseProfile([]byte(text))
		if err == nil {
			_, err = New(p)
		}
		if fault.CodeOf(err) != codeProfile {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := NewChip(&Document{Files: map[string][]byte{"DG17": {}}, Access: Access{Open: true}}); fault.CodeOf(err) != codeProfile {
		t.Errorf("unknown file: %v", err)
	}
	if _, err := NewChip(&Document{Files: map[string][]byte{"DG2": make([]byte, maxFile+1)}, Access: Access{Open: true}}); fault.CodeOf(err) != codeProfile {
		t.Errorf("file too large: %v", err)
	}
	if _, err := NewChip(&Document{}); fault.CodeOf(err) != codeProfile {
		t.Errorf("access control without a key: %v", err)
	}
	if _, err := LoadProfile(filepath.Join(t.TempDir(), "none")); fault.CodeOf(err) != codeProfile {
		t.Errorf("missing profile: %v", err)
	}
}

func TestEmptyProfileIsAGenuinePassport(t *testing.T) {
	p, err := ParseProfile(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(p); err != nil {
		t.Fatal(err)
	}
}

func FuzzParseProfile(f *testing.F) {
	f.Add([]byte(wholeProfile))
	f.Add([]byte("seed: 3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProfile(text)
		if err == nil && len(p.Faults) < 100 {
			_ = checkFaults(p.Faults)
		}
	})
}

func TestProfilesOfThePage(t *testing.T) {
	page, err := os.ReadFile("PROFILES.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	if len(blocks) < 6 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for i, block := range blocks {
		text, _, ok := strings.Cut(block, "```")
		if !ok {
			t.Fatalf("block %d has no end", i+1)
		}
		p, err := ParseProfile([]byte(text))
		if err == nil {
			_, err = New(p)
		}
		if err != nil {
			t.Errorf("block %d: %v", i+1, err)
		}
	}
}
