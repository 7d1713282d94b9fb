package post

import (
	"context"
	"testing"

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
