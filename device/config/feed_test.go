package config

import (
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

func TestFeed(t *testing.T) {
	good := Feed{Root: "/etc/watchpost/root.json", From: []string{"https://feeds.example/un", "/media/stick", "http://127.0.0.1:8080"}}
	if err := good.validate(); err != nil || good.Interval() != feedEvery {
		t.Errorf("%v, %v", err, good.Interval())
	}
	good.Every = policy.Duration(time.Minute)
	if good.Interval() != time.Minute {
		t.Error(good.Interval())
	}
	for name, f := range map[string]Feed{
		"no root":         {From: []string{"/media/stick"}},
		"no source":       {Root: "r"},
		"plain http":      {Root: "r", From: []string{"http://feeds.example/"}},
		"relative folder": {Root: "r", From: []string{"stick"}},
		"with a password": {Root: "r", From: []string{"https://a:b@feeds.example/"}},
		"another scheme":  {Root: "r", From: []string{"ftp://feeds.example/"}},
		"time backwards":  {Root: "r", From: []string{"/media/stick"}, Every: -1},
	} {
		if err := f.validate(); fault.CodeOf(err) != "config.feed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
