package drivertest_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"sync"

	"time"

	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// virtual is a driver with one device of each kind and nobody in front of them:
// the suite's own proof, and an example of a driver in few lines.
type virtual struct {
	driverv1.UnimplementedCameraServiceServer
	driverv1.UnimplementedSmartcardServiceServer
	server *driver.Server
	frames driver.Newest[*driverv1.Frame]

	mu   sync.Mutex
	card chan struct{} // guarded by mu: closed when the card leaves, nil = none
	busy bool          // guarded by mu
}

type fingers struct {
	driverv1.UnimplementedFingerServiceServer
	*virtual
}

type pages struct {
	driverv1.UnimplementedPageReaderServiceServer
	*virtual
}

const index = driverv1.FingerPosition_FINGER_POSITION_RIGHT_INDEX

func devices() []*driverv1.Device {
	return []*driverv1.Device{
		{Id: "cam", Kind: driverv1.DeviceKind_DEVICE_KIND_CAMERA, Virtual: true, Camera: &driverv1.CameraAbility{MaxBurst: 4, FramesPerSecond: 100}},
		{Id: "card", Kind: driverv1.DeviceKind_DEVICE_KIND_SMARTCARD, Virtual: true, Smartcard: &driverv1.SmartcardAbility{Contactless: true}},
		{Id: "finger", Kind: driverv1.DeviceKind_DEVICE_KIND_FINGER, Virtual: true, Finger: &driverv1.FingerAbility{Dpi: 500, Positions: []driverv1.FingerPosition{index}}},
		{Id: "page", Kind: driverv1.DeviceKind_DEVICE_KIND_PAGE, Virtual: true, Page: &driverv1.PageAbility{Dpi: 400, Lights: []driverv1.Light{driverv1.Light_LIGHT_VISIBLE}}},
	}
}

// newVirtual returns a driver that films until ctx ends.
func newVirtual(ctx context.Context, options ...driver.Option) *virtual {
	v := &virtual{server: driver.New(driver.Info{Name: "virtual", Vendor: "Watchpost", Version: "1"}, options...)}
	driverv1.RegisterCameraServiceServer(v.server, v)
	driverv1.RegisterSmartcardServiceServer(v.server, v)
	driverv1.RegisterFingerServiceServer(v.server, fingers{virtual: v})
	driverv1.RegisterPageReaderServiceServer(v.server, pages{virtual: v})
	for _, d := range devices() {
		v.server.Attach(d)
	}
	go v.film(ctx)
	return v
}

