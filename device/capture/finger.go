package capture

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/watchpost/watchpost/device/fault"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// FingerOptions describe a capture of one finger or of a slap.
type FingerOptions struct {
	Sensor   string // device ID, "" = the only one
	Position int    // ISO/IEC 19794-4:2011, table 5: 1 to 10 a finger, 13 to 15 a slap
	// Gone are the fingers of a slap that will not be there, and why: missing,
	// bandaged, unable or refused.
	Gone map[int]string
	// Advice is told what the person has to do, as it changes; nil = nobody is.
	Advice func(FingerAdvice)
}

// FingerAdvice is the driver's word for what to do: place, lift, hold_still,
// partial and so on.
type FingerAdvice string

var fingerAdvices = map[driverv1.FingerAdvice]FingerAdvice{
	driverv1.FingerAdvice_FINGER_ADVICE_GOOD:         "good",
	driverv1.FingerAdvice_FINGER_ADVICE_PLACE:        "place",
	driverv1.FingerAdvice_FINGER_ADVICE_LIFT:         "lift",
	driverv1.FingerAdvice_FINGER_ADVICE_PRESS_MORE:   "press_more",
	driverv1.FingerAdvice_FINGER_ADVICE_PRESS_LESS:   "press_less",
	driverv1.FingerAdvice_FINGER_ADVICE_MOVE_LEFT:    "move_left",
	driverv1.FingerAdvice_FINGER_ADVICE_MOVE_RIGHT:   "move_right",
	driverv1.FingerAdvice_FINGER_ADVICE_MOVE_UP:      "move_up",
	driverv1.FingerAdvice_FINGER_ADVICE_MOVE_DOWN:    "move_down",
	driverv1.FingerAdvice_FINGER_ADVICE_ROTATE:       "rotate",
	driverv1.FingerAdvice_FINGER_ADVICE_HOLD_STILL:   "hold_still",
	driverv1.FingerAdvice_FINGER_ADVICE_TOO_DRY:      "too_dry",
	driverv1.FingerAdvice_FINGER_ADVICE_TOO_WET:      "too_wet",
	driverv1.FingerAdvice_FINGER_ADVICE_DIRTY_SENSOR: "dirty_sensor",
	driverv1.FingerAdvice_FINGER_ADVICE_WRONG_HAND:   "wrong_hand",
	driverv1.FingerAdvice_FINGER_ADVICE_WRONG_COUNT:  "wrong_count",
	driverv1.FingerAdvice_FINGER_ADVICE_SWIPE_SLOWER: "swipe_slower",
	driverv1.FingerAdvice_FINGER_ADVICE_PARTIAL:      "partial",
}

var fingerReasons = map[string]driverv1.FingerExceptionReason{
	"missing":  driverv1.FingerExceptionReason_FINGER_EXCEPTION_REASON_MISSING,
	"bandaged": driverv1.FingerExceptionReason_FINGER_EXCEPTION_REASON_BANDAGED,
	"unable":   driverv1.FingerExceptionReason_FINGER_EXCEPTION_REASON_UNABLE,
	"refused":  driverv1.FingerExceptionReason_FINGER_EXCEPTION_REASON_REFUSED,
}

// Print is the image of a finger or a slap: 8-bit grey, dark ridges, rows from
// the top without gaps. It is personal data and the receiver's.
type Print struct {
	Pix           []byte
	Width, Height int
	DPI           float64
	Tries         int // touches used
}

// LogValue keeps prints out of logs.
func (Print) LogValue() slog.Value { return slog.StringValue("print (redacted)") }

// String keeps prints out of the fmt verbs.
func (Print) String() string { return "print (redacted)" }

// FingerCapture waits for one touch of the sensor, of a finger or a hand, until ctx's deadline.
// Errors: finger.quality for a touch that the sensor rejected, finger.unsupported
// for a sensor without images, capture.deadline, device.lost, device.busy,
// device.unknown, capture.lost.
func (c *Client) FingerCapture(ctx context.Context, o FingerOptions) (Print, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := &driverv1.FingerCaptureRequest{
		DeviceId: o.Sensor, Position: driverv1.FingerPosition(o.Position), AutoCapture: true, Tries: 1,
	}
	for _, position := range slices.Sorted(maps.Keys(o.Gone)) {
		request.Exceptions = append(request.Exceptions, &driverv1.FingerException{
			Position: driverv1.FingerPosition(position), Reason: fingerReasons[o.Gone[position]]})
	}
	stream, err := c.finger.Capture(ctx, request)
	if err != nil {
		return Print{}, fail(err)
	}
	tell := func(a driverv1.FingerAdvice) {
		if word, ok := fingerAdvices[a]; ok && o.Advice != nil {
			o.Advice(word)
		}
	}
	for {
		part, err := stream.Recv()
		if err != nil {
			return Print{}, fail(err)
		}
		switch {
		case part.GetFeedback() != nil:
			tell(part.GetFeedback().GetOverall())
		case part.GetTry() != nil:
			tell(part.GetTry().GetAdvice())
		case part.GetResult() != nil:
			if int(part.GetResult().GetPosition()) != o.Position {
				return Print{}, fault.New(ErrAnswer.Code, "another finger than asked for")
			}
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				return Print{}, fault.New(ErrAnswer.Code, "more after the end of a capture")
			}
			return printOf(part.GetResult())
		}
	}
}

// printOf takes a driver's image over, if it is one.
func printOf(r *driverv1.FingerResult) (Print, error) {
	m := r.GetImage()
	w, h, stride := int(m.GetWidth()), int(m.GetHeight()), int(m.GetStride())
	if m.GetFormat() != driverv1.PixelFormat_PIXEL_FORMAT_GREY8 || w < 1 || h < 1 || w > maxImageSide || h > maxImageSide ||
		stride < w || len(m.GetData()) < stride*(h-1)+w {
		return Print{}, fault.New(ErrAnswer.Code, "a print of %dx%d in %d bytes", w, h, len(m.GetData()))
	}
	if m.GetDpiX() != m.GetDpiY() || !(m.GetDpiX() > 0) {
		return Print{}, fault.New(ErrAnswer.Code, "a print of %v by %v dpi", m.GetDpiX(), m.GetDpiY())
	}
	out := Print{Width: w, Height: h, DPI: m.GetDpiX(), Tries: int(r.GetTries())}
	if stride == w {
		out.Pix = m.GetData()[:w*h]
		return out, nil
	}
	for y := range h {
		out.Pix = append(out.Pix, m.GetData()[y*stride:][:w]...)
	}
	return out, nil
}
