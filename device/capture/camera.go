package capture

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// maxBurst bounds the frames of one capture that are taken from a process.
const maxBurst = 64

// Frame is one picture of a camera. It is personal data.
type Frame struct {
	Sequence  uint64    // of the camera: a gap shows dropped frames
	Time      time.Time // wall clock
	Monotonic time.Duration
	Width     int // pixels
	Height    int // pixels
	JPEG      []byte
	Frozen    bool    // the camera repeats itself
	Black     bool    // no light, or covered
	Luminance float64 // mean, 0 to 255
}

// LogValue keeps pictures out of logs.
func (f Frame) LogValue() slog.Value {
	return slog.GroupValue(slog.Uint64("sequence", f.Sequence), slog.String("image", "(redacted)"))
}

// String keeps them out of the fmt verbs.
func (Frame) String() string { return "frame (redacted)" }

// PreviewOptions bound a preview; the zero value takes every frame of the only
// camera as it comes.
type PreviewOptions struct {
	Camera             string  // device ID, "" = the only one
	MaxFramesPerSecond float64 // 0 = as the camera has it
	MaxWidth           int     // pixels, larger frames are scaled down; 0 = as they come
}

// CameraPreview yields JPEG frames until the loop is left or ctx ends, the
// newest there is each time. The last pair carries the error: camera.none,
// device.lost, capture.lost.
func (c *Client) CameraPreview(ctx context.Context, o PreviewOptions) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.camera.Preview(ctx, &driverv1.PreviewRequest{
			DeviceId: o.Camera, MaxFramesPerSecond: o.MaxFramesPerSecond, MaxWidth: uint32(max(o.MaxWidth, 0)),
			Format: driverv1.PixelFormat_PIXEL_FORMAT_JPEG,
		})
		if err != nil {
			yield(Frame{}, fail(err))
			return
		}
		for {
			message, err := stream.Recv()
			if err != nil {
				yield(Frame{}, fail(err))
				return
			}
			frame, err := frameOf(message, true)
			if !yield(frame, err) || err != nil {
				return
			}
		}
	}
}

// Demand says what a frame must reach; zero demands nothing.
type Demand struct {
	MinLuminance float64 // mean, 0 to 255
	MaxLuminance float64 // 0 = no upper limit
	MinSharpness float64 // variance of the Laplacian of the luminance
}

// BurstOptions describe a capture; the zero value takes one frame of the only
// camera.
type BurstOptions struct {
	Camera   string // device ID, "" = the only one
	Frames   int    // 0 = 1
	Interval time.Duration
	Demand   Demand
	NoImages bool // leave the pixels in the process
	Keep     bool // keep the pixels there for FaceTemplates, until Release
}

// Burst is what a capture brought.
type Burst struct {
	Frames []Frame // without JPEG where NoImages was asked for
	ID     string  // names the kept frames, "" when not kept
	Seen   int     // frames looked at, taken or not
}

// CameraCapture takes frames; it ends with the last of them or at ctx's
// deadline. Frames are younger than the call: one that a driver has from before,
// perhaps of another person, is refused as camera.stale. Errors: camera.none,
// camera.black, camera.frozen, camera.quality, camera.stale, device.lost,
// call.deadline, capture.lost.
func (c *Client) CameraCapture(ctx context.Context, o BurstOptions) (Burst, error) {
	called, err := Monotonic()
	if err != nil {
		return Burst{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.camera.Capture(ctx, &driverv1.CameraCaptureRequest{
		DeviceId: o.Camera, Frames: uint32(max(o.Frames, 1)), IntervalMs: uint32(max(o.Interval, 0).Milliseconds()),
		Demand: &driverv1.CameraDemand{MinLuminance: o.Demand.MinLuminance, MaxLuminance: o.Demand.MaxLuminance, MinSharpness: o.Demand.MinSharpness},
		Format: driverv1.PixelFormat_PIXEL_FORMAT_JPEG, OmitImages: o.NoImages, Keep: o.Keep,
	})
	if err != nil {
		return Burst{}, fail(err)
	}
	var burst Burst
	for {
		message, err := stream.Recv()
		if err != nil {
			return Burst{}, fail(err)
		}
		if end := message.GetEnd(); end != nil {
			if int(end.GetFrames()) != len(burst.Frames) || len(burst.Frames) == 0 || o.Keep == (end.GetCaptureId() == "") {
				return Burst{}, fault.New(ErrAnswer.Code, "a capture that does not add up")
			}
			burst.ID, burst.Seen = end.GetCaptureId(), int(end.GetSeen())
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				return Burst{}, fault.New(ErrAnswer.Code, "more after the end of a capture")
			}
			return burst, nil
		}
		frame, err := frameOf(message.GetFrame(), !o.NoImages)
		if err != nil {
			return Burst{}, err
		}
		if frame.Monotonic < called {
			return Burst{}, fault.New(ErrCameraStale.Code, "a frame from %s before the capture", called-frame.Monotonic).
				WithHint("take the picture again").AsRetryable()
		}
		if len(burst.Frames) == maxBurst {
			return Burst{}, fault.New(ErrAnswer.Code, "more than %d frames", maxBurst)
		}
		burst.Frames = append(burst.Frames, frame)
	}
}

// Release drops kept frames. They are dropped by themselves after a minute and
// at the next capture.
func (c *Client) Release(ctx context.Context, id string) error {
	_, err := c.camera.Release(ctx, &driverv1.ReleaseRequest{CaptureId: id})
	return fail(err)
}

// Monotonic reads the clock that drivers stamp frames with.
func Monotonic() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, fault.Wrap(ErrAnswer.Code, err)
	}
	return time.Duration(ts.Nano()), nil
}

func frameOf(f *driverv1.Frame, picture bool) (Frame, error) {
	image := f.GetImage()
	frame := Frame{
		Sequence: f.GetSequence(), Time: time.Unix(0, f.GetTime().GetUnixNs()), Monotonic: time.Duration(f.GetTime().GetMonotonicNs()),
		Width: int(image.GetWidth()), Height: int(image.GetHeight()),
		Frozen: f.GetState() == driverv1.FrameState_FRAME_STATE_FROZEN, Black: f.GetState() == driverv1.FrameState_FRAME_STATE_BLACK,
		Luminance: f.GetLuminance(),
	}
	if frame.Width < 1 || frame.Height < 1 || frame.Width > maxImageSide || frame.Height > maxImageSide {
		return Frame{}, fault.New(ErrAnswer.Code, "a frame of %dx%d", frame.Width, frame.Height)
	}
	if picture {
		frame.JPEG = image.GetData()
		const soi = "\xff\xd8\xff" // a JFIF file begins so (ITU-T T.81, annex B)
		if image.GetFormat() != driverv1.PixelFormat_PIXEL_FORMAT_JPEG || len(frame.JPEG) < len(soi) || string(frame.JPEG[:len(soi)]) != soi {
			return Frame{}, fault.New(ErrAnswer.Code, "a frame that is no JPEG")
		}
	}
	return frame, nil
}
