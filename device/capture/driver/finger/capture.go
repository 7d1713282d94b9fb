package finger

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/device/capture/driver/finger/fprint"
	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

const (
	// maxTries bounds the touches of one capture.
	maxTries = 10
	// backlog of one capture's events.
	backlog = 32
)

type stream = grpc.ServerStreamingServer[driverv1.FingerCaptureResponse]

// Capture sends feedback while the person touches the sensor and then the
// image. A touch that the sensor rejects is a try.
func (d *Driver) Capture(request *driverv1.FingerCaptureRequest, stream stream) error {
	s, err := d.find(request)
	if err != nil {
		return err
	}
	number, news, err := s.use()
	if err != nil {
		return err
	}
	defer s.release()
	tries := max(request.GetTries(), 1)
	var last *driver.Error
	for try := uint32(1); try <= tries; try++ {
		image, err := d.touch(stream, request.GetPosition(), number, news)
		var bad *rejected
		switch {
		case err == nil:
			return stream.Send(&driverv1.FingerCaptureResponse{Part: &driverv1.FingerCaptureResponse_Result{
				Result: s.result(request, image, try)}})
		case errors.As(err, &bad):
			last = driver.Errorf(driver.FingerQuality, "no touch gave an image").WithHint(bad.hint)
			if err := stream.Send(&driverv1.FingerCaptureResponse{Part: &driverv1.FingerCaptureResponse_Try{
				Try: &driverv1.FingerTry{Number: try, Advice: bad.advice}}}); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return last
}

// find judges the request and returns the sensor it names.
func (d *Driver) find(request *driverv1.FingerCaptureRequest) (*sensor, error) {
	var found *sensor
	for _, s := range d.sensors {
		if request.GetDeviceId() == s.ID || request.GetDeviceId() == "" && len(d.sensors) == 1 {
			found = s
		}
	}
	if found == nil {
		return nil, driver.Errorf(driver.DeviceUnknown, "no such fingerprint sensor")
	}
	if _, err := d.server.Device(found.ID); err != nil {
		if driver.CodeOf(err) == driver.DeviceUnknown { // configured, and never seen yet
			return nil, driver.Errorf(driver.DeviceLost, "the sensor is not there").
				WithHint("plug the fingerprint sensor in; lsusb shows whether the system sees it")
		}
		return nil, err
	}
	switch p := request.GetPosition(); {
	case p == driverv1.FingerPosition_FINGER_POSITION_UNSPECIFIED:
		return nil, driver.Errorf(driver.CallInvalid, "no finger position")
	case !takes(found.Sensor, p):
		return nil, driver.Errorf(driver.FingerUnsupported, "the sensor does not take this position").
			WithHint("take the fingers one by one; a sensor for several at once has slaps: true in the configuration")
	case request.GetTries() > maxTries:
		return nil, driver.Errorf(driver.CallInvalid, "%d tries, at most %d", request.GetTries(), maxTries)
	case !request.GetAutoCapture():
		return nil, driver.Errorf(driver.DeviceUnsupported, "the sensor takes the image by itself and cannot wait for a trigger")
	case request.GetMinQuality() > 0:
		return nil, driver.Errorf(driver.DeviceUnsupported, "the sensor has no measure of quality")
	case request.GetSegment():
		return nil, driver.Errorf(driver.DeviceUnsupported, "the sensor does not part slaps")
	}
	return found, nil
}

// use claims the sensor for one capture.
func (s *sensor) use() (number uint, news <-chan fprint.Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.number == 0:
		return 0, nil, driver.Errorf(driver.DeviceLost, "the sensor has gone").WithHint("plug the fingerprint sensor in again")
	case !s.images:
		return 0, nil, driver.Errorf(driver.FingerUnsupported, "the sensor compares prints on its own chip and gives no image").
			WithHint("a watchlist needs images: use a sensor that gives them (README of device/capture/driver/finger)")
	case s.news != nil:
		return 0, nil, driver.Errorf(driver.DeviceBusy, "the sensor is in use")
	}
	s.news = make(chan fprint.Event, backlog)
	return s.number, s.news, nil
}

func (s *sensor) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news = nil
}

// rejected is a touch that the sensor made no image of.
type rejected struct {
	advice driverv1.FingerAdvice
	hint   string
}

func (rejected) Error() string { return "the touch was rejected" }

var retries = map[int]rejected{
	fprint.RetryGeneral:  {driverv1.FingerAdvice_FINGER_ADVICE_LIFT, "lift the finger and lay it down again"},
	fprint.RetryTooShort: {driverv1.FingerAdvice_FINGER_ADVICE_HOLD_STILL, "leave the finger on the sensor longer"},
	fprint.RetryCenter:   {driverv1.FingerAdvice_FINGER_ADVICE_PARTIAL, "lay the middle of the finger on the sensor"},
	fprint.RetryRemove:   {driverv1.FingerAdvice_FINGER_ADVICE_LIFT, "lift the finger, then lay it down again"},
}

