package config

import (
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

func TestKeys(t *testing.T) {
	c := withCentral()
	c.Keys = &Keys{LockIdle: policy.Duration(15 * time.Minute), Shift: policy.Duration(10 * time.Hour), ShiftEnds: "22:00", Swap: "refuse"}
	raw, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(raw)
	if err != nil || *got.Keys != *c.Keys {
		t.Fatalf("%+v, %v\n%s", got, err, raw)
	}
	if got.ReleaserOf() == nil || got.ReleaserOf().URL != c.Central.URL {
		t.Error("central is the releaser where no other is named")
	}
	got.Keys.Releaser = &Central{URL: "tls://site:4222"}
	if got.ReleaserOf().URL != "tls://site:4222" {
		t.Error("the site's server is not the releaser")
	}
	for name, text := range map[string]string{
		"idle too short":   "keys: {lock_idle: 59s}",
		"no duration":      "keys: {shift: long}",
		"shift too short":  "keys: {shift: 1s}",
		"no time of day":   `keys: {shift_ends: "25:00"}`,
		"unknown swap":     "keys: {swap: maybe}",
		"unknown key":      "keys: {lock: 1h}",
		"releaser, no key": "keys: {releaser: {url: 'nats://h:1'}}",
	} {
		if _, err := Decode([]byte("version: 1\npost: a\n" + text + "\n")); fault.CodeOf(err) == "" || fault.CodeOf(err) == fault.Unknown {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestShiftEnds(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err) // a zone a post may be in: Debian has them, and so has Go
	}
	k := &Keys{ShiftEnds: "02:30"}
	for _, c := range []struct{ at, want string }{
		{"2026-06-01T02:29:59+02:00", "2026-06-01T02:30:00+02:00"},
		{"2026-06-01T02:30:00+02:00", "2026-06-02T02:30:00+02:00"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		end, ok := k.EndOf(at.In(zone))
		if !ok || end.Format(time.RFC3339) != c.want {
			t.Errorf("after %s: %s, want %s", c.at, end.Format(time.RFC3339), c.want)
		}
	}
	if _, ok := (*Keys)(nil).EndOf(time.Now()); ok {
		t.Error("a shift without an end ends")
	}
}
