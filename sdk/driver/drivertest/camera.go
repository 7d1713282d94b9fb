package drivertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

func (s *suite) camera(t *testing.T) {
	device := s.first(t, driverv1.DeviceKind_DEVICE_KIND_CAMERA)
	client := driverv1.NewCameraServiceClient(s.conn)
	t.Run("preview", func(t *testing.T) { preview(t, client, device) })
	t.Run("newest wins", func(t *testing.T) { newestWins(t, client, device) })
	t.Run("cancel", func(t *testing.T) { cancelPreview(t, client, device) })
	t.Run("capture", func(t *testing.T) { burst(t, client, device) })
	t.Run("deadline", func(t *testing.T) { captureDeadline(t, client, device) })
	t.Run("refusals", func(t *testing.T) { captureRefusals(t, client, device) })
}

// CheckImage fails unless an image's fields and bytes fit together.
func CheckImage(t testing.TB, image *driverv1.Image) {
	t.Helper()
	if image.GetWidth() == 0 || image.GetHeight() == 0 {
		t.Errorf("an image of %dx%d", image.GetWidth(), image.GetHeight())
		return
	}
	perPixel := map[driverv1.PixelFormat]uint64{
		driverv1.PixelFormat_PIXEL_FORMAT_GREY8: 1, driverv1.PixelFormat_PIXEL_FORMAT_GREY16: 2, driverv1.PixelFormat_PIXEL_FORMAT_RGB8: 3,
		driverv1.PixelFormat_PIXEL_FORMAT_BGR8: 3, driverv1.PixelFormat_PIXEL_FORMAT_RGBA8: 4, driverv1.PixelFormat_PIXEL_FORMAT_YUYV: 2,
	}
	switch format := image.GetFormat(); format {
	case driverv1.PixelFormat_PIXEL_FORMAT_UNSPECIFIED:
		t.Error("an image without format")
	case driverv1.PixelFormat_PIXEL_FORMAT_JPEG:
		if data := image.GetData(); !bytes.HasPrefix(data, []byte{0xFF, 0xD8, 0xFF}) || !bytes.HasSuffix(data, []byte{0xFF, 0xD9}) {
			t.Error("a JPEG without its first or last marker")
		}
	default:
		row := perPixel[format] * uint64(image.GetWidth())
		stride := uint64(image.GetStride())
		if stride < row || uint64(len(image.GetData())) < stride*uint64(image.GetHeight()-1)+row {
			t.Errorf("%s of %dx%d, stride %d in %d bytes", format, image.GetWidth(), image.GetHeight(), stride, len(image.GetData()))
		}
		if image.GetBitDepth() == 0 || image.GetBitDepth() > 16 {
			t.Errorf("bit depth %d", image.GetBitDepth())
		}
	}
}

func checkFrame(t testing.TB, frame *driverv1.Frame) {
	t.Helper()
	CheckImage(t, frame.GetImage())
	if frame.GetState() == driverv1.FrameState_FRAME_STATE_UNSPECIFIED {
		t.Error("a frame without state")
	}
	if frame.GetTime().GetMonotonicNs() <= 0 || frame.GetTime().GetUnixNs() <= 0 {
		t.Error("a frame without time")
	}
}

func preview(t *testing.T, client driverv1.CameraServiceClient, device *driverv1.Device) {
	const limit = 128 // pixels
	stream, err := client.Preview(within(t, slow), &driverv1.PreviewRequest{DeviceId: device.GetId(), MaxWidth: limit})
	if err != nil {
		t.Fatal(err)
	}
	sequence, when := uint64(0), int64(0)
	for range 5 {
		frame, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		checkFrame(t, frame)
		if frame.GetSequence() <= sequence || frame.GetTime().GetMonotonicNs() <= when {
			t.Errorf("frame %d at %d after frame %d at %d", frame.GetSequence(), frame.GetTime().GetMonotonicNs(), sequence, when)
		}
		if frame.GetImage().GetWidth() > limit {
			t.Errorf("a frame %d pixels wide, %d were asked for", frame.GetImage().GetWidth(), limit)
		}
		sequence, when = frame.GetSequence(), frame.GetTime().GetMonotonicNs()
	}
}

// newestWins lets one stream stand while another runs on: the first must then
// come to the present soon, not play the past back.
func newestWins(t *testing.T, client driverv1.CameraServiceClient, device *driverv1.Device) {
	request := &driverv1.PreviewRequest{DeviceId: device.GetId()}
	standing, err := client.Preview(within(t, 2*slow), request)
	if err != nil {
		t.Fatal(err)
	}
	first, err := standing.Recv()
	if err != nil {
		t.Fatal(err)
	}
	// As many bytes as can be in flight: the stream's window, gRPC's write
	// buffers and the socket's.
	const inFlight = 192 << 10
	size := max(len(first.GetImage().GetData()), 1)
	run := inFlight/size + 20
	if device.GetCamera().GetFramesPerSecond() > 0 && float64(run) > device.GetCamera().GetFramesPerSecond()*slow.Seconds() {
		t.Skipf("SKIPPED: frames of %d bytes at %.0f a second do not fill the way in time", size, device.GetCamera().GetFramesPerSecond())
	}
	running, err := client.Preview(within(t, 2*slow), request)
	if err != nil {
		t.Fatal(err)
	}
	now := uint64(0)
	for range run {
		frame, err := running.Recv()
		if err != nil {
			t.Fatal(err)
		}
		now = frame.GetSequence()
	}
	for range inFlight/size + 2 {
		frame, err := standing.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if frame.GetSequence() >= now {
			return
		}
	}
	t.Errorf("a stream that stood plays old frames back")
}

