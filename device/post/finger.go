package post

import (
	"context"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/tenprint"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening/local"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// sensor takes fingers through the capture process and makes their templates
// here, where no C is: a print is an image whose form is checked on the way.
type sensor struct {
	devices *capture.Client
	pulse   *pulse
	virtual bool // emulations may be used
	// turn lets one officer at a time use the sensor; who waits is not told
	// that it is busy.
	turn      chan struct{}
	extractor *finger.Extractor // of whose turn it is
}

func newSensor(devices *capture.Client, pulse *pulse, virtual bool) *sensor {
	return &sensor{devices: devices, pulse: pulse, virtual: virtual, turn: make(chan struct{}, 1), extractor: finger.NewExtractor()}
}

// Slaps implements encounter.FingerSensor. A sensor that is not there now may be
// there when it is asked.
func (s *sensor) Slaps(ctx context.Context) bool {
	id, err := s.pick(ctx, int(driverv1.FingerPosition_FINGER_POSITION_RIGHT_FOUR))
	return err == nil && id != ""
}

// pick returns the first sensor that takes a position, one that works before one
// that does not; "" where none does.
func (s *sensor) pick(ctx context.Context, position int) (id string, err error) {
	devices, err := s.devices.Devices(ctx)
	if err != nil {
		return "", err
	}
	for _, d := range devices {
		if d.Kind == capture.KindFinger && slices.Contains(d.Detail.GetFinger().GetPositions(), driverv1.FingerPosition(position)) {
			if d.Ready {
				return d.ID, nil
			}
			if id == "" {
				id = d.ID
			}
		}
	}
	return id, nil
}

// CaptureFinger implements encounter.FingerSensor.
func (s *sensor) CaptureFinger(ctx context.Context, ask tenprint.Ask, advice func(string)) (*tenprint.Touch, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, fault.Wrap("device.busy", ctx.Err())
	}
	var image capture.Print
	err := s.pulse.during(ctx, func(ctx context.Context) (err error) {
		// Where none takes it, the process says why.
		id, err := s.pick(ctx, ask.Code)
		if err != nil {
			return err
		}
		if err := mayUse(ctx, s.devices, capture.KindFinger, id, s.virtual); err != nil {
			return err
		}
		gone := map[int]string{}
		for p, why := range ask.Gone {
			gone[p] = string(why)
		}
		image, err = s.devices.FingerCapture(ctx, capture.FingerOptions{
			Sensor: id, Position: ask.Code, Gone: gone, Advice: func(a capture.FingerAdvice) { advice(string(a)) },
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return tenprint.Read(s.extractor, &finger.Image{Pix: image.Pix, Width: image.Width, Height: image.Height, DPI: image.DPI}, ask)
}

// prints reads the prints of a record that one of the lists in force holds.
func prints(lists []*local.List, list, record string) ([]finger.View, error) {
	for _, l := range lists {
		if l.Manifest().List == list {
			return l.Prints(record)
		}
	}
	return nil, encounter.ErrNoPicture // of a source that is not here
}

// prints returns a record's prints of whatever list is in force.
func (p *Post) prints(list, record string) (views []finger.View, err error) {
	p.lists.Use(func(all []*local.List) { views, err = prints(all, list, record) })
	return views, err
}
