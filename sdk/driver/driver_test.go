package driver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// strangerEnv makes the test program connect to a socket, as another user.
const strangerEnv = "WATCHPOST_DRIVER_STRANGER"

func TestMain(m *testing.M) {
	if path := os.Getenv(strangerEnv); path != "" {
		os.Exit(stranger(path))
	}
	os.Exit(m.Run())
}

// stranger exits 0 when the connection is closed without a byte.
func stranger(path string) int {
	conn, err := net.Dial("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		fmt.Fprintln(os.Stderr, n, err)
		return 2
	}
	return 0
}

// stuck is a camera whose library does not come back until it is let go.
type stuck struct {
	driverv1.UnimplementedCameraServiceServer
	free    chan struct{}
	reached chan struct{} // told by Release and Preview; of two places
}

func (s stuck) Release(context.Context, *driverv1.ReleaseRequest) (*driverv1.ReleaseResponse, error) {
	select {
	case s.reached <- struct{}{}:
	default:
	}
	<-s.free
	return &driverv1.ReleaseResponse{}, nil
}

func (s stuck) Preview(*driverv1.PreviewRequest, grpc.ServerStreamingServer[driverv1.Frame]) error {
	s.reached <- struct{}{}
	<-s.free
	return nil
}

func (s stuck) Capture(_ *driverv1.CameraCaptureRequest, stream grpc.ServerStreamingServer[driverv1.CameraCaptureResponse]) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

type running struct {
	server *driver.Server
	conn   *grpc.ClientConn
	served chan error
	stop   context.CancelFunc
}

// serve runs a server on one end of a socket pair.
func serve(t *testing.T, prepare func(*driver.Server), options ...driver.Option) *running {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := driver.Inherited(uintptr(fds[0]))
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fds[1]), "client")
	ours, err := net.FileConn(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{server: driver.New(driver.Info{Name: "test", Version: "1"}, options...), served: make(chan error, 1)}
	if prepare != nil {
		prepare(r.server)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.served <- r.server.Serve(ctx, listener) }()
	used := false
	r.conn, err = grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used {
				return nil, net.ErrClosed
			}
			used = true
			return ours, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		r.conn.Close()
	})
	return r
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), driver.ContractKey, "1"), d)
	t.Cleanup(cancel)
	return ctx
}

