package post

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// camera takes faces through the capture process, which makes templates of its
// raw pixels; the pictures that come out are for the officer's eye only.
type camera struct {
	devices *capture.Client
	pulse   *pulse
	id      string
	virtual bool // recordings may be used
	// turn lets one officer at a time take a face: the process keeps the frames
	// of one capture, so a second would take the first's away.
	turn chan struct{}
}

// frameInterval keeps the frames of a burst apart, so that they are not copies
// of one another (shared notes on faces, section 2: 0.4 s apart where time
// allows; a burst of three has to fit the answer, so half of that).
const frameInterval = 200 * time.Millisecond

// CaptureFace implements encounter.FaceCamera.
func (c *camera) CaptureFace(ctx context.Context, frames int) (shot encounter.FaceCapture, err error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return shot, fault.Wrap("camera.busy", ctx.Err())
	}
	err = c.pulse.during(ctx, func(ctx context.Context) (err error) {
		shot, err = c.take(ctx, frames)
		return err
	})
	return shot, err
}

func (c *camera) take(ctx context.Context, frames int) (encounter.FaceCapture, error) {
	if err := mayUse(ctx, c.devices, capture.KindCamera, c.id, c.virtual); err != nil {
		return encounter.FaceCapture{}, err
	}
	burst, err := c.devices.CameraCapture(ctx, capture.BurstOptions{
		Camera: c.id, Frames: frames, Interval: frameInterval, Keep: true,
	})
	if err != nil {
		return encounter.FaceCapture{}, err
	}
	// Frames are dropped by the process itself after a minute; dropping them
	// now is better, and its failing changes nothing for the encounter.
	defer func() { _ = c.devices.Release(context.WithoutCancel(ctx), burst.ID) }()
	found, err := c.devices.FaceTemplates(ctx, burst.ID)
	if err != nil {
		return encounter.FaceCapture{}, err
	}
	return usable(burst.Frames, found)
}

// usable makes a capture of the frames that are worth it: one much worse than
// the best is left out of the mean.
func usable(frames []capture.Frame, found []capture.FrameFace) (out encounter.FaceCapture, err error) {
	var faces []capture.FrameFace
	var worth []float64
	for _, f := range found {
		if f.Err != nil {
			if fault.CodeOf(f.Err) == "face.none" {
				continue
			}
			return encounter.FaceCapture{}, f.Err
		}
		faces, worth = append(faces, f), append(worth, f.Face.Quality)
		// Who stands beside the person matters in whichever frame it is seen.
		out.Faces = max(out.Faces, f.Face.Faces)
	}
	for i, k := range quality.Best(worth, len(worth)) {
		f := faces[k]
		out.Templates = append(out.Templates, f.Face.Template)
		if i == 0 {
			out.Quality, out.Advice = int(f.Face.Quality), quality.Coach(f.Face.Components)
			if f.Frame < len(frames) {
				out.Picture = frames[f.Frame].JPEG
			}
		}
	}
	return out, nil
}

// errVirtual refuses a device that stands for a real one.
var errVirtual = &fault.Error{Code: "device.virtual", Hint: "only a bench may use recordings and emulations: capture.virtual in the configuration"}

// mayUse refuses virtual devices at a post in service. A device that is not
// there is left for the call itself to report.
func mayUse(ctx context.Context, c *capture.Client, kind capture.Kind, name string, virtual bool) error {
	if virtual {
		return nil
	}
	devices, err := c.Devices(ctx)
	if err != nil {
		return err
	}
	for _, d := range devices {
		if d.Kind == kind && d.Virtual && (name == "" || d.ID == name || d.Model == name) {
			return errVirtual
		}
	}
	return nil
}

// portraits decodes chip pictures, each in a process of its own.
type portraits struct {
	pool *capture.Pool
	log  *slog.Logger
}

// A decode process is known to hang sooner than the devices: nothing else asks
// it, and the officer waits for the answer.
const (
	decodePulseEvery = 250 * time.Millisecond
	decodePulseLimit = 2 * time.Second
)

// DecodePortrait implements encounter.PortraitDecoder. A process that was lost
// or hangs is replaced once: that may have been the picture's doing, and need
// not have been.
func (p *portraits) DecodePortrait(ctx context.Context, picture []byte) (encounter.Portrait, error) {
	out, err := p.try(ctx, picture)
	if errors.Is(err, capture.ErrLost) || errors.Is(err, capture.ErrHangs) {
		p.log.Warn("portrait decoded again in another process", "code", string(fault.CodeOf(err)))
		out, err = p.try(ctx, picture)
	}
	return out, err
}

// try decodes in one process of its own.
func (p *portraits) try(ctx context.Context, picture []byte) (out encounter.Portrait, err error) {
	process, err := p.pool.Take(ctx)
	if err != nil {
		return encounter.Portrait{}, err
	}
	defer p.pool.End(process)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := newPulse(process.Ping)
	watch.every, watch.limit = decodePulseEvery, decodePulseLimit
	go watch.run(ctx)
	err = watch.during(ctx, func(ctx context.Context) (err error) {
		out, err = p.decode(ctx, process, picture)
		return err
	})
	return out, err
}

func (p *portraits) decode(ctx context.Context, process *capture.Client, picture []byte) (encounter.Portrait, error) {
	f, err := process.Decode().FaceTemplate(ctx, picture, decodev1.FaceEngine_FACE_ENGINE_UNSPECIFIED)
	out := encounter.Portrait{Face: f.Template}
	if err != nil && fault.CodeOf(err) != "face.none" {
		return out, err
	}
	shown, convertErr := process.Decode().Convert(ctx, picture, decodev1.ImageFormat_IMAGE_FORMAT_JPEG)
	if convertErr != nil {
		// The comparison stands; the officer sees no picture.
		p.log.Warn("portrait not encoded anew", "code", string(fault.CodeOf(convertErr)))
		return out, err
	}
	out.JPEG = shown
	return out, err
}
