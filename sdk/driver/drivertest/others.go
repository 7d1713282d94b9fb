package drivertest

import (
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// position returns one that the sensor can capture.
func (s *suite) position(device *driverv1.Device) driverv1.FingerPosition {
	if all := device.GetFinger().GetPositions(); len(all) > 0 {
		return all[0]
	}
	return driverv1.FingerPosition_FINGER_POSITION_RIGHT_INDEX
}

// finger needs nobody at the sensor: it asks for what cannot be had.
func (s *suite) finger(t *testing.T) {
	device := s.first(t, driverv1.DeviceKind_DEVICE_KIND_FINGER)
	client := driverv1.NewFingerServiceClient(s.conn)
	if device.GetFinger().GetDpi() <= 0 || len(device.GetFinger().GetPositions()) == 0 {
		t.Errorf("%v dpi, positions %v", device.GetFinger().GetDpi(), device.GetFinger().GetPositions())
	}
	ask := func(position driverv1.FingerPosition, limit time.Duration) error {
		stream, err := client.Capture(within(t, limit), &driverv1.FingerCaptureRequest{DeviceId: device.GetId(), Position: position, AutoCapture: true})
		for err == nil {
			var part *driverv1.FingerCaptureResponse
			if part, err = stream.Recv(); part.GetResult() != nil {
				CheckImage(t, part.GetResult().GetImage())
				t.Skip("SKIPPED: a finger lies on the sensor")
			}
		}
		return err
	}
	for _, position := range []driverv1.FingerPosition{
		driverv1.FingerPosition_FINGER_POSITION_RIGHT_INDEX, driverv1.FingerPosition_FINGER_POSITION_RIGHT_FOUR,
		driverv1.FingerPosition_FINGER_POSITION_TWO_THUMBS,
	} {
		if !slices.Contains(device.GetFinger().GetPositions(), position) {
			wantCode(t, position.String(), ask(position, slow), driver.FingerUnsupported)
		}
	}
	wantCode(t, "no position", ask(driverv1.FingerPosition_FINGER_POSITION_UNSPECIFIED, slow), driver.CallInvalid)
	err := told(func() error { return ask(s.position(device), time.Second) })
	if driver.CodeOf(err) != driver.CallDeadline {
		wantCode(t, "nobody at the sensor", err, driver.CaptureDeadline)
	}
}

// page needs nothing on the glass.
func (s *suite) page(t *testing.T) {
	device := s.first(t, driverv1.DeviceKind_DEVICE_KIND_PAGE)
	if len(device.GetPage().GetLights()) == 0 || device.GetPage().GetDpi() <= 0 {
		t.Errorf("lights %v, %v dpi", device.GetPage().GetLights(), device.GetPage().GetDpi())
	}
	err := told(func() error {
		stream, err := driverv1.NewPageReaderServiceClient(s.conn).Capture(within(t, time.Second), &driverv1.PageCaptureRequest{DeviceId: device.GetId()})
		for err == nil {
			var part *driverv1.PageCaptureResponse
			if part, err = stream.Recv(); part.GetEnd() != nil {
				t.Skip("SKIPPED: a document lies on the glass")
			}
		}
		return err
	})
	if driver.CodeOf(err) != driver.CallDeadline {
		wantCode(t, "empty glass", err, driver.DocumentNone)
	}
}
