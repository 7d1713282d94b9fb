package officer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func accounts(t *testing.T) []byte {
	t.Helper()
	raw, err := json.Marshal(Accounts{Version: 1, Edition: 3, Accounts: []Account{
		{ID: "o17", Name: "Ada Example", Roles: []Role{Officer}, Password: HashPassword("correct horse"), Expires: now.Add(time.Hour)},
		{ID: "s2", Name: "Bo Example", Roles: []Role{Supervisor, Officer}, Password: HashPassword("battery"), Expires: now},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSignIn(t *testing.T) {
	a, err := Decode(accounts(t))
	if err != nil {
		t.Fatal(err)
	}
	acc, err := a.SignIn("o17", "correct horse", now)
	if err != nil || !acc.Has(Officer) || acc.Has(Auditor) {
		t.Fatalf("%v, %v", acc, err)
	}
	for _, c := range []struct {
		id, password string
		want         error
	}{
		{"o17", "correct horse ", ErrRefused},
		{"o17", "", ErrRefused},
		{"o18", "correct horse", ErrRefused},
		{"", "", ErrRefused},
		{"s2", "battery", ErrExpired}, // runs out at this very moment
		{"s2", "wrong", ErrRefused},
	} {
		if _, err := a.SignIn(c.id, c.password, now); !errors.Is(err, c.want) {
			t.Errorf("%q: %v, want %v", c.id, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := string(accounts(t))
	for _, c := range []struct {
		name, old, new string
		code           fault.Code
	}{
		{"unknown key", `"edition"`, `"editing"`, "officer.format"},
		{"version", `"version":1`, `"version":9`, "officer.version"},
		{"doubled id", `"s2"`, `"o17"`, "officer.id"},
		{"reserved id", `"s2"`, `"post"`, "officer.id"},
		{"role", `"supervisor"`, `"king"`, "officer.role"},
		{"no role", `["officer"]`, `[]`, "officer.role"},
		{"plain password", "$argon2id$", "$plain$", "officer.password_form"},
		{"memory bomb", "m=65536", "m=4294967295", "officer.password_form"},
		{"trailing", `]}`, `]}{}`, "officer.format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.Replace(good, c.old, c.new, 1)
			if c.name == "trailing" {
				bad = good + "{}"
			}
			if _, err := Decode([]byte(bad)); fault.CodeOf(err) != c.code {
				t.Errorf("code %q, want %q (%v)", fault.CodeOf(err), c.code, err)
			}
		})
	}
}

func TestNothingPersonalInLogs(t *testing.T) {
	a, err := Decode(accounts(t))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("signed in", "account", a.Accounts[0])
	fmt.Fprintf(&out, "%v %+v", a.Accounts[0], &a.Accounts[0])
	for _, secret := range []string{"Ada", "argon2id"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, out.String())
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"edition":1,"accounts":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := Decode(raw)
		if err != nil {
			return
		}
		for _, acc := range a.Accounts {
			if _, err := parseHash(acc.Password); err != nil {
				t.Error("an account without a usable password was accepted")
			}
		}
	})
}