// touch waits for one touch. It returns when the library has done with it.
func (d *Driver) touch(stream stream, position driverv1.FingerPosition, number uint, news <-chan fprint.Event) (fprint.Event, error) {
	ctx := stream.Context()
	stop := context.AfterFunc(ctx, func() { d.library.Cancel(number) })
	defer stop()
	d.library.Capture(number)
	if ctx.Err() != nil { // the cancellation may have come before the capture
		d.library.Cancel(number)
	}
	var sent error
	for e := range news {
		switch e.Kind {
		case fprint.Finger:
			if sent == nil {
				if sent = stream.Send(feedback(position, e)); sent != nil {
					d.library.Cancel(number)
				}
			}
		case fprint.Image:
			return e, errors.Join(sent, usable(e))
		case fprint.Gone:
			return e, driver.Errorf(driver.DeviceLost, "the sensor was pulled out during the capture").
				WithHint("plug the fingerprint sensor in again, then take the finger anew")
		case fprint.Failed:
			if sent != nil {
				return e, sent
			}
			return e, d.failed(ctx, e)
		}
	}
	return fprint.Event{}, driver.Errorf(driver.DeviceFault, "no answer of the sensor")
}

func usable(e fprint.Event) error {
	if e.Width < 1 || e.Height < 1 || len(e.Pixels) != e.Width*e.Height {
		return driver.Errorf(driver.DeviceFault, "the sensor gave an image of %dx%d", e.Width, e.Height)
	}
	return nil
}

// failed gives the answer of the library the form of the contract.
func (d *Driver) failed(ctx context.Context, e fprint.Event) error {
	switch {
	case e.Reason == fprint.Canceled && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return driver.Errorf(driver.CaptureDeadline, "no finger in time")
	case e.Reason == fprint.Canceled && ctx.Err() != nil:
		return ctx.Err()
	case e.Reason == fprint.Retry:
		bad, ok := retries[e.Code]
		if !ok {
			bad = retries[fprint.RetryGeneral]
		}
		return &bad
	case e.Reason == fprint.DeviceError && e.Code == fprint.ErrorRemoved:
		return driver.Errorf(driver.DeviceLost, "the sensor has gone").WithHint("plug the fingerprint sensor in again")
	case e.Reason == fprint.DeviceError && e.Code == fprint.ErrorBusy:
		return driver.Errorf(driver.DeviceBusy, "the sensor is in use")
	}
	return driver.Errorf(driver.DeviceFault, "the sensor answers with an error of its own: %s", e.Text).
		WithHint("lift the finger and try again; if it stays, unplug the sensor and plug it in")
}

func feedback(position driverv1.FingerPosition, e fprint.Event) *driverv1.FingerCaptureResponse {
	advice := driverv1.FingerAdvice_FINGER_ADVICE_UNSPECIFIED
	switch {
	case e.Present && e.Needed:
		advice = driverv1.FingerAdvice_FINGER_ADVICE_HOLD_STILL
	case e.Present:
		advice = driverv1.FingerAdvice_FINGER_ADVICE_LIFT
	case e.Needed:
		advice = driverv1.FingerAdvice_FINGER_ADVICE_PLACE
	}
	out := &driverv1.FingerFeedback{Overall: advice, HandPresent: e.Present}
	if position <= driverv1.FingerPosition_FINGER_POSITION_LEFT_LITTLE { // of several the library does not know each
		out.Fingers = []*driverv1.FingerState{{Position: position, Advice: advice}}
	}
	return &driverv1.FingerCaptureResponse{Part: &driverv1.FingerCaptureResponse_Feedback{Feedback: out}}
}

func (s *sensor) result(request *driverv1.FingerCaptureRequest, e fprint.Event, tries uint32) *driverv1.FingerResult {
	s.mu.Lock()
	swipe := s.swipe
	s.mu.Unlock()
	impression := driverv1.ImpressionType_IMPRESSION_TYPE_LIVE_PLAIN
	if swipe {
		impression = driverv1.ImpressionType_IMPRESSION_TYPE_SWIPE
	}
	return &driverv1.FingerResult{
		Image: &driverv1.Image{Data: e.Pixels, Format: driverv1.PixelFormat_PIXEL_FORMAT_GREY8,
			Width: uint32(e.Width), Height: uint32(e.Height), Stride: uint32(e.Width), BitDepth: 8, DpiX: s.DPI, DpiY: s.DPI},
		Position: request.GetPosition(), MeetsDemand: true, Tries: tries, Time: driver.Now(),
		Exceptions: request.GetExceptions(), Impression: impression,
	}
}
