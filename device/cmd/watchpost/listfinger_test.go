package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/finger"
)

// printRecord is an impression of a made-up finger as a record, in base64.
func printRecord(t *testing.T, seed uint64, shift float32) string {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 19))
	all := make([]finger.Minutia, 36)
	for i := range all {
		all[i] = finger.Minutia{X: 300*r.Float32() + shift, Y: 380 * r.Float32(), Angle: 2 * math.Pi * r.Float32(), Kind: finger.KindEnding, Quality: 60}
	}
	b, err := finger.MarshalISO([]finger.View{{Template: finger.NewTemplate(340, 400, all)}})
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// From records with fingers to the answer of a post: one finger is a
// candidate, two are an alarm.
func TestListOfFingers(t *testing.T) {
	b := newBench(t)
	const post = " --config @/post.yaml --passphrase-file @/pass"
	b.must("keys init --state @/state --passphrase-file @/pass")
	var text bytes.Buffer
	for i := range uint64(6) {
		prints := []any{}
		for k, position := range []int{2, 7} {
			prints = append(prints, map[string]any{
				"position": position, "format": "iso-19794-2", "template": printRecord(t, 10*i+uint64(k), 0), "impression": "live-plain",
			})
		}
		line, err := json.Marshal(map[string]any{"schema": 1, "id": fmt.Sprint("f", i), "edition": 1, "fingers": prints})
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(line, '\n'))
	}
	b.write("records.jsonl", text.Bytes())
	b.must("list apply --dir " + b.build(1) + post)
	if out := b.must("list stat --deep" + post); !strings.Contains(out, `"records":6`) {
		t.Errorf("stat: %s", out)
	}
	for name, seed := range map[string]uint64{"right": 30, "left": 31, "stranger": 999} {
		b.write(name+".json", fmt.Appendf(nil, `{"file":"x","minutiae":36,"quality":70,"template":%q}`, printRecord(t, seed, 7)))
	}
	for ask, want := range map[string][2]string{
		"--finger 2=@/right.json --finger 7=@/left.json": {`"record":"f3"`, `"alarm":true`},
		"--finger @/left.json --finger @/right.json":     {`"record":"f3"`, `"alarm":true`},
		"--finger 2=@/right.json":                        {`"record":"f3"`, `"alarm":false`},
		"--finger 7=@/right.json":                        {`"answer":"clear"`, `"candidates":[]`},
		"--finger 2=@/stranger.json":                     {`"answer":"clear"`, `"asked":["finger"]`},
	} {
		out := b.must("screen " + ask + post)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("screen %s: no %s in %s", ask, w, out)
			}
		}
	}
	for line, want := range map[string]int{
		"--finger 12=@/right.json":                   exitUsage,
		"--finger @/pass":                            exitFailed,
		"--finger @/none":                            exitFailed,
		strings.Repeat("--finger @/right.json ", 11): exitUsage,
	} {
		if out, status := b.run("screen " + line + post); status != want || out != "" {
			t.Errorf("screen %s: exit %d, printed %q", line, status, out)
		}
	}
}
