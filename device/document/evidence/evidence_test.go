package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/examine"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// channel is a virtual passport as a Channel.
type channel struct{ *passport.Chip }

func (c channel) Transmit(_ context.Context, command []byte) ([]byte, error) {
	return c.Chip.Transmit(command)
}
func (channel) MaxCommand() int  { return 65_544 }
func (channel) MaxResponse() int { return 65_538 }

var at = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// kept reads a chip with Active Authentication and keeps it in a new folder.
func kept(t *testing.T) (dir string, judged inspect.Inspection) {
	t.Helper()
	p := passport.Profile{Seed: 3, Authenticity: passport.Authenticity{Active: &pki.Scheme{Key: "secp256r1", Hash: "sha256"}},
		Access: passport.Access{PACE: []passport.PACE{{Suite: "aes128", Parameter: 12}}}}
	p.Faults = []passport.Fault{{Kind: passport.KindStatus, Step: "read:COM", Status: "6F00"}, {Kind: passport.KindStatus, Step: "select:COM", Status: "6F00"}}
	chip, err := passport.New(p)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := p.MRZ()
	if err != nil {
		t.Fatal(err)
	}
	key, err := examine.ParseKey(strings.Join(lines, "\n"), "", at)
	if err != nil {
		t.Fatal(err)
	}
	judged, reading, err := examine.Chip(t.Context(), channel{chip}, key, examine.Rules{At: at}, examine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "evidence")
	if err := Write(dir, reading.Files, Of(reading, key.Lines, at)); err != nil {
		t.Fatal(err)
	}
	return dir, judged
}

// again judges what a folder holds.
func again(t *testing.T, dir string) inspect.Inspection {
	t.Helper()
	files, _, err := ReadFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, ok, err := ReadSession(dir)
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	in := s.Input(files)
	in.At = at
	return inspect.Judge(in)
}

// TestJudgedAgain: what was kept is judged as it was when it was read.
func TestJudgedAgain(t *testing.T) {
	dir, judged := kept(t)
	was, err := json.Marshal(judged)
	if err != nil {
		t.Fatal(err)
	}
	is, err := json.Marshal(again(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if string(was) != string(is) {
		t.Errorf("read:\n%s\nkept:\n%s", was, is)
	}
	if c, _ := judged.Check(inspect.ActiveAuthentication); c.Reason != "signer_unverified" {
		t.Errorf("active authentication: %+v", c)
	}
	if c, _ := judged.Check(inspect.COMMatch); c.Result != inspect.NotPerformed || c.Reason == "no_com" {
		t.Errorf("EF.COM was refused: %+v", c)
	}
}

// TestTranscriptIsJudged: a kept proof is no stronger than its signature.
func TestTranscriptIsJudged(t *testing.T) {
	dir, _ := kept(t)
	path := filepath.Join(dir, sessionFile)
	s, _, err := ReadSession(dir)
	if err != nil {
		t.Fatal(err)
	}
	write := func() {
		t.Helper()
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Proofs[0].Signature[5] ^= 1
	write()
	i := again(t, dir)
	if c, _ := i.Check(inspect.ActiveAuthentication); c.Result != inspect.Fail || c.Reason != "aa.signature" {
		t.Errorf("changed signature: %+v", c)
	}
	s.Proofs[0].Signature = nil
	write()
	i = again(t, dir)
	if c, _ := i.Check(inspect.ActiveAuthentication); c.Result != inspect.Fail {
		t.Errorf("no signature: %+v", c)
	}
	if err := os.Remove(filepath.Join(dir, "EF_DG15.bin")); err != nil {
		t.Fatal(err)
	}
	i = again(t, dir)
	if c, _ := i.Check(inspect.ActiveAuthentication); c.Result != inspect.NotAssessable {
		t.Errorf("no key: %+v", c)
	}
}

func TestFolderRefused(t *testing.T) {
	empty := t.TempDir()
	if _, _, err := ReadFiles(empty); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty: %v", err)
	}
	if _, _, err := ReadFiles(filepath.Join(empty, "none")); !errors.Is(err, ErrFile) {
		t.Errorf("no folder: %v", err)
	}
	if _, ok, err := ReadSession(empty); ok || err != nil {
		t.Errorf("no session: %v %v", ok, err)
	}
	if err := Write(filepath.Join(sessionAsFile(t), "x"), nil, Session{}); !errors.Is(err, ErrWrite) {
		t.Errorf("folder in a file: %v", err)
	}
	odd := t.TempDir()
	for name, data := range map[string]string{"EF_DG1.bin": "a", "dg1": "b", "EF.dg1.bin": "a", "DG3": "same", "ef_dg3.BIN": "same", "SOD.txt": "no file of a chip"} {
		if err := os.WriteFile(filepath.Join(odd, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/zero", filepath.Join(odd, "DG2")); err != nil {
		t.Fatal(err)
	}
	files, unread, err := ReadFiles(odd)
	if err != nil || len(files) != 1 || string(files["DG3"]) != "same" || len(unread) != 2 ||
		unread["DG1"] != string(ErrDuplicate.Code) || unread["DG2"] != string(ErrFile.Code) {
		t.Errorf("%v, %d files, unread %v", err, len(files), unread)
	}
	for name, text := range map[string]string{
		"no JSON": "x", "another version": `{"version":2}`, "no version": `{}`, "unknown key": `{"version":1,"name":"x"}`,
		"unknown result": `{"version":1,"proofs":[{"code":"pace.cam","result":"sure"}]}`, "too long": `{"version":1,"lines":["` + strings.Repeat("x", maxSession) + `"]}`,
	} {
		if err := os.WriteFile(filepath.Join(empty, sessionFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := ReadSession(empty); ok || !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func sessionAsFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func FuzzSession(f *testing.F) {
	f.Add([]byte(`{"version":1,"at":"2026-03-01T00:00:00Z","access":{"protocol":"bac"},"proofs":[{"code":"active.authentication","result":"pass","key_file":"DG15","challenge":"AQ==","signature":"AQ=="}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := parseSession(raw)
		if err != nil {
			return
		}
		i := inspect.Judge(s.Input(nil))
		if i.Result(inspect.ActiveAuthentication) == inspect.Pass || i.Result(inspect.ChipAuthentication) == inspect.Pass {
			t.Fatal("a proof without files passes")
		}
	})
}
