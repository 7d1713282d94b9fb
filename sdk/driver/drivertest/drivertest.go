// Package drivertest is the one suite that every driver of the contract has to
// pass, virtual or real: what the kit promises, and what a driver must keep by
// itself. It speaks to the driver as Watchpost does and knows nothing of its
// inside; tests of abilities that a driver does not announce are skipped in so
// many words.
//
//	func TestContract(t *testing.T) {
//		drivertest.Run(t, drivertest.Target{Dial: func(t testing.TB) net.Conn { ... }})
//	}
package drivertest

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// Target is the driver under test.
type Target struct {
	// Dial connects to the running driver. One connection is used throughout.
	Dial func(t testing.TB) net.Conn
	// Unplug takes a device away and Replug brings it back; nil = cannot be done
	// on this bench.
	Unplug, Replug func(t testing.TB, device *driverv1.Device)
	// InsertCard and RemoveCard put a card on a reader and take it off; nil =
	// cannot be done on this bench. A card is expected to be off at the start.
	InsertCard, RemoveCard func(t testing.TB, device *driverv1.Device)
}

const (
	soon = 2 * time.Second  // an answer that needs no device, a stream's end after it is cancelled
	slow = 15 * time.Second // a device that starts
)

// suite is one run against one driver.
type suite struct {
	target Target
	conn   *grpc.ClientConn
	driver driverv1.DriverServiceClient
	about  *driverv1.DescribeResponse
}

// Run runs the suite as subtests of t.
func Run(t *testing.T, target Target) {
	var used bool
	conn, err := grpc.NewClient("passthrough:///driver",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used {
				return nil, net.ErrClosed
			}
			used = true
			return target.Dial(t), nil
		}),
		grpc.WithInitialWindowSize(64<<10), grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(driver.MessageLimit)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &suite{target: target, conn: conn, driver: driverv1.NewDriverServiceClient(conn)}
	s.about, err = s.driver.Describe(within(t, slow), &driverv1.DescribeRequest{})
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	t.Run("describe", s.describe)
	t.Run("health", s.health)
	t.Run("version", s.version)
	t.Run("deadline needed", s.deadlineNeeded)
	t.Run("events", s.events)
	t.Run("unknown device", s.unknownDevice)
	t.Run("camera", s.camera)
	t.Run("smartcard", s.smartcard)
	t.Run("finger", s.finger)
	t.Run("page", s.page)
	t.Run("unplug", s.unplug)
}

// within returns a context of our version of the contract.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), driver.ContractKey, "1"), d)
	t.Cleanup(cancel)
	return ctx
}

// wantCode fails unless err carries the code in the contract's form.
func wantCode(t testing.TB, what string, err error, code string) {
	t.Helper()
	if got := driver.CodeOf(err); got != code {
		t.Errorf("%s: %v (code %q), want %s", what, err, got, code)
		return
	}
	if want := driver.Codes()[code]; status.Code(err) != want {
		t.Errorf("%s: status %s for %s, want %s", what, status.Code(err), code, want)
	}
}

// told asks until the driver's word comes before our own deadline: it has a
// tenth of a second for that, and a machine that stands still for longer takes it.
// The driver may then still be busy with the call that we have left.
func told(ask func() error) (err error) {
	left := false
	for until := time.Now().Add(slow); time.Now().Before(until); {
		err = ask()
		late := driver.FromStatus(err) == nil && status.Code(err) == codes.DeadlineExceeded
		if left = left || late; !late && !(left && driver.CodeOf(err) == driver.DeviceBusy) {
			return err
		}
	}
	return err
}

func (s *suite) devices(kind driverv1.DeviceKind) []*driverv1.Device {
	var list []*driverv1.Device
	for _, d := range s.about.GetDevices() {
		if d.GetKind() == kind && d.GetState() != driverv1.DeviceState_DEVICE_STATE_LOST {
			list = append(list, d)
		}
	}
	return list
}

// first returns the first device of a kind or skips.
func (s *suite) first(t *testing.T, kind driverv1.DeviceKind) *driverv1.Device {
	t.Helper()
	list := s.devices(kind)
	if len(list) == 0 {
		t.Skipf("SKIPPED: the driver holds no device of kind %s", kind)
	}
	return list[0]
}

func (s *suite) serves(name string) bool {
	return slices.Contains(s.about.GetServices(), "watchpost.driver.v1."+name)
}

