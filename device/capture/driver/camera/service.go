package camera

import (
	"context"
	"errors"
	"image"
	"math"
	"time"

	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/device/capture/driver/config"
	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

const (
	previewQuality = 80 // JPEG
	captureQuality = 95 // JPEG
	// patience with a picture that is black or frozen: exposure control of a
	// camera just opened takes up to a second and a half.
	patience = 2 * time.Second
)

func imagePoint(x, y int) image.Point { return image.Pt(x, y) }

// Preview sends the newest frame there is, again and again.
func (d *Driver) Preview(request *driverv1.PreviewRequest, stream grpc.ServerStreamingServer[driverv1.Frame]) error {
	switch request.GetFormat() {
	case driverv1.PixelFormat_PIXEL_FORMAT_UNSPECIFIED, driverv1.PixelFormat_PIXEL_FORMAT_JPEG:
	default:
		return driver.Errorf(driver.DeviceUnsupported, "preview in %s", request.GetFormat())
	}
	fps := request.GetMaxFramesPerSecond()
	if math.IsNaN(fps) || fps < 0 || request.GetMaxWidth() > config.MaxSide {
		return driver.Errorf(driver.CallInvalid, "preview limits out of range")
	}
	c, err := d.find(request.GetDeviceId())
	if err != nil {
		return err
	}
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
			if err := limit.wait(stream.Context()); err != nil {
				return err
			}
		}
		s, newest, err := r.frames.Next(stream.Context(), version)
		if err != nil {
			return err
		}
		version = newest
		frame, err := s.frame(driverv1.PixelFormat_PIXEL_FORMAT_JPEG, int(request.GetMaxWidth()), previewQuality)
		if err != nil {
			return err
		}
		if err := stream.Send(frame); err != nil {
			return err
		}
	}
}

// Capture takes the first frames that meet the demand.
func (d *Driver) Capture(request *driverv1.CameraCaptureRequest, stream grpc.ServerStreamingServer[driverv1.CameraCaptureResponse]) error {
	wanted := int(max(request.GetFrames(), 1))
	if wanted > maxBurst {
		return driver.Errorf(driver.CallInvalid, "%d frames, at most %d", wanted, maxBurst)
	}
	format := request.GetFormat()
	switch format {
	case driverv1.PixelFormat_PIXEL_FORMAT_UNSPECIFIED:
		format = driverv1.PixelFormat_PIXEL_FORMAT_JPEG
	case driverv1.PixelFormat_PIXEL_FORMAT_JPEG, driverv1.PixelFormat_PIXEL_FORMAT_BGR8:
	default:
		return driver.Errorf(driver.DeviceUnsupported, "frames in %s", format)
	}
	if request.GetDemand().GetMinFaces() > 0 || request.GetDemand().GetMaxFaces() > 0 {
		return driver.Errorf(driver.DeviceUnsupported, "the camera marks no faces")
	}
	c, err := d.find(request.GetDeviceId())
	if err != nil {
		return err
	}
	called := driver.Now().GetMonotonicNs()
	d.kept.drop("") // one person at a time
	r, done, err := c.use()
	if err != nil {
		return err
	}
	defer done()
	shots, seen, err := take(stream.Context(), r, request, wanted, called)
	if err != nil {
		return err
	}
	for _, s := range shots {
		frame, err := s.send(format, request.GetOmitImages())
		if err != nil {
			return err
		}
		if err := stream.Send(&driverv1.CameraCaptureResponse{Part: &driverv1.CameraCaptureResponse_Frame{Frame: frame}}); err != nil {
			return err
		}
	}
	end := &driverv1.CameraCaptureEnd{Frames: uint32(len(shots)), Seen: uint32(seen)}
	if request.GetKeep() {
		end.CaptureId = d.kept.keep(shots)
	}
	return stream.Send(&driverv1.CameraCaptureResponse{Part: &driverv1.CameraCaptureResponse_End{End: end}})
}

