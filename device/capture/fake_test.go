package capture

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
	facev1 "github.com/watchpost/watchpost/sdk/proto/face/v1"
)

// TestMain lets the test program be a capture process that answers what the
// test of the client wants: --models names the behaviour.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[2] == "--fd=3" {
		os.Exit(fake(strings.TrimPrefix(os.Args[len(os.Args)-1], "--models=")))
	}
	os.Exit(m.Run())
}

func fake(behaviour string) int {
	switch behaviour {
	case "refuse":
		fmt.Fprintln(os.Stderr, "something before")
		fmt.Fprintln(os.Stderr, "watchpost-capture: sandbox.unavailable: kernel without Landlock")
		return 1
	case "crash":
		fmt.Fprintln(os.Stderr, "libfoo.so: cannot open shared object file")
		return 127
	}
	if behaviour == "speechless" {
		return 1
	}
	conn, err := net.FileConn(os.NewFile(3, "client"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server := grpc.NewServer()
	healthv1.RegisterHealthServer(server, health.NewServer())
	h := &hostile{}
	driverv1.RegisterDriverServiceServer(server, h)
	driverv1.RegisterCameraServiceServer(server, h)
	driverv1.RegisterSmartcardServiceServer(server, h)
	facev1.RegisterFaceServiceServer(server, h)
	// An error means that the client has gone.
	_ = server.Serve(&one{conn: conn, closed: make(chan struct{})})
	if behaviour == "stubborn" {
		time.Sleep(time.Hour) // does not end although its client has gone
	}
	return 0
}

// one is a listener of one connection.
type one struct {
	conn   net.Conn
	closed chan struct{}
}

type closing struct {
	net.Conn
	closed chan struct{}
}

func (c closing) Close() error {
	defer func() { _ = recover() }() // closed already
	close(c.closed)
	return c.Conn.Close()
}

func (l *one) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return closing{conn, l.closed}, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }

// hostile answers what the contract does not allow; the device ID says what.
type hostile struct {
	driverv1.UnimplementedDriverServiceServer
	driverv1.UnimplementedCameraServiceServer
	driverv1.UnimplementedSmartcardServiceServer
	facev1.UnimplementedFaceServiceServer
}

func jpegFrame() *driverv1.Frame {
	now, _ := Monotonic() // never fails on Linux
	return &driverv1.Frame{Time: &driverv1.Timestamp{MonotonicNs: now.Nanoseconds()}, Image: &driverv1.Image{Data: []byte("\xff\xd8\xff\xd9"), Format: driverv1.PixelFormat_PIXEL_FORMAT_JPEG, Width: 8, Height: 8}}
}

func (h *hostile) Describe(context.Context, *driverv1.DescribeRequest) (*driverv1.DescribeResponse, error) {
	return &driverv1.DescribeResponse{Devices: []*driverv1.Device{nil, {Id: "x", Kind: 99, State: 99}}}, nil
}

func (h *hostile) Capture(request *driverv1.CameraCaptureRequest, stream grpc.ServerStreamingServer[driverv1.CameraCaptureResponse]) error {
	frame := func(f *driverv1.Frame) error {
		return stream.Send(&driverv1.CameraCaptureResponse{Part: &driverv1.CameraCaptureResponse_Frame{Frame: f}})
	}
	end := func(e *driverv1.CameraCaptureEnd) error {
		return stream.Send(&driverv1.CameraCaptureResponse{Part: &driverv1.CameraCaptureResponse_End{End: e}})
	}
	switch request.GetDeviceId() {
	case "good":
		return errorsOf(frame(jpegFrame()), end(&driverv1.CameraCaptureEnd{Frames: 1, Seen: 1}))
	case "endless":
		for {
			if err := frame(jpegFrame()); err != nil {
				return err
			}
		}
	case "nothing":
		return nil
	case "empty part":
		return stream.Send(&driverv1.CameraCaptureResponse{})
	case "no picture":
		f := jpegFrame()
		f.Image.Data = []byte("GIF89a")
		return frame(f)
	case "before", "undated":
		f := jpegFrame()
		f.Time.MonotonicNs -= time.Minute.Nanoseconds()
		if request.GetDeviceId() == "undated" {
			f.Time = nil
		}
		return errorsOf(frame(f), end(&driverv1.CameraCaptureEnd{Frames: 1, Seen: 1}))
	case "huge":
		f := jpegFrame()
		f.Image.Width = 1 << 31
		return frame(f)
	case "wrong count":
		return errorsOf(frame(jpegFrame()), end(&driverv1.CameraCaptureEnd{Frames: 2}))
	case "no frame":
		return end(&driverv1.CameraCaptureEnd{})
	case "kept unasked":
		return errorsOf(frame(jpegFrame()), end(&driverv1.CameraCaptureEnd{Frames: 1, CaptureId: "x"}))
	case "after the end":
		return errorsOf(frame(jpegFrame()), end(&driverv1.CameraCaptureEnd{Frames: 1}), frame(jpegFrame()))
	case "ends itself":
		os.Exit(1)
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

func errorsOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *hostile) Channel(stream grpc.BidiStreamingServer[driverv1.ChannelRequest, driverv1.ChannelResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	id := first.GetOpen().GetDeviceId()
	answer := func(a *driverv1.ChannelAnswer) error {
		return stream.Send(&driverv1.ChannelResponse{Part: &driverv1.ChannelResponse_Answer{Answer: a}})
	}
	switch id {
	case "answers first":
		return answer(&driverv1.ChannelAnswer{Response: []byte{0x90, 0}})
	case "ends at once":
		return nil
	case "no limits":
		return stream.Send(&driverv1.ChannelResponse{Part: &driverv1.ChannelResponse_Opened{Opened: &driverv1.ChannelOpened{}}})
	case "hangs":
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	if err := stream.Send(&driverv1.ChannelResponse{Part: &driverv1.ChannelResponse_Opened{Opened: &driverv1.ChannelOpened{MaxCommand: 261, MaxResponse: 258}}}); err != nil {
		return err
	}
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	sequence := request.GetTransmit().GetSequence()
	switch id {
	case "wrong sequence":
		return answer(&driverv1.ChannelAnswer{Sequence: sequence + 1, Response: []byte{0x90, 0}})
	case "no status":
		return answer(&driverv1.ChannelAnswer{Sequence: sequence, Response: []byte{0x90}})
	case "too long":
		return answer(&driverv1.ChannelAnswer{Sequence: sequence, Response: make([]byte, 259)})
	case "opens twice":
		return stream.Send(&driverv1.ChannelResponse{Part: &driverv1.ChannelResponse_Opened{Opened: &driverv1.ChannelOpened{MaxCommand: 261, MaxResponse: 258}}})
	case "silent":
		<-stream.Context().Done()
		return stream.Context().Err()
	case "ends itself":
		os.Exit(1)
	}
	return nil
}

func (h *hostile) TemplateCapture(_ context.Context, request *facev1.TemplateCaptureRequest) (*facev1.TemplateCaptureResponse, error) {
	frames := 1
	if request.GetCaptureId() == "too many" {
		frames = maxBurst + 1
	}
	response := &facev1.TemplateCaptureResponse{}
	for range frames {
		response.Frames = append(response.Frames, &facev1.FrameTemplate{})
	}
	return response, nil
}
