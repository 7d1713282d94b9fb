package post

import (
	"context"
	"iter"

	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/capture"
)

// looksPerSecond is how often a live frame is measured for the coaching: two
// agree within a second. On two cores that also draw the page, each look costs
// one drawn frame of 720p (kiosk-ui/README.md): 28 a second are left of 30.
const looksPerSecond = 2

// Looks implements web.Backend: the measures of live frames, nil where no face
// is seen.
func (p *Post) Looks(ctx context.Context) iter.Seq2[[]quality.Looking, error] {
	return func(yield func([]quality.Looking, error) bool) {
		more := true
		err := p.pulse.during(ctx, func(ctx context.Context) error {
			if err := mayUse(ctx, p.devices, capture.KindCamera, p.config.Capture.Camera, p.config.Capture.Virtual); err != nil {
				return err
			}
			for live, err := range p.devices.FaceWatch(ctx, capture.WatchOptions{Camera: p.config.Capture.Camera, MaxFramesPerSecond: looksPerSecond}) {
				if err != nil {
					return err
				}
				if more = yield(quality.Live(live.Measures), nil); !more {
					return nil
				}
			}
			return nil
		})
		if err != nil && more {
			yield(nil, err)
		}
	}
}
