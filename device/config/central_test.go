package config

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

func withCentral() *Config {
	key := base64.StdEncoding.EncodeToString(make([]byte, keyBytes))
	c := Default(policy.Desk)
	c.Central = &Central{URL: "nats://127.0.0.1:4222", SignKey: key, SealKey: key}
	return c
}

func TestCentral(t *testing.T) {
	raw, err := Encode(withCentral())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Decode(raw)
	if err != nil || c.Central == nil || c.Central.URL != "nats://127.0.0.1:4222" {
		t.Fatalf("%+v, %v", c, err)
	}
	for name, change := range map[string]func(*Central){
		"no address":      func(c *Central) { c.URL = "" },
		"another scheme":  func(c *Central) { c.URL = "http://127.0.0.1:4222" },
		"a password":      func(c *Central) { c.URL = "nats://user:secret@127.0.0.1:4222" },
		"no signing key":  func(c *Central) { c.SignKey = "" },
		"no sealing key":  func(c *Central) { c.SealKey = "" },
		"short key":       func(c *Central) { c.SignKey = base64.StdEncoding.EncodeToString(make([]byte, keyBytes-1)) },
		"key not base64":  func(c *Central) { c.SealKey = "!" },
		"two keys in one": func(c *Central) { c.SealKey += c.SealKey },
	} {
		bad := withCentral()
		change(bad.Central)
		raw, err := Encode(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(raw); fault.CodeOf(err) != "config.central" {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells a password: %v", name, err)
		}
	}
}
