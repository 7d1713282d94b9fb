package capture

import (
	"context"
	"iter"
	"time"

	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// Kind of a device.
type Kind string

// Kinds of device.
const (
	KindCamera    Kind = "camera"
	KindFinger    Kind = "finger"
	KindSmartcard Kind = "smartcard"
	KindPage      Kind = "page"
	KindOther     Kind = "other" // one that this version does not know
)

// Device is what a process says of one of its devices.
type Device struct {
	ID      string // stable over restarts and unplugging
	Kind    Kind
	Vendor  string
	Model   string
	Serial  string
	Ready   bool // works and is free
	Lost    bool // was there and has gone
	Virtual bool // a recording or an emulation: a post in service refuses it
	// Detail is all that the contract holds of it.
	Detail *driverv1.Device
}

var kinds = map[driverv1.DeviceKind]Kind{
	driverv1.DeviceKind_DEVICE_KIND_CAMERA:    KindCamera,
	driverv1.DeviceKind_DEVICE_KIND_FINGER:    KindFinger,
	driverv1.DeviceKind_DEVICE_KIND_SMARTCARD: KindSmartcard,
	driverv1.DeviceKind_DEVICE_KIND_PAGE:      KindPage,
}

func deviceOf(d *driverv1.Device) Device {
	kind, ok := kinds[d.GetKind()]
	if !ok {
		kind = KindOther
	}
	return Device{
		ID: d.GetId(), Kind: kind, Vendor: d.GetVendor(), Model: d.GetModel(), Serial: d.GetSerial(),
		Ready:   d.GetState() == driverv1.DeviceState_DEVICE_STATE_READY,
		Lost:    d.GetState() == driverv1.DeviceState_DEVICE_STATE_LOST,
		Virtual: d.GetVirtual(), Detail: d,
	}
}

// Devices lists the process's devices by ID, lost ones among them.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	answer, err := c.driver.Describe(ctx, &driverv1.DescribeRequest{})
	if err != nil {
		return nil, fail(err)
	}
	devices := make([]Device, 0, len(answer.GetDevices()))
	for _, d := range answer.GetDevices() {
		devices = append(devices, deviceOf(d))
	}
	return devices, nil
}

// Readers lists the chip readers that are there. An empty list is no error;
// OpenChip then says reader.none and why.
func (c *Client) Readers(ctx context.Context) ([]Device, error) {
	devices, err := c.Devices(ctx)
	if err != nil {
		return nil, err
	}
	var readers []Device
	for _, d := range devices {
		if d.Kind == KindSmartcard && !d.Lost {
			readers = append(readers, d)
		}
	}
	return readers, nil
}

// EventKind says what happened.
type EventKind string

// Kinds of event.
const (
	Attached        EventKind = "attached"
	DeviceLost      EventKind = "lost"
	StateChanged    EventKind = "state"
	Synced          EventKind = "synced" // the present state has been told
	CardPresent     EventKind = "card-present"
	CardRemoved     EventKind = "card-removed"
	DocumentPresent EventKind = "document-present"
	DocumentRemoved EventKind = "document-removed"
	FingerPresent   EventKind = "finger-present"
	FingerRemoved   EventKind = "finger-removed"
	Health          EventKind = "health"
	Button          EventKind = "button"
	OtherEvent      EventKind = "other"
)

var eventKinds = map[driverv1.EventKind]EventKind{
	driverv1.EventKind_EVENT_KIND_ATTACHED:         Attached,
	driverv1.EventKind_EVENT_KIND_LOST:             DeviceLost,
	driverv1.EventKind_EVENT_KIND_STATE:            StateChanged,
	driverv1.EventKind_EVENT_KIND_SYNCED:           Synced,
	driverv1.EventKind_EVENT_KIND_CARD_PRESENT:     CardPresent,
	driverv1.EventKind_EVENT_KIND_CARD_REMOVED:     CardRemoved,
	driverv1.EventKind_EVENT_KIND_DOCUMENT_PRESENT: DocumentPresent,
	driverv1.EventKind_EVENT_KIND_DOCUMENT_REMOVED: DocumentRemoved,
	driverv1.EventKind_EVENT_KIND_FINGER_PRESENT:   FingerPresent,
	driverv1.EventKind_EVENT_KIND_FINGER_REMOVED:   FingerRemoved,
	driverv1.EventKind_EVENT_KIND_HEALTH:           Health,
	driverv1.EventKind_EVENT_KIND_BUTTON:           Button,
}

// Event is news of a device.
type Event struct {
	Kind     EventKind
	DeviceID string
	Device   *Device // with Attached, DeviceLost, StateChanged
	Time     time.Time
	Code     string // with Health and DeviceLost: why
	Dropped  int    // events lost before this one, as the caller was too slow
}

// Events yields the present state, Synced, and then what happens, until the
// loop is left, ctx ends or the process is lost; the last pair carries the
// error.
func (c *Client) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.driver.Events(ctx, &driverv1.EventsRequest{})
		if err != nil {
			yield(Event{}, fail(err))
			return
		}
		for {
			e, err := stream.Recv()
			if err != nil {
				yield(Event{}, fail(err))
				return
			}
			kind, ok := eventKinds[e.GetKind()]
			if !ok {
				kind = OtherEvent
			}
			event := Event{Kind: kind, DeviceID: e.GetDeviceId(), Time: time.Unix(0, e.GetTime().GetUnixNs()),
				Code: e.GetCode(), Dropped: int(e.GetDropped())}
			if e.GetDevice() != nil {
				d := deviceOf(e.GetDevice())
				event.Device = &d
			}
			if !yield(event, nil) {
				return
			}
		}
	}
}
