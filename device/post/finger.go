package post

import (
	"context"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening/local"
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

// CaptureFinger implements encounter.FingerSensor.
func (s *sensor) CaptureFinger(ctx context.Context, position int, advice func(string)) (encounter.FingerTouch, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return encounter.FingerTouch{}, fault.Wrap("device.busy", ctx.Err())
	}
	var image capture.Print
	err := s.pulse.during(ctx, func(ctx context.Context) (err error) {
		if err := mayUse(ctx, s.devices, capture.KindFinger, "", s.virtual); err != nil {
			return err
		}
		image, err = s.devices.FingerCapture(ctx, capture.FingerOptions{
			Position: position, Advice: func(a capture.FingerAdvice) { advice(string(a)) },
		})
		return err
	})
	if err != nil {
		return encounter.FingerTouch{}, err
	}
	print := &finger.Image{Pix: image.Pix, Width: image.Width, Height: image.Height, DPI: image.DPI}
	t, err := s.extractor.Extract(print)
	if err != nil {
		return encounter.FingerTouch{}, err
	}
	record, err := finger.MarshalISO([]finger.View{{Template: t, Position: uint8(position)}})
	if err != nil {
		return encounter.FingerTouch{}, err
	}
	return encounter.FingerTouch{Template: t, Record: record, Image: print}, nil
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
