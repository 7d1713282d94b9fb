package camera

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// keepLimit is how long pixels wait for the face engine (contract: 60 s).
const keepLimit = time.Minute

// Pixels is a kept frame: three bytes a pixel, blue first, rows without gaps.
// They must not be changed or held longer than the call that got them.
type Pixels struct {
	BGR           []byte
	Width, Height int
	Time          int64 // of the frame, monotonic nanoseconds
	Good          bool  // neither black nor frozen
}

// keeper holds the frames of the last capture. It is safe for concurrent use.
type keeper struct {
	mu    sync.Mutex
	id    string      // guarded by mu, "" = nothing kept
	shots []*shot     // guarded by mu
	timer *time.Timer // guarded by mu
}

func (k *keeper) keep(shots []*shot) string {
	id := rand.Text()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer != nil {
		k.timer.Stop()
	}
	k.id, k.shots = id, shots
	k.timer = time.AfterFunc(keepLimit, func() { k.drop(id) })
	return id
}

// drop forgets a capture, "" whichever is kept.
func (k *keeper) drop(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if id != "" && id != k.id {
		return
	}
	if k.timer != nil {
		k.timer.Stop()
	}
	k.id, k.shots, k.timer = "", nil, nil
}

// Kept returns the frames of a capture, capture.expired when they are gone.
func (d *Driver) Kept(id string) ([]Pixels, error) {
	d.kept.mu.Lock()
	defer d.kept.mu.Unlock()
	if id == "" || id != d.kept.id {
		return nil, driver.Errorf(driver.CaptureExpired, "the frames are no longer kept").WithHint("take the picture again")
	}
	pixels := make([]Pixels, len(d.kept.shots))
	for i, s := range d.kept.shots {
		pixels[i] = s.pixels()
	}
	return pixels, nil
}

// Drop forgets the frames of a capture.
func (d *Driver) Drop(id string) { d.kept.drop(id) }

func (s *shot) pixels() Pixels {
	return Pixels{BGR: s.pix, Width: s.width, Height: s.height, Time: s.time.GetMonotonicNs(), Good: s.state == driverv1.FrameState_FRAME_STATE_GOOD}
}

// Watch hands the newest frame of a camera to see, again and again, at most fps
// a second (0: as they come), until ctx ends or see fails. Frames are younger
// than the call.
func (d *Driver) Watch(ctx context.Context, id string, fps float64, see func(Pixels) error) error {
	c, err := d.find(id)
	if err != nil {
		return err
	}
	called := driver.Now().GetMonotonicNs()
	r, done, err := c.use()
	if err != nil {
		return err
	}
	defer done()
	var limit *pace
	if fps > 0 {
		limit = newPace(fps)
	}
	version := uint64(0)
	for {
		if limit != nil {
			if err := limit.wait(ctx); err != nil {
				return err
			}
		}
		s, newest, err := r.frames.Next(ctx, version)
		if err != nil {
			return err
		}
		version = newest
		if s.begun < called {
			continue
		}
		if err := see(s.pixels()); err != nil {
			return err
		}
	}
}
