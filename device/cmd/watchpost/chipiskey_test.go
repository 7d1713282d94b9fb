package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth/labkey"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth/remote"
	"github.com/watchpost/watchpost/hwtest/gen/cvc"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// guardedProfile is a passport whose fingerprints and irises are for terminals.
func guardedProfile() passport.Profile {
	return passport.Profile{
		Seed: 5, NoPortrait: true, Groups: passport.Groups{Fingers: 1, Irises: 1},
		Access:       passport.Access{PACE: []passport.PACE{{Suite: "aes128", Parameter: 13}}},
		Authenticity: passport.Authenticity{ChipKeys: []passport.ChipKey{{Curve: "secp256r1", Suite: "aes128"}}},
		Terminal:     &passport.Terminal{},
	}
}

// TestChipReadISKey reads DG3 and DG4 with a laboratory's file and with the
// holder of a key behind a socket.
func TestChipReadISKey(t *testing.T) {
	h, err := cvc.New(cvc.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "is-key.pem")
	if err := os.WriteFile(file, h.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := labkey.Parse(h.PEM())
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "signer.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			err = remote.Serve(context.Background(), conn, key)
		}
		served <- err
	}()
	p := guardedProfile()
	for name, tc := range map[string]struct {
		args                     []string
		terminal, reason, finger string
	}{
		"file":   {[]string{"--is-key", file}, "pass", "", "pass"},
		"socket": {[]string{"--is-key", socket}, "pass", "", "pass"},
		"none":   {nil, "not-performed", "ta.no_key", "not-performed"},
	} {
		dump := filepath.Join(dir, "dump "+name)
		status, out, messages := runChip(t, p, "", append([]string{"--mrz", p.Person().Key(), "--dump", dump}, tc.args...)...)
		if status != exitOK {
			t.Fatalf("%s: exit %d: %s", name, status, messages)
		}
		i, results := parseInspection(t, out)
		if results["terminal.authentication"] != tc.terminal || results["dg3.format"] != tc.finger || results["dg4.hash"] != tc.finger {
			t.Errorf("%s: %v", name, results)
		}
		for _, c := range i.Checks {
			if c.Code == "terminal.authentication" && c.Reason != tc.reason {
				t.Errorf("%s: reason %q", name, c.Reason)
			}
		}
		var again struct {
			Proofs []struct{ Code, Result string }
		}
		kept, err := os.ReadFile(filepath.Join(dump, "evidence.json"))
		if err != nil || json.Unmarshal(kept, &again) != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if last := again.Proofs[len(again.Proofs)-1]; last.Code != "terminal.authentication" || last.Result != tc.terminal {
			t.Errorf("%s: evidence %+v", name, again.Proofs)
		}
	}
	if err := <-served; err != nil {
		t.Errorf("socket: %v", err)
	}
}

// TestChipReadISKeyRefuses: a key that is none ends the command before the chip
// is asked for anything.
func TestChipReadISKeyRefuses(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := guardedProfile()
	for name, path := range map[string]string{"absent": filepath.Join(dir, "none.pem"), "empty": empty, "folder": dir} {
		if status, out, messages := runChip(t, p, "", "--mrz", p.Person().Key(), "--is-key", path); status != exitFailed || out != "" {
			t.Errorf("%s: exit %d, %q, %q", name, status, out, messages)
		}
	}
}
