package main

import (
	"encoding/json"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/fault"
)

func TestFingerSlapUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no image":   {"slap"},
		"hand":       {"slap", "--expect", "both", "a.png"},
		"position":   {"slap", "--gone", "11", "a.png"},
		"no number":  {"slap", "--gone", "x", "a.png"},
		"dpi":        {"slap", "--dpi", "99", "a.png"},
		"wrong flag": {"slap", "--hand", "left", "a.png"},
	} {
		if out, status := runFinger(t, "", args...); status != 2 || out != "" {
			t.Errorf("%s: status %d, output %q", name, status, out)
		}
	}
	if out, status := runFinger(t, "", "slap", "/none/a.png"); status != 3 || out != `{"file":"/none/a.png","error":{"code":"file.open"}}`+"\n" {
		t.Errorf("no file: %d %q", status, out)
	}
}

func TestSlapRow(t *testing.T) {
	r := &slap.Result{Hand: slap.LeftFour, Confidence: 0.98765, Fingers: []slap.Finger{
		{Position: 10, Box: slap.Box{X: 100, Y: 200, Width: 50, Height: 80, Angle: 90}, Quality: 7, Confidence: 0.5},
	}, Missing: []int{7, 8, 9}, Findings: []fault.Code{slap.TooFew}}
	got, err := json.Marshal(newSlapRow("a.png", r))
	want := `{"file":"a.png","hand":"left","confidence":0.988,"fingers":[{"position":10,"box":[75,160,50,80],"angle":90,"bounds":[60,175,80,50],"quality":7,"confidence":0.5}],"missing":[7,8,9],"findings":["slap.too_few"]}`
	if err != nil || string(got) != want {
		t.Errorf("%s (%v)", got, err)
	}
	got, _ = json.Marshal(newSlapRow("b.png", &slap.Result{}))
	if string(got) != `{"file":"b.png","hand":"unknown","confidence":0,"fingers":[],"missing":[],"findings":[]}` {
		t.Errorf("nothing: %s", got)
	}
}
