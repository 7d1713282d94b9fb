package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/finger"
)

func runFinger(t *testing.T, in string, args ...string) (out string, status int) {
	t.Helper()
	root := newRoot()
	var stdout bytes.Buffer
	root.SetIn(bytes.NewBufferString(in))
	root.SetOut(&stdout)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(append([]string{"finger"}, args...))
	status = run(t.Context(), root)
	return stdout.String(), status
}

func TestFingerUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"no image":     {"template"},
		"dpi low":      {"template", "--dpi", "50", "a.png"},
		"dpi nan":      {"template", "--dpi", "NaN", "a.png"},
		"dpi word":     {"score", "--dpi", "high", "--pairs", "-"},
		"no pairs":     {"score"},
		"no gallery":   {"search", "--probe", "a.png"},
		"no probe":     {"search", "--gallery", "."},
		"one image":    {"match", "a.png"},
		"three images": {"match", "a.png", "b.png", "c.png"},
	} {
		if out, status := runFinger(t, "", args...); status != 2 || out != "" {
			t.Errorf("%s: status %d, output %q", name, status, out)
		}
	}
}

func TestFingerMissingFiles(t *testing.T) {
	if out, status := runFinger(t, "", "template", "/none/a.png", "/none/b.png"); status != 3 ||
		out != `{"file":"/none/a.png","error":{"code":"file.open"}}`+"\n"+`{"file":"/none/b.png","error":{"code":"file.open"}}`+"\n" {
		t.Errorf("template: %d %q", status, out)
	}
	if out, status := runFinger(t, "/none/a.png,/none/b.png,x\n\"/none/c,.png\",/none/a.png\n", "score", "--pairs", "-"); status != 3 ||
		out != "/none/a.png,/none/b.png,\n\"/none/c,.png\",/none/a.png,\n" {
		t.Errorf("score: %d %q", status, out)
	}
	if out, status := runFinger(t, "only one column\n", "score", "--pairs", "-"); status != 3 || out != "only one column,,\n" {
		t.Errorf("pairs: %d %q", status, out)
	}
	if out, status := runFinger(t, "", "search", "--gallery", "/none", "--probe", "/none/a.png"); status != 3 || out != "" {
		t.Errorf("no gallery: %d %q", status, out)
	}
	if out, status := runFinger(t, "", "search", "--gallery", t.TempDir(), "--probe", "/none/a.png", "/none/b.png"); status != 3 ||
		out != `{"probe":"/none/a.png","error":{"code":"file.open"}}`+"\n"+`{"probe":"/none/b.png","error":{"code":"file.open"}}`+"\n" {
		t.Errorf("search: %d %q", status, out)
	}
	picture := filepath.Join(t.TempDir(), "out.png")
	if out, status := runFinger(t, "", "match", "/none/a.png", "/none/b.png", "--picture", picture); status != 3 || out != "" {
		t.Errorf("match: %d %q", status, out)
	}
	if _, err := os.Stat(picture); err == nil {
		t.Error("match wrote a picture of nothing")
	}
}

func TestCompareSides(t *testing.T) {
	line := func(bend float32) *finger.Template {
		p := &finger.Template{Width: 300, Height: 300}
		for i := range 20 {
			a := float32(i) * bend
			p.Minutiae = append(p.Minutiae, finger.Minutia{X: 40 + float32(i*37%220), Y: 40 + float32(i*i*13%220), Angle: a - float32(int(a/6.28))*6.28, Kind: finger.KindEnding})
		}
		raw, err := finger.MarshalISO([]finger.View{{Template: p}})
		if err != nil {
			t.Fatal(err)
		}
		views, err := finger.ParseRecord(raw)
		if err != nil {
			t.Fatal(err)
		}
		return views[0].Template
	}
	prints := map[string]*finger.Template{"a": line(0.7), "b": line(2.9), "failed": nil}
	list := []pair{{a: "a", b: "a"}, {a: "a", b: "b"}, {a: "a", b: "b;a"}, {a: "a", b: "failed"}, {a: "a", b: "b;failed"}, {a: "failed;a", b: "a"}}
	got, err := comparePairs(t.Context(), list, prints)
	if err != nil {
		t.Fatal(err)
	}
	if !got[0].ok || !got[1].ok || !got[2].ok || got[0].score <= got[1].score {
		t.Errorf("%+v", got)
	}
	if math.Abs(got[2].score-got[0].score) > 1e-12 {
		t.Errorf("the best of two images scores %v, not %v", got[2].score, got[0].score)
	}
	for i := 3; i < len(list); i++ {
		if got[i].ok {
			t.Errorf("%v scores although an image failed", list[i])
		}
	}
}

func TestComparePairsEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	list := make([]pair, 1000)
	if got, err := comparePairs(ctx, list, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%d scores, %v", len(got), err)
	}
}