func cancelPreview(t *testing.T, client driverv1.CameraServiceClient, device *driverv1.Device) {
	ctx, cancel := context.WithCancel(within(t, slow))
	stream, err := client.Preview(ctx, &driverv1.PreviewRequest{DeviceId: device.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	// The driver must serve the next one at once.
	again, err := client.Preview(within(t, soon), &driverv1.PreviewRequest{DeviceId: device.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Recv(); err != nil {
		t.Errorf("preview after a cancelled one: %v", err)
	}
}

// collect reads a capture to its end.
func collect(stream interface {
	Recv() (*driverv1.CameraCaptureResponse, error)
}) (frames []*driverv1.Frame, end *driverv1.CameraCaptureEnd, err error) {
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return frames, end, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if part.GetFrame() != nil {
			frames = append(frames, part.GetFrame())
		} else {
			end = part.GetEnd()
		}
	}
}

func burst(t *testing.T, client driverv1.CameraServiceClient, device *driverv1.Device) {
	wanted := min(3, device.GetCamera().GetMaxBurst())
	const interval = 50 * time.Millisecond
	called := driver.Now().GetMonotonicNs()
	stream, err := client.Capture(within(t, slow), &driverv1.CameraCaptureRequest{
		DeviceId: device.GetId(), Frames: wanted, IntervalMs: uint32(interval.Milliseconds()), Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	frames, end, err := collect(stream)
	if err != nil {
		t.Fatal(err)
	}
	if len(frames) != int(wanted) || end.GetFrames() != wanted || end.GetSeen() < wanted || end.GetCaptureId() == "" {
		t.Fatalf("%d frames, end %v", len(frames), end)
	}
	for i, frame := range frames {
		checkFrame(t, frame)
		if frame.GetTime().GetMonotonicNs() < called {
			t.Errorf("frame %d is older than the call", i) // it may show the person before
		}
		if frame.GetState() != driverv1.FrameState_FRAME_STATE_GOOD {
			t.Errorf("frame %d is %s", i, frame.GetState())
		}
		if i > 0 && frame.GetTime().GetMonotonicNs()-frames[i-1].GetTime().GetMonotonicNs() < interval.Nanoseconds() {
			t.Errorf("frame %d comes too early", i)
		}
	}
	for range 2 { // a second release is no error
		if _, err := client.Release(within(t, soon), &driverv1.ReleaseRequest{CaptureId: end.GetCaptureId()}); err != nil {
			t.Errorf("release: %v", err)
		}
	}
	stream, err = client.Capture(within(t, slow), &driverv1.CameraCaptureRequest{DeviceId: device.GetId(), OmitImages: true})
	if err != nil {
		t.Fatal(err)
	}
	frames, end, err = collect(stream)
	if err != nil || len(frames) != 1 || len(frames[0].GetImage().GetData()) != 0 || end.GetCaptureId() != "" {
		t.Errorf("still without image: %d frames, end %v, %v", len(frames), end, err)
	}
}

func captureDeadline(t *testing.T, client driverv1.CameraServiceClient, device *driverv1.Device) {
	// No frame is brighter than white.
	const limit = 1500 * time.Millisecond
	err := told(func() error {
		stream, err := client.Capture(within(t, limit), &driverv1.CameraCaptureRequest{
			DeviceId: device.GetId(), Demand: &driverv1.CameraDemand{MinLuminance: 256}})
		if err == nil {
			_, _, err = collect(stream)
		}
		return err
	})
	if driver.CodeOf(err) != driver.CallDeadline {
		wantCode(t, "a demand that cannot be met", err, driver.CameraQuality)
	}
}

func captureRefusals(t *testing.T, client driverv1.CameraServiceClient, device *driverv1.Device) {
	stream, err := client.Capture(within(t, slow), &driverv1.CameraCaptureRequest{DeviceId: device.GetId(), Frames: device.GetCamera().GetMaxBurst() + 1})
	if err == nil {
		_, _, err = collect(stream)
	}
	wantCode(t, "a burst too long", err, driver.CallInvalid)
	if !device.GetCamera().GetFaceBoxes() {
		stream, err = client.Capture(within(t, slow), &driverv1.CameraCaptureRequest{DeviceId: device.GetId(), Demand: &driverv1.CameraDemand{MinFaces: 1}})
		if err == nil {
			_, _, err = collect(stream)
		}
		wantCode(t, "faces of a camera that marks none", err, driver.DeviceUnsupported)
	}
}
