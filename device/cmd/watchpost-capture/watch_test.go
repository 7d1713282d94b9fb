package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
)

// watch follows a camera for a time of its frames.
func watch(t *testing.T, client *capture.Client, o capture.WatchOptions, length time.Duration) (out []capture.LiveFace) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for live, err := range client.FaceWatch(ctx, o) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, live)
		if live.Monotonic-out[0].Monotonic >= length {
			return out
		}
	}
	t.Fatal("the camera went")
	return nil
}

// A photograph that is held before the camera is a face to every live measure,
// and fails each challenge, on the real detector and net.
func TestAttackPhotographBeforeCamera(t *testing.T) {
	models(t)
	client := start(t, capture.Options{Role: capture.Devices, Config: configure(t, fmt.Sprintf(`cameras:
- {id: photograph, kind: images, path: %s, loop: true}
- {id: nobody, kind: images, path: %s, loop: true}
smartcard: {off: true}
`, portrait(t, "face.jpg"), film(t, 2, 100)))})

	plain := watch(t, client, capture.WatchOptions{Camera: "photograph", MaxFramesPerSecond: 4}, 0)[0]
	if plain.Faces != 1 || !plain.HasPoints || plain.Template != nil || plain.HasColours || len(quality.Live(plain.Measures)) < 8 {
		t.Errorf("%d faces, %d measures", plain.Faces, len(plain.Measures))
	}
	if none := watch(t, client, capture.WatchOptions{Camera: "nobody", Templates: true}, 0)[0]; none.Faces != 0 || none.Template != nil || none.Measures != nil {
		t.Errorf("%d faces where nobody is", none.Faces)
	}
	for _, err := range client.FaceWatch(t.Context(), capture.WatchOptions{Camera: "other"}) {
		if fault.CodeOf(err) != "device.unknown" {
			t.Errorf("no such camera: %v", err)
		}
	}
	for _, kind := range []pad.Kind{pad.Turn, pad.Blink, pad.Flash} {
		t.Run(kind.String(), func(t *testing.T) {
			c, err := pad.Draw(kind, pad.Unpredictable())
			if err != nil {
				t.Fatal(err)
			}
			var frames []pad.Frame
			seen := watch(t, client, capture.WatchOptions{Camera: "photograph", Templates: true, Colours: true}, c.Length())
			for _, live := range seen {
				f := pad.Frame{At: live.Monotonic - seen[0].Monotonic, Width: live.Width, Height: live.Height, Face: live.HasPoints && live.HasColours, Points: live.Points, Samples: live.Colours}
				if live.Template == nil || seen[0].Template == nil {
					t.Fatal("a face without a template")
				}
				if f.Same, err = template.Cosine(seen[0].Template, live.Template); err != nil {
					t.Fatal(err)
				}
				frames = append(frames, f)
			}
			v := pad.Judge(c, frames, 0.91)
			t.Logf("%d frames in %s: %v, %s", len(frames), c.Length(), v.Result, v.Reason)
			if v.Result != pad.Fail && v.Result != pad.NotAssessable {
				t.Errorf("%+v", v)
			}
		})
	}
}
