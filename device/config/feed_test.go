package config

import (
	"strings"
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
	pin := strings.Repeat("ab", 32)
	boxes := Feed{Root: "r", Neighbours: []Neighbour{{"192.0.2.7:8470", pin}}, Serve: &Serve{":8470", []string{pin}}}
	if err := boxes.validate(); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]Feed{
		"a neighbour without a pin":  {Root: "r", Neighbours: []Neighbour{{"192.0.2.7:8470", ""}}},
		"a short pin":                {Root: "r", Neighbours: []Neighbour{{"192.0.2.7:8470", pin[:62]}}},
		"a neighbour without a port": {Root: "r", Neighbours: []Neighbour{{"192.0.2.7", pin}}},
		"serving everybody":          {Root: "r", From: []string{"/media/stick"}, Serve: &Serve{Listen: ":8470"}},
		"serving a name":             {Root: "r", From: []string{"/media/stick"}, Serve: &Serve{":8470", []string{"box-2"}}},
		"serving nowhere":            {Root: "r", From: []string{"/media/stick"}, Serve: &Serve{"", []string{pin}}},
		"no root":                    {From: []string{"/media/stick"}},
		"no source":                  {Root: "r"},
		"plain http":                 {Root: "r", From: []string{"http://feeds.example/"}},
		"relative folder":            {Root: "r", From: []string{"stick"}},
		"with a password":            {Root: "r", From: []string{"https://a:b@feeds.example/"}},
		"another scheme":             {Root: "r", From: []string{"ftp://feeds.example/"}},
		"time backwards":             {Root: "r", From: []string{"/media/stick"}, Every: -1},
	} {
		if err := f.validate(); fault.CodeOf(err) != "config.feed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