func (v *virtual) film(ctx context.Context) {
	picture := image.NewGray(image.Rect(0, 0, 120, 120))
	noise := rand.New(rand.NewPCG(1, 2))
	for i := range picture.Pix {
		picture.Pix[i] = uint8(noise.Uint32())
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for n := uint64(1); ; n++ {
		picture.SetGray(int(n)%120, 0, color.Gray{Y: uint8(n)})
		var buffer bytes.Buffer
		if err := jpeg.Encode(&buffer, picture, nil); err != nil {
			v.frames.End(err)
			return
		}
		v.frames.Put(&driverv1.Frame{Sequence: n, Time: driver.Now(), State: driverv1.FrameState_FRAME_STATE_GOOD, Luminance: 100,
			Image: &driverv1.Image{Data: buffer.Bytes(), Format: driverv1.PixelFormat_PIXEL_FORMAT_JPEG, Width: 120, Height: 120, BitDepth: 8}})
		select {
		case <-ctx.Done():
			v.frames.End(ctx.Err())
			return
		case <-ticker.C:
		}
	}
}

func (v *virtual) Preview(request *driverv1.PreviewRequest, stream grpc.ServerStreamingServer[driverv1.Frame]) error {
	if _, err := v.server.Device(request.GetDeviceId()); err != nil {
		return err
	}
	version := uint64(0)
	for {
		frame, newest, err := v.frames.Next(stream.Context(), version)
		if err != nil {
			return err
		}
		version = newest
		if err := stream.Send(frame); err != nil {
			return err
		}
	}
}

func (v *virtual) Capture(request *driverv1.CameraCaptureRequest, stream grpc.ServerStreamingServer[driverv1.CameraCaptureResponse]) error {
	if _, err := v.server.Device(request.GetDeviceId()); err != nil {
		return err
	}
	switch {
	case request.GetFrames() > 4:
		return driver.Errorf(driver.CallInvalid, "at most 4 frames")
	case request.GetDemand().GetMinFaces() > 0:
		return driver.Errorf(driver.DeviceUnsupported, "marks no faces")
	}
	end := &driverv1.CameraCaptureEnd{}
	version, after := uint64(0), driver.Now().GetMonotonicNs()
	for end.Frames < max(request.GetFrames(), 1) {
		frame, newest, err := v.frames.Next(stream.Context(), version)
		if err != nil {
			return err
		}
		version = newest
		end.Seen++
		if frame.Luminance < request.GetDemand().GetMinLuminance() || frame.Time.MonotonicNs < after {
			continue
		}
		after = frame.Time.MonotonicNs + int64(request.GetIntervalMs())*1e6
		end.Frames++
		if request.GetOmitImages() {
			frame = &driverv1.Frame{Sequence: frame.Sequence, Time: frame.Time, State: frame.State}
		}
		if err := stream.Send(&driverv1.CameraCaptureResponse{Part: &driverv1.CameraCaptureResponse_Frame{Frame: frame}}); err != nil {
			return err
		}
	}
	if request.GetKeep() {
		end.CaptureId = "kept"
	}
	return stream.Send(&driverv1.CameraCaptureResponse{Part: &driverv1.CameraCaptureResponse_End{End: end}})
}

func (v *virtual) Release(context.Context, *driverv1.ReleaseRequest) (*driverv1.ReleaseResponse, error) {
	return &driverv1.ReleaseResponse{}, nil
}

// lay puts the card on the reader or takes it off.
func (v *virtual) lay(on bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	kind := driverv1.EventKind_EVENT_KIND_CARD_PRESENT
	if on {
		v.card = make(chan struct{})
	} else {
		close(v.card)
		v.card = nil
		kind = driverv1.EventKind_EVENT_KIND_CARD_REMOVED
	}
	v.server.Emit(&driverv1.Event{Kind: kind, DeviceId: "card"})
}

func (v *virtual) take(open *driverv1.ChannelOpen, late bool) (chan struct{}, error) {
	if _, err := v.server.Device(open.GetDeviceId()); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.card != nil && v.busy:
		return nil, driver.Errorf(driver.DeviceBusy, "in use")
	case v.card != nil:
		v.busy = true
		return v.card, nil
	case late:
		return nil, driver.Errorf(driver.CardNone, "no card")
	}
	return nil, nil
}

func (v *virtual) Channel(stream grpc.BidiStreamingServer[driverv1.ChannelRequest, driverv1.ChannelResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	var card chan struct{}
	for waited := time.Duration(0); card == nil; waited += 10 * time.Millisecond {
		if card, err = v.take(first.GetOpen(), waited >= time.Duration(first.GetOpen().GetWaitMs())*time.Millisecond); err != nil {
			return err
		}
		if card == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
	defer func() { v.mu.Lock(); v.busy = false; v.mu.Unlock() }()
	if err := stream.Send(&driverv1.ChannelResponse{Part: &driverv1.ChannelResponse_Opened{Opened: &driverv1.ChannelOpened{
		MaxCommand: 300, MaxResponse: 300, DeviceId: "card"}}}); err != nil {
		return err
	}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		t := request.GetTransmit()
		if n := len(t.GetCommand()); n < 4 || n > 300 || t.GetTimeoutMs() == 0 {
			return driver.Errorf(driver.CallInvalid, "a command of %d bytes", n)
		}
		select {
		case <-card:
			return driver.Errorf(driver.CardRemoved, "gone")
		default:
		}
		if err := stream.Send(&driverv1.ChannelResponse{Part: &driverv1.ChannelResponse_Answer{Answer: &driverv1.ChannelAnswer{
			Sequence: t.GetSequence(), Response: []byte{0x90, 0x00}, CardNs: 1}}}); err != nil {
			return err
		}
	}
}

func (f fingers) Capture(request *driverv1.FingerCaptureRequest, stream grpc.ServerStreamingServer[driverv1.FingerCaptureResponse]) error {
	if _, err := f.server.Device(request.GetDeviceId()); err != nil {
		return err
	}
	switch request.GetPosition() {
	case index:
	case driverv1.FingerPosition_FINGER_POSITION_UNSPECIFIED:
		return driver.Errorf(driver.CallInvalid, "no position")
	default:
		return driver.Errorf(driver.FingerUnsupported, "one finger only")
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

func (p pages) Capture(request *driverv1.PageCaptureRequest, _ grpc.ServerStreamingServer[driverv1.PageCaptureResponse]) error {
	if _, err := p.server.Device(request.GetDeviceId()); err != nil {
		return err
	}
	return driver.Errorf(driver.DocumentNone, "nothing on the glass")
}
