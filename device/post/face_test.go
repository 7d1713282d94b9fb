package post

import (
	"context"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
)

// Two officers share a camera whose process keeps one capture: the second
// waits, and no longer than his step lasts.
func TestOneFaceAtATime(t *testing.T) {
	c := &camera{turn: make(chan struct{}, 1)}
	c.turn <- struct{}{} // somebody's face is being taken
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.CaptureFace(ctx, 3); fault.CodeOf(err) != "camera.busy" {
		t.Errorf("a second capture at once: %v", err)
	}
	if len(c.turn) != 1 {
		t.Error("the second gave up the first one's turn")
	}
}

// A frame far worse than the best is left out of the mean, the picture is the
// best one's, and what is seen beside the person counts in every frame.
func TestUsableFrames(t *testing.T) {
	face := func(frame int, quality float64, faces int) capture.FrameFace {
		return capture.FrameFace{Frame: frame, Face: capture.Face{Template: template.Face{Model: "m", Version: "1", Images: frame + 1}, Quality: quality, Faces: faces}}
	}
	frames := []capture.Frame{{JPEG: []byte("0")}, {JPEG: []byte("1")}, {JPEG: []byte("2")}, {JPEG: []byte("3")}}
	got, err := usable(frames, []capture.FrameFace{
		face(0, 60, 1), face(1, 20, 2), face(2, 80, 1), {Frame: 3, Err: fault.New("face.none", "nobody")},
	})
	if err != nil || len(got.Templates) != 2 || got.Quality != 80 || string(got.Picture) != "2" || got.Faces != 2 {
		t.Errorf("%d templates, quality %d, %d faces, %v", len(got.Templates), got.Quality, got.Faces, err)
	}
	if got, err := usable(frames, nil); err != nil || len(got.Templates) != 0 {
		t.Errorf("no frame: %d templates, %v", len(got.Templates), err)
	}
	if _, err := usable(frames, []capture.FrameFace{face(0, 60, 1), {Frame: 1, Err: fault.New("models.missing", "gone")}}); fault.CodeOf(err) != "models.missing" {
		t.Errorf("an engine that fails: %v", err)
	}
}