func TestHungCallsEndTheProcess(t *testing.T) {
	for name, call := range map[string]func(t *testing.T, client driverv1.CameraServiceClient, reached <-chan struct{}){
		driverv1.CameraService_Release_FullMethodName: func(t *testing.T, client driverv1.CameraServiceClient, reached <-chan struct{}) {
			// With more time where the machine stood still until its deadline.
			for patience := time.Second; patience <= time.Minute; patience *= 2 {
				_, err := client.Release(within(t, patience), &driverv1.ReleaseRequest{})
				if status.Code(err) != codes.DeadlineExceeded {
					t.Errorf("a hung call: %v", err)
				}
				select {
				case <-reached:
					return
				default:
				}
			}
			t.Error("the call does not come")
		},
		driverv1.CameraService_Preview_FullMethodName: func(t *testing.T, client driverv1.CameraServiceClient, reached <-chan struct{}) {
			ctx, cancel := context.WithCancel(within(t, time.Minute))
			stream, err := client.Preview(ctx, &driverv1.PreviewRequest{})
			if err != nil {
				t.Fatal(err)
			}
			<-reached
			cancel()
			if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
				t.Errorf("a cancelled stream: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			hung := make(chan string, 4)
			free, reached := make(chan struct{}), make(chan struct{}, 2)
			r := serve(t, func(s *driver.Server) { driverv1.RegisterCameraServiceServer(s, stuck{free: free, reached: reached}) },
				driver.WithWatchdog(50*time.Millisecond, func(call string) { hung <- call }))
			call(t, driverv1.NewCameraServiceClient(r.conn), reached)
			select {
			case got := <-hung:
				if got != name {
					t.Errorf("the watchdog bit %s", got)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the watchdog sleeps")
			}
			close(free)
		})
	}
}

func TestWatchdogLeavesObedientCallsAlone(t *testing.T) {
	const grace = 500 * time.Millisecond
	hung := make(chan string, 4)
	r := serve(t, func(s *driver.Server) { driverv1.RegisterCameraServiceServer(s, stuck{}) },
		driver.WithWatchdog(grace, func(call string) { hung <- call }))
	client := driverv1.NewCameraServiceClient(r.conn)
	// The coded answer has a margin of 100 ms to arrive in; a machine that stands
	// still just then is asked again.
	var err error
	for range 10 {
		var stream grpc.ServerStreamingClient[driverv1.CameraCaptureResponse]
		stream, err = client.Capture(within(t, time.Second), &driverv1.CameraCaptureRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if driver.CodeOf(err) == driver.CallDeadline {
			break
		}
	}
	if driver.CodeOf(err) != driver.CallDeadline {
		t.Errorf("a call that minds its deadline: %v; its coded answer must arrive before the deadline", err)
	}
	r.stop()
	if err := <-r.served; err != nil {
		t.Errorf("serve: %v", err)
	}
	select {
	case call := <-hung:
		t.Errorf("the watchdog bit %s", call)
	case <-time.After(2 * grace):
	}
}

// TestServeEndsBesideASilentClient: one that has connected and says nothing
// must not hold the process up.
func TestServeEndsBesideASilentClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := driver.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	server := driver.New(driver.Info{}, driver.WithWatchdog(5*time.Second, func(call string) { t.Errorf("the watchdog bit %s", call) }))
	go func() { served <- server.Serve(ctx, listener) }()
	silent, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := silent.Read(make([]byte, 1)); err != nil { // the server's settings: it is being served
		t.Fatal(err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestServeEndsWithItsConnection(t *testing.T) {
	r := serve(t, nil)
	if _, err := driverv1.NewDriverServiceClient(r.conn).Describe(within(t, time.Minute), &driverv1.DescribeRequest{}); err != nil {
		t.Fatal(err)
	}
	r.conn.Close()
	select {
	case err := <-r.served:
		if err != nil {
			t.Errorf("serve: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server outlives its only connection")
	}
}

func TestMessageLimit(t *testing.T) {
	// Reading 32 MiB under the race detector outlasts the default grace.
	r := serve(t, nil, driver.WithWatchdog(time.Minute, func(call string) { t.Errorf("the watchdog bit %s", call) }))
	client := driverv1.NewDriverServiceClient(r.conn)
	const near = driver.MessageLimit - 1<<10
	if _, err := client.Events(within(t, time.Minute), &driverv1.EventsRequest{DeviceIds: []string{string(make([]byte, near))}}); err != nil {
		t.Errorf("a message within the limit: %v", err)
	}
	stream, err := client.Events(within(t, time.Minute), &driverv1.EventsRequest{DeviceIds: []string{string(make([]byte, driver.MessageLimit))}})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message over the limit: %v", err)
	}
}

func TestSlowClientLosesOldestEvents(t *testing.T) {
	r := serve(t, func(s *driver.Server) {
		s.Attach(&driverv1.Device{Id: "reader", Kind: driverv1.DeviceKind_DEVICE_KIND_SMARTCARD})
	})
	stream, err := driverv1.NewDriverServiceClient(r.conn).Events(within(t, time.Minute), &driverv1.EventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	const events = 60_000 // far more than fits into any window on the way
	for i := range events {
		kind := driverv1.EventKind_EVENT_KIND_BUTTON
		if i == events-1 {
			kind = driverv1.EventKind_EVENT_KIND_CARD_PRESENT
		}
		r.server.Emit(&driverv1.Event{Kind: kind, DeviceId: "reader", Atr: make([]byte, 33)})
	}
	dropped, sequence := uint64(0), uint64(1)
	for {
		event, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		dropped += uint64(event.GetDropped())
		if event.GetSequence() != sequence+1+uint64(event.GetDropped()) {
			t.Fatalf("event %d after %d, %d dropped", event.GetSequence(), sequence, event.GetDropped())
		}
		sequence = event.GetSequence()
		if event.GetKind() == driverv1.EventKind_EVENT_KIND_CARD_PRESENT {
			break
		}
	}
	if dropped == 0 {
		t.Error("nothing was dropped: the queue of a slow client grows without bound")
	}
	late, err := driverv1.NewDriverServiceClient(r.conn).Events(within(t, time.Minute), &driverv1.EventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []driverv1.EventKind
	for range 3 {
		event, err := late.Recv()
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, event.GetKind())
	}
	if kinds[0] != driverv1.EventKind_EVENT_KIND_ATTACHED || kinds[1] != driverv1.EventKind_EVENT_KIND_CARD_PRESENT || kinds[2] != driverv1.EventKind_EVENT_KIND_SYNCED {
		t.Errorf("a client that comes later is told %v", kinds)
	}
}

func TestStatesAreToldOnce(t *testing.T) {
	r := serve(t, func(s *driver.Server) {
		s.Attach(&driverv1.Device{Id: "cam", Kind: driverv1.DeviceKind_DEVICE_KIND_CAMERA})
	})
	r.server.Lost("cam")
	r.server.Lost("cam")
	r.server.Lost("another")
	if _, err := r.server.Device("cam"); driver.CodeOf(err) != driver.DeviceLost {
		t.Errorf("a lost device: %v", err)
	}
	if _, err := r.server.Device("another"); driver.CodeOf(err) != driver.DeviceUnknown {
		t.Errorf("a device that never was: %v", err)
	}
	if all := r.server.Devices(); len(all) != 1 {
		t.Errorf("%d devices", len(all))
	}
}

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := driver.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info, err)
	}
	if _, err := driver.Listen(path); driver.CodeOf(err) != driver.DeviceBusy {
		t.Errorf("a path that is served: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as a killed process leaves it
	first.Close()
	again, err := driver.Listen(path)
	if err != nil {
		t.Fatalf("a path left behind: %v", err)
	}
	again.Close()
	if _, err := driver.Listen(filepath.Join(path, "no such folder", "s")); err == nil {
		t.Error("listening nowhere succeeds")
	}
}

func TestInheritedRefusals(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if _, err := driver.Inherited(uintptr(fd)); err == nil {
		t.Error("a file is taken for a connection")
	}
	if _, err := driver.Inherited(1 << 20); err == nil {
		t.Error("a descriptor that is not open is taken for a connection")
	}
}

func TestOtherUsersAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can take another user's place")
	}
	dir, err := os.MkdirTemp("/tmp", "watchpost-driver") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program, path := filepath.Join(dir, "stranger"), filepath.Join(dir, "s")
	for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(program, self, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	listener, err := driver.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	// The file's own protection is taken away: what is tested is the check of
	// the peer.
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	server := driver.New(driver.Info{})
	go func() { served <- server.Serve(ctx, listener) }()
	cmd := exec.Command(program)
	cmd.Dir = dir
	cmd.Env = []string{strangerEnv + "=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("another user: %v: %s", err, out)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestErrorsKeepTheirForm(t *testing.T) {
	for code, want := range driver.Codes() {
		err := status.Convert(driver.Errorf(code, "text").WithHint("hint")).Err()
		got := driver.FromStatus(err)
		if got == nil || got.Code != code || got.Text != "text" || got.Hint != "hint" || got.Retryable || status.Code(err) != want {
			t.Errorf("%s came back as %v (%s)", code, got, status.Code(err))
		}
	}
	if driver.CodeOf(errors.New("plain")) != "" || driver.CodeOf(nil) != "" || driver.CodeOf(status.Error(codes.Internal, "x")) != "" {
		t.Error("an error without code has one")
	}
}

func TestNewest(t *testing.T) {
	var n driver.Newest[int]
	ctx, cancel := context.WithCancel(t.Context())
	n.Put(1)
	n.Put(2)
	value, version, err := n.Next(ctx, 0)
	if err != nil || value != 2 {
		t.Fatalf("%d, %v: not the newest", value, err)
	}
	got := make(chan int, 1)
	go func() {
		value, _, _ := n.Next(ctx, version)
		got <- value
	}()
	n.Put(3)
	if value := <-got; value != 3 {
		t.Errorf("waited for 3, got %d", value)
	}
	cancel()
	if _, _, err := n.Next(ctx, version+1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	end := errors.New("end")
	n.End(end)
	n.End(errors.New("later"))
	if _, _, err := n.Next(t.Context(), 0); !errors.Is(err, end) {
		t.Errorf("ended: %v", err)
	}
}
