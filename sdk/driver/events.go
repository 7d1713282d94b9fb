package driver

import (
	"context"
	"sort"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// backlog is how many events wait for a slow client before the oldest go.
const backlog = 256

// Now returns the time stamp of this moment.
func Now() *driverv1.Timestamp {
	var ts unix.Timespec
	stamp := &driverv1.Timestamp{UnixNs: time.Now().UnixNano()}
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err == nil {
		stamp.MonotonicNs = ts.Nano()
	}
	return stamp
}

// hub spreads events. It is guarded by the server's lock, so that state and
// events keep one order.
type hub struct {
	clients map[*client]struct{}
	present map[presence]*driverv1.Event
}

// presence is something that stays until it is removed.
type presence struct {
	device string
	kind   driverv1.EventKind // the PRESENT kind
}

var removals = map[driverv1.EventKind]driverv1.EventKind{
	driverv1.EventKind_EVENT_KIND_CARD_REMOVED:     driverv1.EventKind_EVENT_KIND_CARD_PRESENT,
	driverv1.EventKind_EVENT_KIND_DOCUMENT_REMOVED: driverv1.EventKind_EVENT_KIND_DOCUMENT_PRESENT,
	driverv1.EventKind_EVENT_KIND_FINGER_REMOVED:   driverv1.EventKind_EVENT_KIND_FINGER_PRESENT,
}

func (h *hub) emit(event *driverv1.Event) {
	if h.present == nil {
		h.present = map[presence]*driverv1.Event{}
	}
	switch event.Kind {
	case driverv1.EventKind_EVENT_KIND_CARD_PRESENT, driverv1.EventKind_EVENT_KIND_DOCUMENT_PRESENT,
		driverv1.EventKind_EVENT_KIND_FINGER_PRESENT:
		h.present[presence{event.DeviceId, event.Kind}] = event
	case driverv1.EventKind_EVENT_KIND_LOST:
		for _, kind := range removals {
			delete(h.present, presence{event.DeviceId, kind})
		}
	default:
		if kind, ok := removals[event.Kind]; ok {
			delete(h.present, presence{event.DeviceId, kind})
		}
	}
	for c := range h.clients {
		c.add(event)
	}
}

// subscribe returns a client that has the present state before it.
func (s *Server) subscribe(devices []string) *client {
	c := &client{news: make(chan struct{}, 1)}
	if len(devices) > 0 {
		c.only = map[string]bool{}
		for _, id := range devices {
			c.only[id] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.devices))
	for id := range s.devices {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		kind := driverv1.EventKind_EVENT_KIND_ATTACHED
		if s.devices[id].State == driverv1.DeviceState_DEVICE_STATE_LOST {
			kind = driverv1.EventKind_EVENT_KIND_LOST
		}
		c.add(&driverv1.Event{Kind: kind, DeviceId: id, Device: s.devices[id], Time: Now()})
	}
	for _, event := range s.hub.present {
		c.add(event)
	}
	c.add(&driverv1.Event{Kind: driverv1.EventKind_EVENT_KIND_SYNCED, Time: Now()})
	if s.hub.clients == nil {
		s.hub.clients = map[*client]struct{}{}
	}
	s.hub.clients[c] = struct{}{}
	return c
}

func (s *Server) unsubscribe(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hub.clients, c)
}

// client is one stream of events.
type client struct {
	only map[string]bool // nil = all devices
	news chan struct{}

	mu      sync.Mutex
	queue   []*driverv1.Event // guarded by mu
	dropped uint32            // guarded by mu
}

func (c *client) add(event *driverv1.Event) {
	if c.only != nil && event.DeviceId != "" && !c.only[event.DeviceId] {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == backlog {
		c.queue = c.queue[1:]
		c.dropped++
	}
	c.queue = append(c.queue, event)
	select {
	case c.news <- struct{}{}:
	default:
	}
}

func (c *client) take() (events []*driverv1.Event, dropped uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	events, dropped = c.queue, c.dropped
	c.queue, c.dropped = nil, 0
	return events, dropped
}

// describer serves DriverService from the server's state.
type describer struct {
	driverv1.UnimplementedDriverServiceServer
	server *Server
}

func (d describer) Describe(context.Context, *driverv1.DescribeRequest) (*driverv1.DescribeResponse, error) {
	s := d.server
	response := &driverv1.DescribeResponse{
		Name: s.info.Name, Vendor: s.info.Vendor, Version: s.info.Version,
		ContractMajor: ContractMajor, ContractMinor: ContractMinor,
		Devices: s.Devices(),
	}
	for name := range s.grpc.GetServiceInfo() {
		response.Services = append(response.Services, name)
	}
	sort.Strings(response.Services)
	return response, nil
}

func (d describer) Events(request *driverv1.EventsRequest, stream grpc.ServerStreamingServer[driverv1.Event]) error {
	c := d.server.subscribe(request.DeviceIds)
	defer d.server.unsubscribe(c)
	sequence := uint64(0)
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-c.news:
		}
		events, dropped := c.take()
		sequence += uint64(dropped)
		for i, event := range events {
			// Other streams send the same event under their own number.
			event = proto.CloneOf(event)
			sequence++
			event.Sequence = sequence
			if i == 0 {
				event.Dropped = dropped
			}
			if err := stream.Send(event); err != nil {
				return err
			}
		}
	}
}
