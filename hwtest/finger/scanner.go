package finger

import (
	"context"
	"image"
	"net"

	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// ScannerID is the device ID of the virtual slap scanner.
const ScannerID = "slap-virtual"

// Scanner is a virtual scanner of slaps behind the driver contract, 3.2 by 3.0
// inches at 500 dpi. It takes whole pictures and does not part them. It is safe for
// concurrent use if hand is.
type Scanner struct {
	driverv1.UnimplementedFingerServiceServer
	server *driver.Server
	hand   func(code int) *image.Gray
}

// NewScanner returns a scanner on which hand lays down what is asked for (13, 14 or
// 15, ISO/IEC 19794-4:2011, table 5); nil from it means that nobody lays anything down.
func NewScanner(hand func(code int) *image.Gray) *Scanner {
	s := &Scanner{server: driver.New(driver.Info{Name: "slap-virtual", Vendor: "Watchpost", Version: "1.0"}), hand: hand}
	driverv1.RegisterFingerServiceServer(s.server, s)
	s.server.Attach(&driverv1.Device{Id: ScannerID, Kind: driverv1.DeviceKind_DEVICE_KIND_FINGER, Model: "virtual slaps", Virtual: true,
		Finger: &driverv1.FingerAbility{Dpi: 500, AutoCapture: true, Positions: []driverv1.FingerPosition{
			driverv1.FingerPosition_FINGER_POSITION_RIGHT_FOUR, driverv1.FingerPosition_FINGER_POSITION_LEFT_FOUR,
			driverv1.FingerPosition_FINGER_POSITION_TWO_THUMBS}}})
	return s
}

// Serve answers on a listener until ctx ends.
func (s *Scanner) Serve(ctx context.Context, listener net.Listener) error {
	return s.server.Serve(ctx, listener)
}

// Capture gives one picture of a slap.
func (s *Scanner) Capture(request *driverv1.FingerCaptureRequest, stream grpc.ServerStreamingServer[driverv1.FingerCaptureResponse]) error {
	if id := request.GetDeviceId(); id != "" && id != ScannerID {
		return driver.Errorf(driver.DeviceUnknown, "no such scanner")
	}
	switch p := request.GetPosition(); {
	case p == driverv1.FingerPosition_FINGER_POSITION_UNSPECIFIED:
		return driver.Errorf(driver.CallInvalid, "no position")
	case p < driverv1.FingerPosition_FINGER_POSITION_RIGHT_FOUR || p > driverv1.FingerPosition_FINGER_POSITION_TWO_THUMBS:
		return driver.Errorf(driver.FingerUnsupported, "the scanner takes slaps only")
	case !request.GetAutoCapture():
		return driver.Errorf(driver.DeviceUnsupported, "the scanner takes the picture by itself")
	case request.GetMinQuality() > 0 || request.GetSegment():
		return driver.Errorf(driver.DeviceUnsupported, "the scanner neither grades nor parts slaps")
	}
	if err := stream.Send(advise(driverv1.FingerAdvice_FINGER_ADVICE_PLACE, false)); err != nil {
		return err
	}
	g := s.hand(int(request.GetPosition()))
	if g == nil {
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	if err := stream.Send(advise(driverv1.FingerAdvice_FINGER_ADVICE_HOLD_STILL, true)); err != nil {
		return err
	}
	w, h := uint32(g.Rect.Dx()), uint32(g.Rect.Dy())
	return stream.Send(&driverv1.FingerCaptureResponse{Part: &driverv1.FingerCaptureResponse_Result{Result: &driverv1.FingerResult{
		Image: &driverv1.Image{Data: g.Pix, Format: driverv1.PixelFormat_PIXEL_FORMAT_GREY8, Width: w, Height: h,
			Stride: uint32(g.Stride), BitDepth: 8, DpiX: 500, DpiY: 500},
		Position: request.GetPosition(), MeetsDemand: true, Tries: 1, Time: driver.Now(),
		Exceptions: request.GetExceptions(), Impression: driverv1.ImpressionType_IMPRESSION_TYPE_LIVE_PLAIN,
	}}})
}

func advise(advice driverv1.FingerAdvice, present bool) *driverv1.FingerCaptureResponse {
	return &driverv1.FingerCaptureResponse{Part: &driverv1.FingerCaptureResponse_Feedback{
		Feedback: &driverv1.FingerFeedback{Overall: advice, HandPresent: present}}}
}
