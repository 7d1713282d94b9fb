package config

import (
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit/audittest"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

func witnessed(t *testing.T) *Config {
	t.Helper()
	key, err := checkpoint.NewCosigner("witness.example/w1", audittest.Key("w1"))
	if err != nil {
		t.Fatal(err)
	}
	c := Default(policy.Desk)
	c.Audit = &Audit{Every: policy.Duration(time.Minute), Medium: "/media/heads", Witness: &Witness{URL: "https://witness.example/add", Key: key.Key()}}
	return c
}

func TestAudit(t *testing.T) {
	raw, err := Encode(witnessed(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Signed(); got.Lines != 256 || got.Every.Of() != time.Minute || got.Late.Of() != 30*time.Minute || got.Witness.URL == "" {
		t.Errorf("%+v", got)
	}
	if got := Default(policy.Desk).Signed(); got.Lines != 256 || got.Every.Of() != 10*time.Minute || got.Late.Of() != 30*time.Minute || got.Witness != nil {
		t.Errorf("defaults: %+v", got)
	}
	for name, change := range map[string]func(*Config){
		"no address":            func(c *Config) { c.Audit.Witness.URL = "" },
		"another scheme":        func(c *Config) { c.Audit.Witness.URL = "ftp://witness.example" },
		"a password":            func(c *Config) { c.Audit.Witness.URL = "https://u:secret@witness.example" },
		"plain to elsewhere":    func(c *Config) { c.Audit.Witness.URL = "http://witness.example" },
		"a post's key":          func(c *Config) { c.Audit.Witness.Key = audittest.New(t, "p").KeyText() },
		"no key":                func(c *Config) { c.Audit.Witness.Key = "" },
		"a relative medium":     func(c *Config) { c.Audit.Medium = "heads" },
		"late before due":       func(c *Config) { c.Audit.Late = policy.Duration(time.Second) },
		"lines below zero":      func(c *Config) { c.Audit.Lines = -1 },
		"a head without pause":  func(c *Config) { c.Audit.Every = 1 },
		"a post named by plus":  func(c *Config) { c.Post = "a+b" },
		"a post named in Greek": func(c *Config) { c.Post = "πύλη" },
	} {
		bad := witnessed(t)
		change(bad)
		raw, err := Encode(bad)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Decode(raw)
		if code := fault.CodeOf(err); code != "config.audit" && code != "audit.key_form" && code != "config.post" {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells a password", name)
		}
	}
}
