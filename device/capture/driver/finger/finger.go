// Package finger serves the FingerService of the driver contract with the image
// devices of libfprint: single fingers, whole images, no judgement of their
// quality (the daemon's extractor has that). Sensors and their resolution come
// from the configuration; one that compares on its own chip gives no image and
// is refused with finger.unsupported.
package finger

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/capture/driver/config"
	"github.com/watchpost/watchpost/device/capture/driver/finger/fprint"
	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// again is how often sensors that are not there are looked for.
const again = time.Second

// library is what the driver needs of package fprint.
type library interface {
	Events() <-chan fprint.Event
	Refresh(fresh bool)
	Capture(number uint)
	Cancel(number uint)
}

// Driver follows the configured sensors and serves captures. It is safe for
// concurrent use.
type Driver struct {
	driverv1.UnimplementedFingerServiceServer
	server  *driver.Server
	library library
	logger  *slog.Logger
	sensors []*sensor // fixed, in order of the configuration
}

// sensor is one of the configuration.
type sensor struct {
	config.Sensor

	mu      sync.Mutex
	number  uint              // guarded by mu: the library's, 0 = not there
	images  bool              // guarded by mu: it gives images
	swipe   bool              // guarded by mu
	present bool              // guarded by mu: a finger lies on it
	news    chan fprint.Event // guarded by mu: of the capture that runs, nil = none
}

// New registers the service with the server. Call Run to have sensors.
func New(server *driver.Server, library library, sensors []config.Sensor, logger *slog.Logger) *Driver {
	d := &Driver{server: server, library: library, logger: logger}
	for _, s := range sensors {
		d.sensors = append(d.sensors, &sensor{Sensor: s})
	}
	driverv1.RegisterFingerServiceServer(server, d)
	return d
}

// Run follows sensors until ctx ends.
func (d *Driver) Run(ctx context.Context) {
	d.library.Refresh(true)
	ticker := time.NewTicker(again)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if missing, virtual := d.missing(); missing {
				d.library.Refresh(virtual)
			}
		case e := <-d.library.Events():
			d.happened(ctx, e)
		}
	}
}

// missing says whether a configured sensor is not there, and whether one of
// those is virtual.
func (d *Driver) missing() (any, virtual bool) {
	for _, s := range d.sensors {
		s.mu.Lock()
		if s.number == 0 {
			any, virtual = true, virtual || s.Virtual()
		}
		s.mu.Unlock()
	}
	return any, virtual
}

func (d *Driver) happened(ctx context.Context, e fprint.Event) {
	switch e.Kind {
	case fprint.Found:
		d.found(ctx, e)
	case fprint.Unopened:
		d.logger.LogAttrs(ctx, slog.LevelDebug, "fingerprint sensor does not open",
			slog.String("driver", e.Driver), slog.String("error", e.Text))
	default:
		for _, s := range d.sensors {
			if s.is(e.Number) {
				d.news(s, e)
			}
		}
	}
}

func (s *sensor) is(number uint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.number == number
}

func (d *Driver) found(ctx context.Context, e fprint.Event) {
	for _, s := range d.sensors {
		if s.Driver != e.Driver {
			continue
		}
		s.mu.Lock()
		s.number, s.images, s.swipe, s.present = e.Number, e.Images, e.Swipe, false
		s.mu.Unlock()
		device := describe(s.Sensor, e)
		d.server.Attach(device)
		if !e.Images {
			d.server.SetState(s.ID, driverv1.DeviceState_DEVICE_STATE_FAULT, driver.FingerUnsupported)
			d.logger.LogAttrs(ctx, slog.LevelWarn, "fingerprint sensor gives no images", slog.String("device", s.ID))
		}
		return
	}
	d.logger.LogAttrs(ctx, slog.LevelInfo, "a fingerprint sensor that the configuration does not list is left alone",
		slog.String("driver", e.Driver))
}

// news passes on what happened at a sensor.
func (d *Driver) news(s *sensor, e fprint.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case fprint.Gone:
		s.number, s.present = 0, false
		d.server.Lost(s.ID)
	case fprint.Finger:
		if e.Present != s.present {
			s.present = e.Present
			kind := driverv1.EventKind_EVENT_KIND_FINGER_REMOVED
			if e.Present {
				kind = driverv1.EventKind_EVENT_KIND_FINGER_PRESENT
			}
			d.server.Emit(&driverv1.Event{Kind: kind, DeviceId: s.ID})
		}
	}
	if s.news == nil {
		return
	}
	// A capture that does not keep up loses feedback and never its answer: there
	// is one, and one Gone, and the room for both is kept free.
	if e.Kind != fprint.Finger || len(s.news) < cap(s.news)-2 {
		select {
		case s.news <- e:
		default:
		}
	}
}

// takes tells whether a sensor gives pictures of a position: single fingers, and
// several at once where the configuration says so.
func takes(s config.Sensor, p driverv1.FingerPosition) bool {
	single := p >= driverv1.FingerPosition_FINGER_POSITION_RIGHT_THUMB && p <= driverv1.FingerPosition_FINGER_POSITION_LEFT_LITTLE
	return single || s.Slaps && p >= driverv1.FingerPosition_FINGER_POSITION_RIGHT_FOUR && p <= driverv1.FingerPosition_FINGER_POSITION_TWO_THUMBS
}

// describe says what the sensor is. The library tells no serial number.
func describe(s config.Sensor, e fprint.Event) *driverv1.Device {
	device := &driverv1.Device{
		Id: s.ID, Kind: driverv1.DeviceKind_DEVICE_KIND_FINGER, Model: e.Name, Vendor: "libfprint " + s.Driver,
		Virtual: s.Virtual(),
		Finger:  &driverv1.FingerAbility{Dpi: s.DPI, AutoCapture: true},
	}
	for p := driverv1.FingerPosition_FINGER_POSITION_RIGHT_THUMB; p <= driverv1.FingerPosition_FINGER_POSITION_TWO_THUMBS; p++ {
		if takes(s, p) {
			device.Finger.Positions = append(device.Finger.Positions, p)
		}
	}
	return device
}
