package post

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/web"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// Pace of finding the capture process again after it was lost.
const (
	redialFirst = 200 * time.Millisecond
	redialLast  = 5 * time.Second
)

// watchDevices forwards what happens to devices into the events of the post,
// and finds the capture process again when it was lost, until ctx ends.
func (p *Post) watchDevices(ctx context.Context) {
	known := make(map[string]encounter.DeviceData) // last said of each
	wait := redialFirst
	for ctx.Err() == nil {
		var synced bool
		err := p.pulse.during(ctx, func(ctx context.Context) (err error) {
			synced, err = p.followDevices(ctx, known)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		if synced {
			wait = redialFirst
		}
		// Without the process every device is gone, whatever it said before.
		for _, id := range slices.Sorted(maps.Keys(known)) {
			lost := known[id]
			lost.State, lost.Code = "lost", string(fault.CodeOf(err))
			p.sayDevice(known, lost)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, redialLast)
	}
}

// followDevices forwards events until the process is lost; synced tells
// whether it had said how its devices are.
func (p *Post) followDevices(ctx context.Context, known map[string]encounter.DeviceData) (synced bool, err error) {
	for e, err := range p.devices.Events(ctx) {
		if err != nil {
			return synced, err
		}
		switch {
		case e.Kind == capture.Synced:
			synced = true
		case e.Device != nil:
			info := deviceInfo(*e.Device)
			p.sayDevice(known, encounter.DeviceData{ID: info.ID, Kind: info.Kind, State: info.State, Code: e.Code})
		case e.Kind == capture.CardPresent, e.Kind == capture.CardRemoved, e.Kind == capture.Health:
			d, ok := known[e.DeviceID]
			if !ok {
				continue
			}
			if d.Code = e.Code; e.Kind != capture.Health {
				d.Code = map[capture.EventKind]string{capture.CardPresent: "card.present", capture.CardRemoved: "card.removed"}[e.Kind]
			}
			p.sayDevice(known, d)
		}
	}
	return synced, nil
}

// sayDevice makes an event of a device whose state is another than before.
func (p *Post) sayDevice(known map[string]encounter.DeviceData, d encounter.DeviceData) {
	if known[d.ID] == d {
		return
	}
	known[d.ID] = d
	if err := p.events.Add(p.now(), "", encounter.EventDevice, d); err != nil {
		p.log.Error("event not sent", "kind", string(encounter.EventDevice), "code", string(fault.CodeOf(err)))
	}
}

// deviceInfo is a device for the page.
func deviceInfo(d capture.Device) web.DeviceInfo {
	kinds := map[capture.Kind]string{capture.KindCamera: "camera", capture.KindSmartcard: "reader", capture.KindFinger: "finger", capture.KindPage: "page"}
	kind, ok := kinds[d.Kind]
	if !ok {
		kind = "other"
	}
	state := "ready"
	switch {
	case d.Lost:
		state = "lost"
	case !d.Ready && d.Detail.GetState() != driverv1.DeviceState_DEVICE_STATE_BUSY:
		state = "unknown" // at fault or still warming up; one at work is ready for the page
	}
	return web.DeviceInfo{ID: d.ID, Kind: kind, Name: d.Model, State: state}
}
