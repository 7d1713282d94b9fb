package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/sdk/driver/drivertest"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// film writes n pictures of noise about a mean into a folder.
func film(t *testing.T, n int, mean uint8) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "film")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	noise := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range n {
		picture := image.NewRGBA(image.Rect(0, 0, 320, 240))
		for y := range 240 {
			for x := range 320 {
				v := mean
				if mean > 20 {
					v += uint8(noise.IntN(16))
				}
				picture.Set(x, y, color.RGBA{v, v, v, 255})
			}
		}
		file, err := os.Create(filepath.Join(dir, fmt.Sprintf("%03d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(file, picture), file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestContract runs the suite that every driver has to pass against the real
// process with real parts: OpenCV, libpcsclite, pcscd, and virtual chips.
func TestContract(t *testing.T) {
	b := startBench(t)
	dir := film(t, 8, 100)
	config := configure(t, fmt.Sprintf("cameras:\n- {id: cam, kind: images, path: %s, fps: 60, loop: true}\n", dir))
	path := filepath.Join(t.TempDir(), "s")
	self(t, "devices", "--socket="+path, "--config="+config)
	waitForSocket(t, path)
	slot := func(d *driverv1.Device) int {
		for i := range bench.Slots {
			if d.GetModel() == b.ReaderName(i) {
				return i
			}
		}
		t.Fatalf("no slot of reader %q", d.GetModel())
		return -1
	}
	must := func(t testing.TB, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	away := dir + ".away"
	drivertest.Run(t, drivertest.Target{
		Dial: func(t testing.TB) net.Conn {
			conn, err := net.Dial("unix", path)
			must(t, err)
			return conn
		},
		Unplug: func(t testing.TB, d *driverv1.Device) {
			if d.GetKind() != driverv1.DeviceKind_DEVICE_KIND_CAMERA {
				t.Skip("SKIPPED: readers of the bench cannot be unplugged one by one; TestServiceEnds takes them away")
			}
			must(t, os.Rename(dir, away))
		},
		Replug: func(t testing.TB, _ *driverv1.Device) { must(t, os.Rename(away, dir)) },
		InsertCard: func(t testing.TB, d *driverv1.Device) {
			must(t, b.Insert(context.Background(), slot(d), passport.Profile{}))
		},
		RemoveCard: func(t testing.TB, d *driverv1.Device) { must(t, b.Remove(context.Background(), slot(d))) },
	})
}

var (
	selectApplication = []byte{0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0, 0, 0, 0x02, 0x47, 0x10, 0x01}
	getChallenge      = []byte{0x00, 0x84, 0, 0, 8}
)

func TestChip(t *testing.T) {
	b := startBench(t)
	if err := b.Insert(t.Context(), 1, passport.Profile{}); err != nil {
		t.Fatal(err)
	}
	client := start(t, capture.Options{Role: capture.Devices})
	readers, err := client.Readers(t.Context())
	if err != nil || len(readers) != bench.Slots {
		t.Fatalf("readers %v, %v", readers, err)
	}
	if _, err := client.OpenChip(t.Context(), "", capture.ChipOptions{}); fault.CodeOf(err) != "call.invalid" {
		t.Errorf("two readers and none named: %v", err)
	}
	if _, err := client.OpenChip(t.Context(), "no such reader", capture.ChipOptions{}); !errors.Is(err, capture.ErrDeviceUnknown) {
		t.Errorf("unknown reader: %v", err)
	}
	if _, err := client.OpenChip(t.Context(), b.ReaderName(0), capture.ChipOptions{}); !errors.Is(err, capture.ErrCardNone) {
		t.Errorf("empty reader: %v", err)
	}
	chip, err := client.OpenChip(t.Context(), b.ReaderName(1), capture.ChipOptions{Wait: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if len(chip.ATR) < 2 || chip.MaxCommand < 261 || chip.MaxResponse < 258 {
		t.Errorf("ATR %X, %d, %d", chip.ATR, chip.MaxCommand, chip.MaxResponse)
	}
	if got, err := chip.Transmit(t.Context(), selectApplication); err != nil || string(got) != "\x90\x00" {
		t.Fatalf("select: %X, %v", got, err)
	}
	for _, command := range [][]byte{nil, getChallenge[:3], make([]byte, chip.MaxCommand+1)} {
		if _, err := chip.Transmit(t.Context(), command); fault.CodeOf(err) != "call.invalid" {
			t.Errorf("a command of %d bytes: %v", len(command), err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := chip.Transmit(gone, getChallenge); !errors.Is(err, capture.ErrCanceled) {
		t.Errorf("cancelled before it was sent: %v", err)
	}
	const commands = 100
	begin := time.Now()
	for range commands {
		if got, err := chip.Transmit(t.Context(), getChallenge); err != nil || len(got) != 10 {
			t.Fatalf("challenge: %X, %v", got, err)
		}
	}
	t.Logf("%d commands through gRPC, pcscd and vpcd: %v each", commands, time.Since(begin)/commands)
	if err := b.Remove(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := chip.Transmit(t.Context(), getChallenge); !errors.Is(err, capture.ErrCardRemoved) {
		t.Errorf("torn off: %v", err)
	}
	if _, err := chip.Transmit(t.Context(), getChallenge); !errors.Is(err, capture.ErrCardRemoved) {
		t.Errorf("after it was torn off: %v", err)
	}
	chip.Close()
}

func TestSilentChip(t *testing.T) {
	// Halfway between the limit below and the end of the grace, two seconds after
	// it: a machine may stand still for a second on either side.
	client, chip := slowChip(t, 1300)
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := chip.Transmit(short, getChallenge); !errors.Is(err, capture.ErrCardSilent) {
		t.Errorf("a chip that takes longer than it may: %v", err)
	}
	// The C call came back within the grace: the process lives and the card is
	// free again.
	freed(t, client, chip.Reader)
}

// TestSlowChipWithoutCaller: whoever goes away while a chip computes does not
// take cameras and sensors along, which are the same process's.
func TestSlowChipWithoutCaller(t *testing.T) {
	client, chip := slowChip(t, 4_000)
	going, leave := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, leave)
	if _, err := chip.Transmit(going, getChallenge); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller has gone: %v", err)
	}
	freed(t, client, chip.Reader)
}

// slowChip opens the channel to a chip that answers GET CHALLENGE late.
func slowChip(t *testing.T, millis int) (*capture.Client, *capture.Chip) {
	t.Helper()
	b := startBench(t)
	late := passport.Fault{Kind: passport.KindDelay, Step: "get-challenge", Millis: millis}
	if err := b.Insert(t.Context(), 0, passport.Profile{Faults: []passport.Fault{late}}); err != nil {
		t.Fatal(err)
	}
	client := start(t, capture.Options{Role: capture.Devices})
	chip, err := client.OpenChip(t.Context(), b.ReaderName(0), capture.ChipOptions{Wait: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chip.Transmit(t.Context(), selectApplication); err != nil {
		t.Fatal(err)
	}
	return client, chip
}

// freed holds that the card can be opened again once it has answered.
func freed(t *testing.T, client *capture.Client, reader string) {
	t.Helper()
	again, err := client.OpenChip(t.Context(), reader, capture.ChipOptions{Wait: 5 * time.Second})
	for begun := time.Now(); errors.Is(err, capture.ErrDeviceBusy) && time.Since(begun) < 30*time.Second; {
		again, err = client.OpenChip(t.Context(), reader, capture.ChipOptions{Wait: time.Second})
	}
	if err != nil {
		t.Fatalf("once the chip has answered: %v", err)
	}
	again.Close()
}

// TestHungChip: a call into the reader stack that does not come back ends the
// process, and the client is told.
func TestHungChip(t *testing.T) {
	// Long after the end of the grace, 2.2 s from the command on: a machine may stand
	// still for seconds before the process has ended.
	client, chip := slowChip(t, 10_000)
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := chip.Transmit(short, getChallenge); !errors.Is(err, capture.ErrCardSilent) {
		t.Errorf("a chip that hangs: %v", err)
	}
	select {
	case <-client.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("the process waits for ever")
	}
	if _, err := client.Devices(t.Context()); !errors.Is(err, capture.ErrLost) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestServiceEnds(t *testing.T) {
	b := startBench(t)
	client := start(t, capture.Options{Role: capture.Devices})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	lost := 0
	for event, err := range client.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if event.Kind == capture.Synced {
			b.Close()
		}
		if event.Kind == capture.DeviceLost {
			if lost++; lost == bench.Slots {
				break
			}
		}
	}
	if _, err := client.OpenChip(ctx, "Bench 00 00", capture.ChipOptions{}); !errors.Is(err, capture.ErrReaderNone) && !errors.Is(err, capture.ErrDeviceLost) {
		t.Errorf("after pcscd has ended: %v", err)
	}
}

func TestBlackAndFrozen(t *testing.T) {
	noise, black := film(t, 8, 100), film(t, 2, 3)
	still := filepath.Join(noise, "000.png")
	client := start(t, capture.Options{Role: capture.Devices, Config: configure(t, fmt.Sprintf(`cameras:
- {id: good, kind: images, path: %s, loop: true}
- {id: black, kind: images, path: %s, loop: true}
- {id: frozen, kind: images, path: %s, loop: true, frozen_after: 0.2}
- {id: once, kind: images, path: %s}
- {id: missing, kind: images, path: %s}
smartcard: {off: true}
`, noise, black, still, still, filepath.Join(noise, "missing")))})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for id, want := range map[string]error{
		"black": capture.ErrCameraBlack, "frozen": capture.ErrCameraFrozen, "missing": capture.ErrCameraNone, "other": capture.ErrDeviceUnknown,
	} {
		o := capture.BurstOptions{Camera: id}
		if id == "frozen" {
			o.Frames, o.Interval = 2, 400*time.Millisecond
		}
		if _, err := client.CameraCapture(ctx, o); !errors.Is(err, want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := client.CameraCapture(ctx, capture.BurstOptions{}); fault.CodeOf(err) != "call.invalid" {
		t.Errorf("five cameras and none named: %v", err)
	}
	// A source that ends is a camera that goes.
	for range client.CameraPreview(ctx, capture.PreviewOptions{Camera: "once"}) {
	}
	if _, err := client.CameraCapture(ctx, capture.BurstOptions{Camera: "once"}); err != nil && !errors.Is(err, capture.ErrDeviceLost) {
		t.Errorf("after its end: %v", err)
	}
	burst, err := client.CameraCapture(ctx, capture.BurstOptions{Camera: "good", Frames: 2, Keep: true, Demand: capture.Demand{MinSharpness: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if size, err := jpeg.DecodeConfig(newReader(burst.Frames[0].JPEG)); err != nil || size.Width != 320 || size.Height != 240 {
		t.Errorf("a frame of %v, %v", size, err)
	}
	if burst.Frames[0].Luminance < 100 || burst.Frames[0].Luminance > 116 {
		t.Errorf("luminance %v", burst.Frames[0].Luminance)
	}
	for { // until the driver's word comes before our own deadline, as in nobodyComes
		_, err := client.CameraCapture(shorter(ctx, t), capture.BurstOptions{Camera: "good", Demand: capture.Demand{MinSharpness: 1e9}})
		if errors.Is(err, capture.ErrCameraQuality) {
			break
		}
		if !errors.Is(err, capture.ErrDeadline) || ctx.Err() != nil {
			t.Fatalf("a demand that cannot be met: %v", err)
		}
	}
	// The next capture drops what was kept.
	if _, err := client.FaceTemplates(ctx, burst.ID); !errors.Is(err, capture.ErrCaptureExpired) {
		t.Errorf("templates of an earlier capture: %v", err)
	}
}

func shorter(ctx context.Context, t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestConfined looks at the real processes from outside: each thread under a
// filter, no new privileges.
func TestConfined(t *testing.T) {
	for _, role := range []capture.Role{capture.Devices, capture.Decode} {
		client := start(t, capture.Options{Role: role})
		for _, pid := range children(t) {
			if err := unix.Kill(pid, 0); err != nil {
				t.Fatal(err)
			}
			checkConfined(t, pid)
		}
		client.Close()
	}
}