func (s *suite) describe(t *testing.T) {
	if s.about.GetName() == "" || s.about.GetVersion() == "" || s.about.GetContractMajor() != driver.ContractMajor {
		t.Errorf("driver %q, version %q, contract %d", s.about.GetName(), s.about.GetVersion(), s.about.GetContractMajor())
	}
	again, err := s.driver.Describe(within(t, soon), &driverv1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(s.about, again) {
		t.Error("a second Describe differs although nothing was done")
	}
	service := map[driverv1.DeviceKind]string{
		driverv1.DeviceKind_DEVICE_KIND_CAMERA: "CameraService", driverv1.DeviceKind_DEVICE_KIND_FINGER: "FingerService",
		driverv1.DeviceKind_DEVICE_KIND_SMARTCARD: "SmartcardService", driverv1.DeviceKind_DEVICE_KIND_PAGE: "PageReaderService",
	}
	seen := map[string]bool{}
	for _, d := range s.about.GetDevices() {
		if d.GetId() == "" || seen[d.GetId()] {
			t.Errorf("device ID %q is empty or not unique", d.GetId())
		}
		seen[d.GetId()] = true
		if d.GetKind() == driverv1.DeviceKind_DEVICE_KIND_UNSPECIFIED || d.GetState() == driverv1.DeviceState_DEVICE_STATE_UNSPECIFIED {
			t.Errorf("device %s: kind %s, state %s", d.GetId(), d.GetKind(), d.GetState())
		}
		if name := service[d.GetKind()]; name != "" && !s.serves(name) {
			t.Errorf("device %s of kind %s without %s", d.GetId(), d.GetKind(), name)
		}
		abilities := map[driverv1.DeviceKind]bool{
			driverv1.DeviceKind_DEVICE_KIND_CAMERA: d.GetCamera() != nil, driverv1.DeviceKind_DEVICE_KIND_FINGER: d.GetFinger() != nil,
			driverv1.DeviceKind_DEVICE_KIND_SMARTCARD: d.GetSmartcard() != nil, driverv1.DeviceKind_DEVICE_KIND_PAGE: d.GetPage() != nil,
		}
		for kind, has := range abilities {
			if has != (kind == d.GetKind()) {
				t.Errorf("device %s of kind %s: abilities of %s: %v", d.GetId(), d.GetKind(), kind, has)
			}
		}
	}
}

func (s *suite) health(t *testing.T) {
	answer, err := healthv1.NewHealthClient(s.conn).Check(within(t, soon), &healthv1.HealthCheckRequest{})
	if err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", answer.GetStatus(), err)
	}
}

func (s *suite) version(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"another major version": metadata.AppendToOutgoingContext(context.Background(), driver.ContractKey, "2"),
		"no version":            context.Background(),
		"two versions":          metadata.AppendToOutgoingContext(context.Background(), driver.ContractKey, "1", driver.ContractKey, "2"),
	} {
		ctx, cancel := context.WithTimeout(ctx, soon)
		_, err := s.driver.Describe(ctx, &driverv1.DescribeRequest{})
		cancel()
		wantCode(t, name, err, driver.ContractVersion)
	}
}

