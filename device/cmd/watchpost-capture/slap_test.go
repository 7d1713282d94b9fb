package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	enginefinger "github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/biometric/tenprint"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/finger"
	"github.com/watchpost/watchpost/hwtest/gen/slaps"
	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// scanner starts the real process with libfprint's virtual sensor, large enough
// for a hand.
func scanner(t *testing.T) (socket string, sensor finger.Sensor, folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "f")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	config := configure(t, fmt.Sprintf("fingers:\n- {id: hands, driver: virtual_image, dpi: %d, slaps: true, socket: %s/s}\nsmartcard: {off: true}\n", slaps.DPI, folder))
	socket = filepath.Join(t.TempDir(), "s")
	self(t, "devices", "--socket="+socket, "--config="+config)
	waitForSocket(t, socket)
	waitForDevices(t, socket, "hands")
	return socket, finger.Sensor{Socket: filepath.Join(folder, "s")}, folder
}

func dial(t *testing.T, socket string) *capture.Client {
	t.Helper()
	client, err := capture.Dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func handOf(t *testing.T, code int, lay finger.Lay) *image.Gray {
	t.Helper()
	g, err := finger.NewPerson(5, finger.CacheDir()).Slap(code, lay, 0)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// takeHand captures one position; play is called when the scanner asks.
func takeHand(t *testing.T, client *capture.Client, ask tenprint.Ask, limit time.Duration, play func() error) (capture.Print, []capture.FingerAdvice, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	gone := map[int]string{}
	for p, why := range ask.Gone {
		gone[p] = string(why)
	}
	var said []capture.FingerAdvice
	print, err := client.FingerCapture(ctx, capture.FingerOptions{Position: ask.Code, Gone: gone, Advice: func(a capture.FingerAdvice) {
		said = append(said, a)
		if a == "place" && play != nil {
			if err := play(); err != nil {
				t.Error(err)
			}
			play = nil
		}
	}})
	return print, said, err
}

// TestSlapPicture: the picture of a hand comes out as it was laid down, pixel by
// pixel, from inside the sandbox; the device says that it takes hands.
func TestSlapPicture(t *testing.T) {
	socket, sensor, _ := scanner(t)
	client := dial(t, socket)
	devices, err := client.Devices(t.Context())
	if err != nil || len(devices) != 1 {
		t.Fatalf("%v, %v", devices, err)
	}
	positions := devices[0].Detail.GetFinger().GetPositions()
	for p := driverv1.FingerPosition(0); p < 20; p++ {
		if want := p >= 1 && p <= 10 || p >= 13 && p <= 15; slices.Contains(positions, p) != want {
			t.Errorf("position %d: it says %v", p, !want)
		}
	}
	if dpi := devices[0].Detail.GetFinger().GetDpi(); dpi != slaps.DPI {
		t.Errorf("%v dpi", dpi)
	}
	for _, lay := range []finger.Lay{finger.Whole, finger.Turned} {
		g := handOf(t, 13, lay)
		begun := time.Now()
		print, said, err := takeHand(t, client, tenprint.Ask{Code: 13}, time.Minute, func() error { return sensor.Lay(t.Context(), g) })
		if err != nil || print.Width != slaps.Width || print.Height != slaps.Height || print.DPI != slaps.DPI || string(print.Pix) != string(g.Pix) {
			t.Errorf("%s: %dx%d at %v, %v", lay, print.Width, print.Height, print.DPI, err)
		}
		if !slices.Contains(said, "place") || !slices.Contains(said, "hold_still") {
			t.Errorf("%s: said %v", lay, said)
		}
		t.Logf("%s: %d x %d pixels in %v", lay, print.Width, print.Height, time.Since(begun).Round(time.Millisecond))
	}
}

func TestSlapRefusals(t *testing.T) {
	socket, sensor, folder := scanner(t)
	client := dial(t, socket)
	for _, position := range []int{11, 12, 16, 77} {
		if _, _, err := takeHand(t, client, tenprint.Ask{Code: position}, time.Minute, nil); fault.CodeOf(err) != driver.FingerUnsupported {
			t.Errorf("position %d: %v", position, err)
		}
	}
	service := driverv1.NewFingerServiceClient(waitForDevices(t, socket, "hands"))
	const left = driverv1.FingerPosition_FINGER_POSITION_LEFT_FOUR
	for name, test := range map[string]struct {
		request *driverv1.FingerCaptureRequest
		code    string
	}{
		"parted by the sensor": {&driverv1.FingerCaptureRequest{Position: left, AutoCapture: true, Segment: true}, driver.DeviceUnsupported},
		"a demand":             {&driverv1.FingerCaptureRequest{Position: left, AutoCapture: true, MinQuality: 1}, driver.DeviceUnsupported},
		"with a trigger":       {&driverv1.FingerCaptureRequest{Position: left}, driver.DeviceUnsupported},
		"another sensor":       {&driverv1.FingerCaptureRequest{DeviceId: "feet", Position: left, AutoCapture: true}, driver.DeviceUnknown},
	} {
		ctx, cancel := context.WithTimeout(contract(t.Context()), time.Minute)
		stream, err := service.Capture(ctx, test.request)
		for err == nil {
			_, err = stream.Recv()
		}
		cancel()
		if driver.CodeOf(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	bare := image.NewGray(image.Rect(0, 0, slaps.Width, slaps.Height))
	for i := range bare.Pix {
		bare.Pix[i] = 240
	}
	for name, test := range map[string]struct {
		play func() error
		code fault.Code
	}{
		"nothing on it": {func() error { return sensor.Lay(t.Context(), bare) }, driver.FingerQuality},
		"lifted early":  {func() error { return sensor.Reject(t.Context(), finger.TooShort) }, driver.FingerQuality},
		"its own fault": {func() error { return sensor.Fail(t.Context(), 5) }, driver.DeviceFault},
	} {
		if _, _, err := takeHand(t, client, tenprint.Ask{Code: 14}, time.Minute, test.play); fault.CodeOf(err) != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	nobodyComes(t, "nobody lays a hand down", func(limit time.Duration) error {
		_, _, err := takeHand(t, client, tenprint.Ask{Code: 14}, limit, nil)
		return err
	})
	pull := func() error {
		pullOut(t, folder)
		return nil
	}
	if _, _, err := takeHand(t, client, tenprint.Ask{Code: 14}, time.Minute, pull); fault.CodeOf(err) != driver.DeviceLost {
		t.Errorf("pulled out: %v", err)
	}
}

// TestSlapSession goes the whole way: what lies on libfprint's virtual sensor, the
// capture process, the contract, the daemon's client, segmentation, the session.
func TestSlapSession(t *testing.T) {
	socket, sensor, _ := scanner(t)
	client := dial(t, socket)
	session, err := tenprint.New(tenprint.Plan(true), nil)
	if err != nil {
		t.Fatal(err)
	}
	extractor := enginefinger.NewExtractor()
	// take has the scanner ask for a code and the person lay something else, or the
	// same, down.
	take := func(code, laid int, lay finger.Lay) tenprint.Standing {
		t.Helper()
		ask, err := session.Begin(code)
		if err != nil {
			t.Fatal(err)
		}
		g := handOf(t, laid, lay)
		print, _, err := takeHand(t, client, ask, time.Minute, func() error { return sensor.Lay(t.Context(), g) })
		if err != nil {
			t.Fatal(err)
		}
		touch, err := tenprint.Read(extractor, &enginefinger.Image{Pix: print.Pix, Width: print.Width, Height: print.Height, DPI: print.DPI}, ask)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := session.Take(code, touch); err != nil {
			t.Fatal(err)
		}
		return session.Standing(code)
	}
	for _, c := range []struct {
		name       string
		code, laid int
		lay        finger.Lay
		state      tenprint.State
		found      fault.Code // what the try is
		prints     int
	}{
		{"the right hand for the left", 14, 13, finger.Whole, tenprint.Open, slap.WrongHand, 0},
		{"a finger stays off", 13, 13, finger.Lacking, tenprint.Open, slap.TooFew, 0},
		{"one finger at two places", 13, 13, finger.Twice, tenprint.Open, tenprint.Duplicate, 0},
		{"the right hand", 13, 13, finger.Whole, tenprint.Taken, "", 4},
		{"the right hand's fingers lie as the left", 14, 14, finger.Posing, tenprint.Open, tenprint.Duplicate, 4},
		{"the right hand's fingers for the thumbs", 15, 13, finger.Whole, tenprint.Open, tenprint.Duplicate, 4},
		{"and once more the right hand", 14, 13, finger.Turned, tenprint.Failed, slap.WrongHand, 4},
	} {
		got := take(c.code, c.laid, c.lay)
		var found fault.Code
		if got.Last != nil {
			found = fault.CodeOf(got.Last)
		}
		if got.State != c.state || found != c.found || len(session.Prints()) != c.prints {
			t.Errorf("%s: %+v, %s, %d prints", c.name, got, found, len(session.Prints()))
		}
	}
	if _, err := session.Begin(14); !errors.Is(err, tenprint.ErrNoTries) {
		t.Errorf("a fourth try: %v", err)
	}
	// A finger that was excepted is not waited for; one hand in one word.
	again, err := tenprint.New(tenprint.Plan(true), map[int]tenprint.Reason{4: tenprint.Bandaged})
	if err != nil {
		t.Fatal(err)
	}
	session = again
	if got := take(13, 13, finger.Lacking); got.State != tenprint.Taken || len(session.Prints()) != 3 {
		t.Errorf("the ring finger is bandaged: %+v", got)
	}
	if _, has := session.Prints()[4]; has {
		t.Error("the ring finger was taken all the same")
	}
}
