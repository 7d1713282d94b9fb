package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/finger"
	"github.com/watchpost/watchpost/sdk/driver"
	"github.com/watchpost/watchpost/sdk/driver/drivertest"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// sensors starts the real process with libfprint's virtual sensor and one that
// compares on its own chip.
func sensors(t *testing.T) (socket string, sensor finger.Sensor, folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "f")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	sensor = finger.Sensor{Socket: filepath.Join(folder, "s")}
	config := configure(t, fmt.Sprintf(`fingers:
- {id: prints, driver: virtual_image, dpi: 569, socket: %s/s}
- {id: chip, driver: virtual_device_storage, dpi: 500, socket: %[1]s/c}
smartcard: {off: true}
`, folder))
	socket = filepath.Join(t.TempDir(), "s")
	self(t, "devices", "--socket="+socket, "--config="+config)
	waitForSocket(t, socket)
	return socket, sensor, folder
}

// service waits until both sensors are there.
func service(t *testing.T, socket string) driverv1.FingerServiceClient {
	t.Helper()
	conn := waitForDevices(t, socket, "prints", "chip")
	return driverv1.NewFingerServiceClient(conn)
}

func waitForDevices(t *testing.T, socket string, ids ...string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(driver.MessageLimit)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := driverv1.NewDriverServiceClient(conn)
	events, err := client.Events(contract(t.Context()), &driverv1.EventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for len(ids) > 0 {
		event, err := events.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if event.GetKind() == driverv1.EventKind_EVENT_KIND_ATTACHED {
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == event.GetDeviceId() })
		}
	}
	return conn
}

func contract(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, driver.ContractKey, "1")
}

const thumb = driverv1.FingerPosition_FINGER_POSITION_RIGHT_THUMB

// touch runs one capture; play is called when the sensor asks for a finger,
// and again after each rejected touch.
func touch(t *testing.T, client driverv1.FingerServiceClient, tries uint32, limit time.Duration, play func(try int)) (*driverv1.FingerResult, []driverv1.FingerAdvice, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(contract(t.Context()), limit)
	defer cancel()
	stream, err := client.Capture(ctx, &driverv1.FingerCaptureRequest{DeviceId: "prints", Position: thumb, AutoCapture: true, Tries: tries})
	if err != nil {
		t.Fatal(err)
	}
	var said []driverv1.FingerAdvice
	try, asked := 0, false
	for {
		part, err := stream.Recv()
		if err != nil {
			return nil, said, err
		}
		switch {
		case part.GetResult() != nil:
			// The sensor is free at the end of the stream.
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				t.Errorf("after the result: %v", err)
			}
			return part.GetResult(), said, nil
		case part.GetTry() != nil:
			said = append(said, part.GetTry().GetAdvice())
			asked = false
		case part.GetFeedback().GetOverall() == driverv1.FingerAdvice_FINGER_ADVICE_PLACE && !asked:
			asked = true
			try++
			if play != nil {
				play(try)
			}
		}
	}
}