func (s *suite) deadlineNeeded(t *testing.T) {
	ctx := metadata.AppendToOutgoingContext(context.Background(), driver.ContractKey, "1")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := s.driver.Describe(ctx, &driverv1.DescribeRequest{})
	wantCode(t, "Describe", err, driver.CallNoDeadline)
	if s.serves("CameraService") {
		stream, err := driverv1.NewCameraServiceClient(s.conn).Capture(ctx, &driverv1.CameraCaptureRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		wantCode(t, "camera capture", err, driver.CallNoDeadline)
	}
	if s.serves("FingerService") {
		stream, err := driverv1.NewFingerServiceClient(s.conn).Capture(ctx, &driverv1.FingerCaptureRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		wantCode(t, "finger capture", err, driver.CallNoDeadline)
	}
	if s.serves("PageReaderService") {
		stream, err := driverv1.NewPageReaderServiceClient(s.conn).Capture(ctx, &driverv1.PageCaptureRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		wantCode(t, "page capture", err, driver.CallNoDeadline)
	}
}

// watch opens an event stream and returns its next event.
func (s *suite) watch(t *testing.T, ctx context.Context) func() *driverv1.Event {
	t.Helper()
	stream, err := s.driver.Events(ctx, &driverv1.EventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	last := uint64(0)
	return func() *driverv1.Event {
		t.Helper()
		event, err := stream.Recv()
		if err != nil {
			t.Fatalf("events: %v", err)
		}
		if event.GetSequence() != last+1+uint64(event.GetDropped()) {
			t.Errorf("event %d after %d with %d dropped", event.GetSequence(), last, event.GetDropped())
		}
		last = event.GetSequence()
		if event.GetTime().GetUnixNs() == 0 || event.GetTime().GetMonotonicNs() == 0 {
			t.Error("an event without time")
		}
		return event
	}
}

func (s *suite) events(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t, slow))
	defer cancel()
	next := s.watch(t, ctx)
	told := map[string]bool{}
	for {
		event := next()
		if event.GetKind() == driverv1.EventKind_EVENT_KIND_SYNCED {
			break
		}
		if event.GetDevice() != nil {
			told[event.GetDeviceId()] = true
		}
	}
	for _, d := range s.about.GetDevices() {
		if !told[d.GetId()] {
			t.Errorf("the present state leaves device %s out", d.GetId())
		}
	}
	stream, err := s.driver.Events(ctx, &driverv1.EventsRequest{DeviceIds: []string{"no such device"}})
	if err != nil {
		t.Fatal(err)
	}
	if event, err := stream.Recv(); err != nil || event.GetKind() != driverv1.EventKind_EVENT_KIND_SYNCED {
		t.Errorf("events of no device begin with %v, %v", event.GetKind(), err)
	}
}

func (s *suite) unknownDevice(t *testing.T) {
	// An empty driver may say that it has nothing of the kind at all.
	check := func(what string, err error, none string, kind driverv1.DeviceKind) {
		t.Helper()
		if len(s.devices(kind)) == 0 && driver.CodeOf(err) == none {
			return
		}
		wantCode(t, what, err, driver.DeviceUnknown)
	}
	const id = "no such device"
	ctx := within(t, slow)
	if s.serves("CameraService") {
		camera := driverv1.NewCameraServiceClient(s.conn)
		preview, err := camera.Preview(ctx, &driverv1.PreviewRequest{DeviceId: id})
		if err == nil {
			_, err = preview.Recv()
		}
		check("preview", err, driver.CameraNone, driverv1.DeviceKind_DEVICE_KIND_CAMERA)
		capture, err := camera.Capture(ctx, &driverv1.CameraCaptureRequest{DeviceId: id})
		if err == nil {
			_, err = capture.Recv()
		}
		check("camera capture", err, driver.CameraNone, driverv1.DeviceKind_DEVICE_KIND_CAMERA)
	}
	if s.serves("SmartcardService") {
		_, err := s.open(ctx, id, 0)
		check("channel", err, driver.ReaderNone, driverv1.DeviceKind_DEVICE_KIND_SMARTCARD)
	}
	if s.serves("FingerService") {
		stream, err := driverv1.NewFingerServiceClient(s.conn).Capture(ctx, &driverv1.FingerCaptureRequest{DeviceId: id})
		if err == nil {
			_, err = stream.Recv()
		}
		wantCode(t, "finger capture", err, driver.DeviceUnknown)
	}
	if s.serves("PageReaderService") {
		stream, err := driverv1.NewPageReaderServiceClient(s.conn).Capture(ctx, &driverv1.PageCaptureRequest{DeviceId: id})
		if err == nil {
			_, err = stream.Recv()
		}
		check("page capture", err, driver.PageNone, driverv1.DeviceKind_DEVICE_KIND_PAGE)
	}
}

func (s *suite) unplug(t *testing.T) {
	if s.target.Unplug == nil {
		t.Skip("SKIPPED: this bench cannot unplug a device")
	}
	for _, d := range s.about.GetDevices() {
		if d.GetState() == driverv1.DeviceState_DEVICE_STATE_LOST {
			continue
		}
		t.Run(strings.ReplaceAll(d.GetId(), "/", "_"), func(t *testing.T) { s.unplugOne(t, d) })
	}
}

func (s *suite) unplugOne(t *testing.T, device *driverv1.Device) {
	ctx, cancel := context.WithCancel(within(t, 2*slow))
	defer cancel()
	next := s.watch(t, ctx)
	until := func(kind driverv1.EventKind) {
		t.Helper()
		for {
			if event := next(); event.GetKind() == kind && (event.GetDeviceId() == device.GetId() || kind == driverv1.EventKind_EVENT_KIND_SYNCED) {
				return
			}
		}
	}
	until(driverv1.EventKind_EVENT_KIND_SYNCED)
	s.target.Unplug(t, device)
	until(driverv1.EventKind_EVENT_KIND_LOST)
	about, err := s.driver.Describe(ctx, &driverv1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range about.GetDevices() {
		if d.GetId() == device.GetId() && d.GetState() != driverv1.DeviceState_DEVICE_STATE_LOST {
			t.Errorf("after unplugging its state is %s", d.GetState())
		}
	}
	switch device.GetKind() {
	case driverv1.DeviceKind_DEVICE_KIND_CAMERA:
		stream, err := driverv1.NewCameraServiceClient(s.conn).Capture(ctx, &driverv1.CameraCaptureRequest{DeviceId: device.GetId()})
		if err == nil {
			_, err = stream.Recv()
		}
		wantCode(t, "capture from a lost camera", err, driver.DeviceLost)
	case driverv1.DeviceKind_DEVICE_KIND_SMARTCARD:
		_, err := s.open(ctx, device.GetId(), 0)
		if driver.CodeOf(err) != driver.ReaderNone { // its service went with it
			wantCode(t, "channel to a lost reader", err, driver.DeviceLost)
		}
	case driverv1.DeviceKind_DEVICE_KIND_FINGER:
		stream, err := driverv1.NewFingerServiceClient(s.conn).Capture(ctx, &driverv1.FingerCaptureRequest{DeviceId: device.GetId(), Position: s.position(device)})
		if err == nil {
			_, err = stream.Recv()
		}
		wantCode(t, "capture from a lost sensor", err, driver.DeviceLost)
	}
	if s.target.Replug == nil {
		t.Skip("SKIPPED the return: this bench cannot plug the device in again")
	}
	s.target.Replug(t, device)
	until(driverv1.EventKind_EVENT_KIND_ATTACHED)
}