// take collects frames until there are enough or the time is up, and says what
// was wrong with the last one that did not do. A frame whose reading began
// before called, monotonic nanoseconds, is none of them: the camera stays open
// between two persons, and its newest frame may be of the one who has left.
func take(ctx context.Context, r *run, request *driverv1.CameraCaptureRequest, wanted int, called int64) (shots []*shot, seen int, err error) {
	interval := time.Duration(request.GetIntervalMs()) * time.Millisecond
	var reason *driver.Error
	var badSince time.Time
	version, after := uint64(0), int64(0)
	for len(shots) < wanted {
		s, newest, err := r.frames.Next(ctx, version)
		if err != nil {
			if reason != nil && errors.Is(err, context.DeadlineExceeded) {
				return nil, seen, reason
			}
			return nil, seen, err
		}
		version = newest
		if s.begun < called || s.time.GetMonotonicNs() < after {
			continue
		}
		seen++
		bad, err := s.refuse(request.GetDemand())
		if err != nil {
			return nil, seen, err
		}
		if bad != nil {
			if reason == nil || reason.Code != bad.Code {
				badSince = time.Now()
			}
			reason = bad
			if bad.Code != driver.CameraQuality && time.Since(badSince) > patience {
				return nil, seen, bad
			}
			continue
		}
		reason = nil
		shots = append(shots, s)
		after = s.time.GetMonotonicNs() + interval.Nanoseconds()
	}
	return shots, seen, nil
}

// refuse says why a frame does not do; nil when it does.
func (s *shot) refuse(demand *driverv1.CameraDemand) (*driver.Error, error) {
	switch s.state {
	case driverv1.FrameState_FRAME_STATE_FROZEN:
		return driver.Errorf(driver.CameraFrozen, "the camera repeats one frame").WithHint("unplug the camera and plug it in again"), nil
	case driverv1.FrameState_FRAME_STATE_BLACK:
		return driver.Errorf(driver.CameraBlack, "the picture is black").WithHint("take the cover off the lens; check the light"), nil
	}
	if s.luminance < demand.GetMinLuminance() || demand.GetMaxLuminance() > 0 && s.luminance > demand.GetMaxLuminance() {
		return driver.Errorf(driver.CameraQuality, "luminance out of range").WithHint("check the light"), nil
	}
	if demand.GetMinSharpness() > 0 {
		sharpness, err := s.sharpness()
		if err != nil {
			return nil, err
		}
		if sharpness < demand.GetMinSharpness() {
			return driver.Errorf(driver.CameraQuality, "not sharp").WithHint("ask the person to stand still; check the focus"), nil
		}
	}
	return nil, nil
}

// Release drops kept frames.
func (d *Driver) Release(_ context.Context, request *driverv1.ReleaseRequest) (*driverv1.ReleaseResponse, error) {
	if request.GetCaptureId() != "" {
		d.kept.drop(request.GetCaptureId())
	}
	return &driverv1.ReleaseResponse{}, nil
}

// send is frame with or without the picture.
func (s *shot) send(format driverv1.PixelFormat, omit bool) (*driverv1.Frame, error) {
	if omit {
		frame := s.facts()
		frame.Image = &driverv1.Image{Format: format, Width: uint32(s.width), Height: uint32(s.height), BitDepth: 8}
		return frame, nil
	}
	return s.frame(format, 0, captureQuality)
}

func (s *shot) facts() *driverv1.Frame {
	return &driverv1.Frame{Sequence: s.sequence, Time: s.time, State: s.state, Luminance: s.luminance}
}

func (s *shot) frame(format driverv1.PixelFormat, maxWidth, quality int) (*driverv1.Frame, error) {
	frame := s.facts()
	if format == driverv1.PixelFormat_PIXEL_FORMAT_BGR8 {
		if len(s.pix) > driver.MessageLimit-64<<10 {
			return nil, driver.Errorf(driver.DeviceUnsupported, "a raw frame of %d bytes does not fit a message", len(s.pix))
		}
		frame.Image = &driverv1.Image{Data: s.pix, Format: format, Width: uint32(s.width), Height: uint32(s.height),
			Stride: uint32(3 * s.width), BitDepth: 8, ColourSpace: driverv1.ColourSpace_COLOUR_SPACE_SRGB}
		return frame, nil
	}
	data, width, height, err := s.asJPEG(maxWidth, quality)
	if err != nil {
		return nil, err
	}
	frame.Image = &driverv1.Image{Data: data, Format: driverv1.PixelFormat_PIXEL_FORMAT_JPEG, Width: uint32(width), Height: uint32(height),
		BitDepth: 8, ColourSpace: driverv1.ColourSpace_COLOUR_SPACE_SRGB}
	return frame, nil
}