// TestFingerTouches: what a feeder lays down is what comes out, pixel by pixel,
// with the resolution of the configuration, from inside the sandbox.
func TestFingerTouches(t *testing.T) {
	socket, sensor, _ := sensors(t)
	client := service(t, socket)
	person := finger.NewPerson(5, finger.CacheDir())
	for n, kind := range finger.Touches() {
		print, err := person.Print(1, kind, uint64(n))
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := touch(t, client, 1, 30*time.Second, func(int) {
			if err := sensor.Lay(t.Context(), print); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		drivertest.CheckImage(t, got.GetImage())
		if got.GetImage().GetDpiX() != 569 || got.GetPosition() != thumb || string(got.GetImage().GetData()) != string(print.Pix) {
			t.Errorf("%s: %v dpi, %s, %d bytes", kind, got.GetImage().GetDpiX(), got.GetPosition(), len(got.GetImage().GetData()))
		}
	}
}

// TestFingerLifted: a finger that was laid down while nobody waited is gone when
// it is lifted: the next capture gets the finger that comes after it.
func TestFingerLifted(t *testing.T) {
	socket, sensor, _ := sensors(t)
	client := service(t, socket)
	person := finger.NewPerson(5, finger.CacheDir())
	early, err := person.Print(1, finger.Dry, 0)
	if err != nil {
		t.Fatal(err)
	}
	print, err := person.Print(1, finger.Good, 0)
	if err != nil {
		t.Fatal(err)
	}
	lifted := func() error {
		ctx, lift := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer lift()
		return sensor.Lay(ctx, early)
	}
	for range 3 {
		err := lifted()
		// On a machine that stood still the time may be over before the finger lay there.
		for deadline := time.Now().Add(30 * time.Second); errors.Is(err, finger.ErrNoSensor) && time.Now().Before(deadline); {
			err = lifted()
		}
		if !errors.Is(err, finger.ErrFeed) {
			t.Fatalf("nobody waits for it: %v", err)
		}
		got, _, err := touch(t, client, 1, 30*time.Second, func(int) {
			if err := sensor.Lay(t.Context(), print); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if string(got.GetImage().GetData()) != string(print.Pix) {
			t.Error("the capture took the finger that was lifted")
		}
	}
}

func TestFingerRejectedTouches(t *testing.T) {
	socket, sensor, _ := sensors(t)
	client := service(t, socket)
	print, err := finger.NewPerson(5, finger.CacheDir()).Print(1, finger.Good, 0)
	if err != nil {
		t.Fatal(err)
	}
	reject := []finger.Retry{finger.TooShort, finger.Centre, finger.Remove, finger.General}
	play := func(try int) {
		var err error
		if try <= len(reject) {
			err = sensor.Reject(t.Context(), reject[try-1])
		} else {
			err = sensor.Lay(t.Context(), print)
		}
		if err != nil {
			t.Error(err)
		}
	}
	got, said, err := touch(t, client, 5, 30*time.Second, play)
	want := []driverv1.FingerAdvice{driverv1.FingerAdvice_FINGER_ADVICE_HOLD_STILL, driverv1.FingerAdvice_FINGER_ADVICE_PARTIAL,
		driverv1.FingerAdvice_FINGER_ADVICE_LIFT, driverv1.FingerAdvice_FINGER_ADVICE_LIFT}
	if err != nil || fmt.Sprint(said) != fmt.Sprint(want) || got.GetTries() != 5 {
		t.Errorf("%v, %v, %v", got.GetTries(), said, err)
	}
	if _, said, err := touch(t, client, 1, 30*time.Second, func(int) {
		if err := sensor.Lay(t.Context(), image.NewGray(image.Rect(0, 0, 200, 200))); err != nil {
			t.Error(err)
		}
	}); driver.CodeOf(err) != driver.FingerQuality || len(said) != 1 {
		t.Errorf("a touch that leaves nothing: %v, %v", said, err)
	}
	if _, said, err := touch(t, client, 2, 30*time.Second, play); driver.CodeOf(err) != driver.FingerQuality || len(said) != 2 {
		t.Errorf("two bad touches of two: %v, %v", said, err)
	}
	if _, _, err := touch(t, client, 1, 30*time.Second, func(int) {
		if err := sensor.Fail(t.Context(), 5); err != nil {
			t.Error(err)
		}
	}); driver.CodeOf(err) != driver.DeviceFault {
		t.Errorf("an error of the sensor's own: %v", err)
	}
	if _, _, err := touch(t, client, 1, 30*time.Second, func(int) { play(99) }); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestFingerRefusals(t *testing.T) {
	socket, _, _ := sensors(t)
	client := service(t, socket)
	ask := func(r *driverv1.FingerCaptureRequest) error {
		ctx, cancel := context.WithTimeout(contract(t.Context()), 30*time.Second)
		defer cancel()
		stream, err := client.Capture(ctx, r)
		for err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	for name, test := range map[string]struct {
		request *driverv1.FingerCaptureRequest
		code    string
	}{
		"compares on its own chip": {&driverv1.FingerCaptureRequest{DeviceId: "chip", Position: thumb, AutoCapture: true}, driver.FingerUnsupported},
		"two sensors, none named":  {&driverv1.FingerCaptureRequest{Position: thumb, AutoCapture: true}, driver.DeviceUnknown},
		"no position":              {&driverv1.FingerCaptureRequest{DeviceId: "prints", AutoCapture: true}, driver.CallInvalid},
		"a slap":                   {&driverv1.FingerCaptureRequest{DeviceId: "prints", Position: driverv1.FingerPosition_FINGER_POSITION_LEFT_FOUR, AutoCapture: true}, driver.FingerUnsupported},
		"an unknown position":      {&driverv1.FingerCaptureRequest{DeviceId: "prints", Position: 77, AutoCapture: true}, driver.FingerUnsupported},
		"with a trigger":           {&driverv1.FingerCaptureRequest{DeviceId: "prints", Position: thumb}, driver.DeviceUnsupported},
		"a demand":                 {&driverv1.FingerCaptureRequest{DeviceId: "prints", Position: thumb, AutoCapture: true, MinQuality: 3}, driver.DeviceUnsupported},
		"endless tries":            {&driverv1.FingerCaptureRequest{DeviceId: "prints", Position: thumb, AutoCapture: true, Tries: 1 << 31}, driver.CallInvalid},
	} {
		err := ask(test.request)
		if driver.CodeOf(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
		if name == "compares on its own chip" && driver.FromStatus(err).Hint == "" {
			t.Errorf("%s: no word of what to do", name)
		}
	}
	nobodyComes(t, "nobody at the sensor", func(limit time.Duration) error {
		_, _, err := touch(t, client, 1, limit, nil)
		return err
	})
	// One at a time, and free again when the first has given up.
	first, cancel := context.WithCancel(contract(t.Context()))
	limited, stop := context.WithTimeout(first, 30*time.Second)
	defer stop()
	stream, err := client.Capture(limited, &driverv1.FingerCaptureRequest{DeviceId: "prints", Position: thumb, AutoCapture: true})
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(&driverv1.FingerCaptureRequest{DeviceId: "prints", Position: thumb, AutoCapture: true}); driver.CodeOf(err) != driver.DeviceBusy {
		t.Errorf("a second capture: %v", err)
	}
	cancel()
	nobodyComes(t, "after the first has given up", func(limit time.Duration) error {
		_, _, err := touch(t, client, 1, limit, nil)
		return err
	})
}

// nobodyComes captures with a limit until the driver says that nobody came in
// time. It has a tenth of a second to say so before our own deadline, which on a
// machine that stands still for longer is what we hear; then the sensor may still
// be busy with the capture that we have left.
func nobodyComes(t *testing.T, when string, try func(limit time.Duration) error) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := try(time.Second)
		code := driver.CodeOf(err)
		if code == "" {
			code = string(fault.CodeOf(err)) // of a call by package capture
		}
		if code == driver.CaptureDeadline {
			return
		}
		late := code == driver.CallDeadline || status.Code(err) == codes.DeadlineExceeded
		if !late && code != driver.DeviceBusy || time.Now().After(deadline) {
			t.Fatalf("%s: %v", when, err)
		}
	}
}

// TestFingerPulledOut: a capture that runs is told, and the sensor works again
// once it is back.
func TestFingerPulledOut(t *testing.T) {
	socket, sensor, folder := sensors(t)
	client := service(t, socket)
	_, _, err := touch(t, client, 1, 30*time.Second, func(int) {
		pullOut(t, folder)
	})
	if driver.CodeOf(err) != driver.DeviceLost {
		t.Fatalf("pulled out during a capture: %v", err)
	}
	if _, _, err := touch(t, client, 1, 30*time.Second, nil); driver.CodeOf(err) != driver.DeviceLost {
		t.Errorf("while it is out: %v", err)
	}
	if err := os.Rename(folder+".away", folder); err != nil {
		t.Fatal(err)
	}
	print, err := finger.NewPerson(5, finger.CacheDir()).Print(1, finger.Good, 0)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		_, _, err = touch(t, client, 1, 30*time.Second, func(int) {
			if err := sensor.Lay(t.Context(), print); err != nil {
				t.Error(err)
			}
		})
		if driver.CodeOf(err) != driver.DeviceLost || time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("back again: %v", err)
	}
}

// pullOut takes the virtual sensor away, and its folder with it: one that can
// listen would be back at once.
func pullOut(t testing.TB, folder string) {
	t.Helper()
	if err := errors.Join(os.Rename(folder, folder+".away"), finger.Sensor{Socket: folder + ".away/s"}.Unplug(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestFingerContract runs the suite of every driver against the sensor.
func TestFingerContract(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "f")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	config := configure(t, fmt.Sprintf("fingers:\n- {id: prints, driver: virtual_image, dpi: 500, socket: %s/s}\nsmartcard: {off: true}\n", folder))
	socket := filepath.Join(t.TempDir(), "s")
	self(t, "devices", "--socket="+socket, "--config="+config)
	waitForSocket(t, socket)
	client := driverv1.NewFingerServiceClient(waitForDevices(t, socket, "prints"))
	drivertest.Run(t, drivertest.Target{
		Dial: func(t testing.TB) net.Conn {
			conn, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			return conn
		},
		// The virtual sensor listens to its feeder only while a capture waits.
		Unplug: func(tb testing.TB, _ *driverv1.Device) {
			if _, _, err := touch(t, client, 1, 30*time.Second, func(int) { pullOut(tb, folder) }); driver.CodeOf(err) != driver.DeviceLost {
				tb.Fatalf("the capture that was under way: %v", err)
			}
		},
		Replug: func(t testing.TB, _ *driverv1.Device) {
			if err := os.Rename(folder+".away", folder); err != nil {
				t.Fatal(err)
			}
		},
	})
}
