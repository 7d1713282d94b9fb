package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/fault"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
	facev1 "github.com/watchpost/watchpost/sdk/proto/face/v1"
)

func begin(t *testing.T, behaviour string) *Client {
	t.Helper()
	client, err := Start(t.Context(), Options{Role: Devices, Binary: os.Args[0], Models: behaviour, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestStartTellsTheProcessesOwnCode(t *testing.T) {
	for behaviour, want := range map[string]fault.Code{"refuse": "sandbox.unavailable", "crash": "capture.start", "speechless": "capture.start"} {
		_, err := Start(t.Context(), Options{Role: Decode, Binary: os.Args[0], Models: behaviour})
		if fault.CodeOf(err) != want {
			t.Errorf("%s: %v", behaviour, err)
		}
		// Where it says nothing, the cause tells that its end was noticed and not
		// startLimit waited for.
		if behaviour == "speechless" && !errors.Is(err, ErrCanceled) {
			t.Errorf("%s: %v", behaviour, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(gone, Options{Role: Decode, Binary: os.Args[0]}); err == nil {
		t.Error("started although cancelled")
	}
}

func TestCloseKillsAndReaps(t *testing.T) {
	for _, behaviour := range []string{"obedient", "stubborn"} {
		client := begin(t, behaviour)
		pid := client.process.cmd.Process.Pid
		client.Close()
		select {
		case <-client.Lost():
		default:
			t.Errorf("%s: not reaped", behaviour)
		}
		if _, err := os.Stat(filepath.Join("/proc", fmt.Sprint(pid))); err == nil {
			t.Errorf("%s: process %d is still there", behaviour, pid)
		}
		if _, err := client.Devices(t.Context()); err == nil {
			t.Errorf("%s: answers after Close", behaviour)
		}
	}
}

func TestUnknownKindsAreNoErrors(t *testing.T) {
	client := begin(t, "")
	devices, err := client.Devices(t.Context())
	if err != nil || len(devices) != 2 || devices[1].Kind != KindOther || devices[1].Ready {
		t.Errorf("%v, %v", devices, err)
	}
	if readers, err := client.Readers(t.Context()); err != nil || len(readers) != 0 {
		t.Errorf("%v, %v", readers, err)
	}
}

func TestCapturesThatDoNotAddUp(t *testing.T) {
	client := begin(t, "")
	if burst, err := client.CameraCapture(t.Context(), BurstOptions{Camera: "good"}); err != nil || len(burst.Frames) != 1 {
		t.Fatalf("%v, %v", burst.Frames, err)
	}
	for _, camera := range []string{"endless", "nothing", "empty part", "no picture", "huge", "wrong count", "no frame", "kept unasked", "after the end"} {
		if _, err := client.CameraCapture(t.Context(), BurstOptions{Camera: camera}); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", camera, err)
		}
	}
	// A frame from before the call may show the person before; one without a
	// time may as well.
	for _, camera := range []string{"before", "undated"} {
		if burst, err := client.CameraCapture(t.Context(), BurstOptions{Camera: camera}); !errors.Is(err, ErrCameraStale) || len(burst.Frames) != 0 {
			t.Errorf("%s: %v", camera, err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := client.CameraCapture(short, BurstOptions{Camera: "hangs"}); !errors.Is(err, ErrDeadline) {
		t.Errorf("hangs: %v", err)
	}
	if _, err := client.CameraCapture(t.Context(), BurstOptions{Camera: "ends itself"}); !errors.Is(err, ErrLost) {
		t.Errorf("ends itself: %v", err)
	}
}

// impatient sends a command that has a moment's time, anew where that had passed
// before anything was sent.
func impatient(t *testing.T, chip *Chip, command []byte) error {
	t.Helper()
	for {
		short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := chip.Transmit(short, command)
		cancel()
		if !errors.Is(err, ErrDeadline) || chip.broken != nil {
			return err
		}
	}
}

// late opens no channel before its time is over.
type late struct {
	driverv1.SmartcardServiceClient
}

func (late) Channel(ctx context.Context, _ ...grpc.CallOption) (grpc.BidiStreamingClient[driverv1.ChannelRequest, driverv1.ChannelResponse], error) {
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

// The channel ends with the opening's time: that is a deadline, not somebody's
// wish.
func TestOpeningThatIsTooLate(t *testing.T) {
	life, cancel := context.WithCancel(t.Context())
	short, done := context.WithTimeout(t.Context(), time.Millisecond)
	defer done()
	chip := &Chip{cancel: cancel}
	if err := chip.open(short, life, late{}, "x", ChipOptions{}); !errors.Is(err, ErrDeadline) {
		t.Error(err)
	}
}

func TestChannelsThatDoNotKeepTheContract(t *testing.T) {
	client := begin(t, "")
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := client.OpenChip(short, "hangs", ChipOptions{}); !errors.Is(err, ErrDeadline) {
		t.Errorf("hangs: %v", err)
	}
	for _, reader := range []string{"answers first", "ends at once", "no limits"} {
		if _, err := client.OpenChip(t.Context(), reader, ChipOptions{}); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", reader, err)
		}
	}
	for reader, want := range map[string]error{"wrong sequence": ErrAnswer, "no status": ErrAnswer, "too long": ErrAnswer,
		"opens twice": ErrAnswer, "ends early": ErrAnswer, "silent": ErrCardSilent} {
		chip, err := client.OpenChip(t.Context(), reader, ChipOptions{})
		if err != nil {
			t.Fatalf("%s: %v", reader, err)
		}
		for range 2 { // a broken channel stays broken
			command := []byte{0, 0x84, 0, 0, 8}
			var err error
			if reader == "silent" && chip.broken == nil {
				err = impatient(t, chip, command)
			} else {
				_, err = chip.Transmit(t.Context(), command)
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: %v", reader, err)
			}
		}
		chip.Close()
	}
	chip, err := client.OpenChip(t.Context(), "silent", ChipOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, stop)
	if _, err := chip.Transmit(ctx, []byte{0, 0x84, 0, 0, 8}); !errors.Is(err, ErrCanceled) {
		t.Errorf("cancelled in mid-command: %v", err)
	}
	chip, err = client.OpenChip(t.Context(), "ends itself", ChipOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chip.Transmit(t.Context(), []byte{0, 0x84, 0, 0, 8}); !errors.Is(err, ErrLost) {
		t.Errorf("a process that ends in mid-command: %v", err)
	}
}

func TestTemplatesThatAreNone(t *testing.T) {
	client := begin(t, "")
	faces, err := client.FaceTemplates(t.Context(), "empty")
	if err != nil || len(faces) != 1 || fault.CodeOf(faces[0].Err) != "decode.answer" {
		t.Errorf("an empty template: %v, %v", faces, err)
	}
	if _, err := client.FaceTemplates(t.Context(), "too many"); !errors.Is(err, ErrAnswer) {
		t.Errorf("too many: %v", err)
	}
	if _, err := client.FaceTemplates(t.Context(), "empty", 0, 1); !errors.Is(err, ErrAnswer) {
		t.Errorf("one of two: %v", err)
	}
	if _, err := client.FaceTemplates(t.Context(), "empty", -1); err == nil {
		t.Error("frame -1")
	}
}

func TestPool(t *testing.T) {
	pool := NewPool(Options{Role: Decode, Binary: os.Args[0], Stderr: os.Stderr}, nil)
	first, err := pool.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := pool.Take(t.Context()) // none is spare: one is started
	if err != nil {
		t.Fatal(err)
	}
	if first.process.cmd.Process.Pid == second.process.cmd.Process.Pid {
		t.Error("one process for two")
	}
	first.Close()
	second.Close()
	third, err := pool.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if client, err := pool.Take(gone); err == nil {
		client.Close()
	} else if !errors.Is(err, ErrCanceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := errors.Join(pool.Close(), pool.Close()); err != nil {
		t.Error(err)
	}
	if _, err := pool.Take(t.Context()); !errors.Is(err, ErrStart) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := third.Decode().DecodeGrey(t.Context(), []byte("x")); errors.Is(err, ErrLost) {
		t.Error("Close took a process that was handed out")
	}
}

func TestPoolFailures(t *testing.T) {
	broken := NewPool(Options{Role: Decode, Binary: os.Args[0], Models: "refuse"}, nil)
	defer broken.Close()
	for range 2 {
		if _, err := broken.Take(t.Context()); fault.CodeOf(err) != "sandbox.unavailable" {
			t.Errorf("cannot start: %v", err)
		}
	}
	cold := errors.New("cold")
	unwarmed := NewPool(Options{Role: Decode, Binary: os.Args[0]}, func(context.Context, *Client) error { return cold })
	defer unwarmed.Close()
	if _, err := unwarmed.Take(t.Context()); !errors.Is(err, cold) {
		t.Errorf("cannot be warmed: %v", err)
	}
	// A spare that dies while it waits is not handed out.
	var started []*Client
	pool := newPool(func(ctx context.Context) (*Client, error) {
		client, err := Start(ctx, Options{Role: Decode, Binary: os.Args[0]})
		if err == nil && len(started) == 0 {
			_ = client.process.cmd.Process.Kill()
			<-client.Lost()
		}
		started = append(started, client)
		return client, err
	})
	defer pool.Close()
	client, err := pool.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if len(started) != 2 || client != started[1] {
		t.Errorf("the dead spare was handed out")
	}
}

func TestFail(t *testing.T) {
	for _, test := range []struct {
		err  error
		want fault.Code
	}{
		{nil, ""},
		{status.Error(codes.Unavailable, "x"), "capture.lost"},
		{status.Error(codes.DeadlineExceeded, "x"), "call.deadline"},
		{status.Error(codes.Canceled, "x"), "call.canceled"},
		{status.Error(codes.Unimplemented, "x"), "capture.answer"},
		{status.Error(codes.ResourceExhausted, "x"), "capture.answer"},
		{context.Canceled, "call.canceled"},
		{context.DeadlineExceeded, "call.deadline"},
		{errors.New("x"), "capture.lost"},
		{fault.New("card.removed", "x"), "card.removed"},
	} {
		if got := fault.CodeOf(fail(test.err)); got != test.want {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
	}
}

func TestPicturesStayOutOfText(t *testing.T) {
	frame := Frame{JPEG: []byte("picture"), Sequence: 7}
	for _, text := range []string{fmt.Sprint(frame), fmt.Sprintf("%+v", frame), frame.LogValue().String()} {
		if len(text) > 60 || strings.Contains(text, "112") || strings.Contains(text, "picture") { // 'p' is 112
			t.Errorf("a frame prints as %q", text)
		}
	}
}

// FuzzAnswers puts what a process may send through everything that reads it.
func FuzzAnswers(f *testing.F) {
	for _, m := range []proto.Message{jpegFrame(), &driverv1.Device{Id: "x", Kind: driverv1.DeviceKind_DEVICE_KIND_CAMERA},
		&facev1.FrameTemplate{Frame: 1, Faces: 1}} {
		seed, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var frame driverv1.Frame
		if proto.Unmarshal(data, &frame) == nil {
			if got, err := frameOf(&frame, true); err == nil && (got.Width < 1 || got.Height < 1 || len(got.JPEG) < 3) {
				t.Errorf("a frame of %dx%d with %d bytes passes", got.Width, got.Height, len(got.JPEG))
			}
		}
		var device driverv1.Device
		if proto.Unmarshal(data, &device) == nil {
			deviceOf(&device)
		}
		if p := (&process{}); len(data) > 0 {
			_, _ = p.tail.Write(data)
			if p.startError(errors.New("x")) == nil {
				t.Error("a failed start without error")
			}
		}
	})
}
