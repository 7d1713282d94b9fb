package liveness

import (
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
	"github.com/watchpost/watchpost/device/capture"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// TestSoakTurnBeforeDetector turns one portrait with a face's relief, and
// prints of it, before the product's own detector: a head is never called flat,
// and no print passes. WATCHPOST_CAPTURE names the capture program; the portrait
// and the models are those of make deps.
func TestSoakTurnBeforeDetector(t *testing.T) {
	program := os.Getenv("WATCHPOST_CAPTURE")
	if os.Getenv("WATCHPOST_SOAK") == "" || program == "" {
		t.Skip("SKIPPED: WATCHPOST_SOAK and WATCHPOST_CAPTURE are not set: no turn is shown to the real detector")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(cache, "watchpost/portraits/astronaut.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSitter(picture, patch.Point{X: 203.25, Y: 102}, patch.Point{X: 246.5, Y: 104.25})
	if err != nil {
		t.Fatal(err)
	}
	client, err := capture.Start(t.Context(), capture.Options{Role: capture.Decode, Binary: program, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	detector := decodev1.NewDecodeServiceClient(client.Conn())
	look := func(m Moment) pad.Frame {
		raw, err := s.Frames(m, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		f := pad.Frame{Width: frameWidth, Height: frameHeight, Same: 0.98}
		got, err := detector.TemplateFace(t.Context(), &decodev1.TemplateFaceRequest{Image: raw[0]})
		if err != nil || len(got.GetFace().GetPoints()) != len(f.Points) {
			return f // no face is an answer, too
		}
		f.Face = true
		for i, p := range got.GetFace().GetPoints() {
			f.Points[i] = patch.Point{X: p.GetX(), Y: p.GetY()}
		}
		return f
	}
	c := pad.Challenge{Kind: pad.Turn, Steps: []pad.Step{
		{Cue: pad.Ahead, Millis: 800}, {Cue: pad.TurnLeft, Millis: 1500}, {Cue: pad.TurnRite, Millis: 1500}, {Cue: pad.Ahead, Millis: 1500}, {Cue: pad.TurnLeft, Millis: 1500},
	}}
	for name, held := range map[string]struct{ left, right Sheet }{
		"head":                     {},
		"flat print":               {Sheet{Held: true}, Sheet{Held: true}},
		"slanted print":            {Sheet{Held: true, Slant: 0.75}, Sheet{Held: true, Slant: 0.75}},
		"print, slanted each side": {Sheet{Held: true, Slant: 0.75}, Sheet{Held: true, Slant: -0.75}},
		"bent print":               {Sheet{Held: true, Bend: 2.5}, Sheet{Held: true, Bend: 2.5}},
	} {
		ahead := look(Moment{Sheet: held.left})
		for _, degrees := range []float64{20, 28, 35} {
			yaw := degrees * math.Pi / 180
			left, right := look(Moment{Yaw: yaw, Sheet: held.left}), look(Moment{Yaw: -yaw, Sheet: held.right})
			var frames []pad.Frame
			for at := time.Duration(0); at < c.Length(); at += 150 * time.Millisecond {
				f := ahead
				switch cueAt(c, at) {
				case pad.TurnLeft:
					f = left
				case pad.TurnRite:
					f = right
				}
				f.At = at
				frames = append(frames, f)
			}
			v := pad.Judge(c, frames, sameCosine)
			told := fmt.Sprintf("simulated, real detector: %s turned %.0f degrees: %v %s %v", name, degrees, v.Result, v.Reason, v.Scores)
			t.Log(told)
			if head := name == "head"; head && v.Reason == pad.ReasonFlat || !head && v.Result == pad.Pass {
				t.Error(told)
			}
		}
	}
}
