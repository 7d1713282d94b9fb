package post

import (
	"context"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
)

// WatchFace implements encounter.FaceWatcher: frames are looked at in the
// capture process as they come, and no pixel leaves it.
func (c *camera) WatchFace(ctx context.Context, length time.Duration, begun func()) (out []encounter.WatchedFace, err error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, fault.Wrap("camera.busy", ctx.Err())
	}
	err = c.pulse.during(ctx, func(ctx context.Context) error {
		if err := mayUse(ctx, c.devices, capture.KindCamera, c.id, c.virtual); err != nil {
			return err
		}
		// The engine is opened and the camera with it before anything is shown.
		first, started := time.Duration(0), false
		for live, err := range c.devices.FaceWatch(ctx, capture.WatchOptions{Camera: c.id, Templates: true, Colours: true}) {
			if err != nil {
				return err
			}
			if !started {
				// The page counts from now on. This frame may be a second old: an
				// engine that was not open has kept it waiting. Both are read from
				// the same clock.
				now, err := capture.Monotonic()
				if err != nil {
					return err
				}
				first, started = max(live.Monotonic, now), true
				begun()
			}
			if live.Monotonic-first > length {
				return nil
			}
			out = append(out, watched(live, first))
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b encounter.WatchedFace) int { return int(a.Frame.At - b.Frame.At) })
	return out, err
}

// watched is a live frame as the challenges look at it. Frames of the first
// moments may be older than the first that came: their times are below zero.
func watched(live capture.LiveFace, first time.Duration) encounter.WatchedFace {
	return encounter.WatchedFace{
		Frame: pad.Frame{
			At: live.Monotonic - first, Width: live.Width, Height: live.Height,
			Face: live.Faces > 0 && live.HasPoints && live.HasColours, Points: live.Points, Samples: live.Colours,
		},
		Faces: live.Faces, Template: live.Template,
	}
}
