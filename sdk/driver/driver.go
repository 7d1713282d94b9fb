// Package driver is the kit for writing a device driver for Watchpost: a
// process of its own that serves the contract of sdk/proto/driver/v1 on a unix
// socket. The kit does what every driver must do alike (who may connect,
// handshake, deadlines, message limit, health, events, error form); the driver
// adds its devices and registers the services that it can serve:
//
//	server := driver.New(driver.Info{Name: "acme-finger", Vendor: "ACME", Version: "1.0"})
//	driverv1.RegisterFingerServiceServer(server, &sensor{server: server})
//	server.Attach(&driverv1.Device{Id: "acme-4711", Kind: driverv1.DeviceKind_DEVICE_KIND_FINGER})
//	listener, err := driver.Listen("/run/acme.sock")
//	...
//	err = server.Serve(ctx, listener)
//
// A driver is ready when the suite of drivertest passes against it.
//
// Compatibility: what is exported here keeps working within version 1 of the
// contract; additions come with new names.
package driver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sort"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

const (
	// MessageLimit is the size of the largest message either way, bytes.
	MessageLimit = 32 << 20
	// ContractMajor and ContractMinor number the contract of this kit.
	ContractMajor = 1
	ContractMinor = 0
	// ContractKey is the metadata key by which a client names its version.
	ContractKey = "watchpost-contract"
	// DefaultGrace is how long a call may outlive its deadline or its
	// cancellation before the process ends itself. Long enough for a frame of a
	// slow camera, short enough that nobody waits for it.
	DefaultGrace = 2 * time.Second
	// ExitHung is the exit status of a process that ended itself because a call
	// did not come back (EX_SOFTWARE of sysexits.h).
	ExitHung = 70
)

// Info names the driver.
type Info struct {
	Name    string
	Vendor  string
	Version string
}

// Server is one driver. Its methods are safe for concurrent use.
type Server struct {
	info   Info
	logger *slog.Logger
	grace  time.Duration
	hang   func(call string)

	grpc   *grpc.Server
	health *health.Server
	hub    hub

	mu      sync.Mutex
	devices map[string]*driverv1.Device // guarded by mu; values are never changed in place
}

// Option changes a Server before it starts.
type Option func(*Server)

// WithLogger sets the logger; none by default. The kit logs no personal data.
func WithLogger(logger *slog.Logger) Option {
	return func(s *Server) { s.logger = logger }
}

// WithWatchdog replaces what happens to a call that has not come back grace
// after its end. By default the process exits with ExitHung after DefaultGrace.
func WithWatchdog(grace time.Duration, hang func(call string)) Option {
	return func(s *Server) { s.grace, s.hang = grace, hang }
}

// New returns a server without devices. Register services on it, then Serve.
func New(info Info, options ...Option) *Server {
	s := &Server{
		info:    info,
		logger:  slog.New(slog.DiscardHandler),
		grace:   DefaultGrace,
		devices: map[string]*driverv1.Device{},
		health:  health.NewServer(),
	}
	s.hang = s.exit
	for _, option := range options {
		option(s)
	}
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(MessageLimit),
		grpc.MaxSendMsgSize(MessageLimit),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
		grpc.WaitForHandlers(true),
	)
	driverv1.RegisterDriverServiceServer(s.grpc, describer{server: s})
	healthv1.RegisterHealthServer(s.grpc, s.health)
	return s
}

// RegisterService makes Server a grpc.ServiceRegistrar, the argument of the
// generated Register functions. Only before Serve.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, implementation any) {
	s.grpc.RegisterService(desc, implementation)
}

// GRPC returns the server underneath, for code that wants that type.
func (s *Server) GRPC() *grpc.Server { return s.grpc }

// Attach adds a device or replaces what is known of it, and tells so. The
// server keeps a copy. A device without state counts as ready.
func (s *Server) Attach(device *driverv1.Device) {
	device = proto.CloneOf(device)
	if device.State == driverv1.DeviceState_DEVICE_STATE_UNSPECIFIED {
		device.State = driverv1.DeviceState_DEVICE_STATE_READY
	}
	s.change(device, driverv1.EventKind_EVENT_KIND_ATTACHED, "")
}

// SetState changes the state of a known device and tells so when it is news; a
// device that is not known is left alone. The code says why, empty = well.
func (s *Server) SetState(id string, state driverv1.DeviceState, code string) {
	device, err := s.Device(id)
	if err != nil && CodeOf(err) != DeviceLost || device == nil || device.State == state {
		return
	}
	device.State = state
	kind := driverv1.EventKind_EVENT_KIND_STATE
	if state == driverv1.DeviceState_DEVICE_STATE_LOST {
		kind = driverv1.EventKind_EVENT_KIND_LOST
	}
	s.change(device, kind, code)
}

// Lost says that a device has gone. It stays in the list, as lost.
func (s *Server) Lost(id string) {
	s.SetState(id, driverv1.DeviceState_DEVICE_STATE_LOST, DeviceLost)
}

func (s *Server) change(device *driverv1.Device, kind driverv1.EventKind, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[device.Id] = device
	s.hub.emit(&driverv1.Event{Kind: kind, DeviceId: device.Id, Device: device, Code: code, Time: Now()})
	if kind == driverv1.EventKind_EVENT_KIND_LOST {
		s.logger.Warn("device lost", "device", device.Id)
	}
}

// Emit tells all clients of an event: card, document, finger, button. It sets
// the time when there is none. Presence is remembered and told to clients that
// come later.
func (s *Server) Emit(event *driverv1.Event) {
	event = proto.CloneOf(event)
	if event.Time == nil {
		event.Time = Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hub.emit(event)
}

// Device returns a copy of what is known of a device: device.unknown when there
// is none of this id, device.lost (with the device) when it has gone.
func (s *Server) Device(id string) (*driverv1.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	device := s.devices[id]
	switch {
	case device == nil:
		return nil, Errorf(DeviceUnknown, "no such device")
	case device.State == driverv1.DeviceState_DEVICE_STATE_LOST:
		return proto.CloneOf(device), Errorf(DeviceLost, "device has gone").retry()
	}
	return proto.CloneOf(device), nil
}

// Devices returns copies of all devices, by id.
func (s *Server) Devices() []*driverv1.Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*driverv1.Device, 0, len(s.devices))
	for _, device := range s.devices {
		list = append(list, proto.CloneOf(device))
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Id < list[j].Id })
	return list
}

// Serve answers calls until ctx ends or the listener does. It then cancels what
// is running, waits for it (a call that hangs is the watchdog's) and returns:
// nil after ctx or the end of an inherited connection.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	s.health.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
	stop := context.AfterFunc(ctx, func() {
		s.health.Shutdown()
		released := s.watch(ctx, "shutdown")
		s.grpc.Stop()
		released()
	})
	defer stop()
	err := s.grpc.Serve(&ownUser{Listener: listener, open: map[net.Conn]struct{}{}})
	s.grpc.Stop()
	if ctx.Err() != nil || errors.Is(err, grpc.ErrServerStopped) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) exit(call string) {
	s.logger.Error("a call did not come back; ending", "call", call)
	os.Exit(ExitHung)
}
