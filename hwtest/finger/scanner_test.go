package finger_test

import (
	"context"
	"errors"
	"image"
	"path/filepath"
	"slices"
	"sync/atomic"
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
)

// A slap goes the whole way: scanner, driver contract, client, segmentation,
// session. The first hand is the wrong one; a finger is bandaged; of the thumbs
// nothing is laid down.
func TestSlapThroughTheContract(t *testing.T) {
	var pool []*slaps.Print
	for i := range uint64(4) {
		pool = append(pool, slaps.NewPrint(slaps.Sketch(i), slaps.DPI))
	}
	var asked atomic.Int32 // times that the right hand was asked for
	scanner := finger.NewScanner(func(code int) *image.Gray {
		lay := slaps.Layout{Code: code, Gap: 2, Rotation: 10}
		switch {
		case code == slaps.TwoThumbs:
			return nil
		case asked.Add(1) == 1:
			lay.Code = slaps.LeftFour
		default:
			lay.Missing = 4
		}
		g, _ := slaps.Compose(pool, lay, 5)
		return g
	})
	ctx, stop := context.WithCancel(t.Context())
	socket := filepath.Join(t.TempDir(), "scanner")
	listener, err := driver.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- scanner.Serve(ctx, listener) }()
	defer func() {
		stop()
		if err := <-served; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	client, err := capture.Dial(ctx, socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := tenprint.New([]int{13, 15})
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Except(4, tenprint.Bandaged); err != nil {
		t.Fatal(err)
	}
	take := func() *tenprint.Take {
		ask, more := session.Next()
		if !more {
			t.Fatal("nothing is asked for")
		}
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		var advice []capture.FingerAdvice
		print, err := client.FingerCapture(short, capture.FingerOptions{Position: ask.Code, Advice: func(a capture.FingerAdvice) { advice = append(advice, a) }})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(advice, []capture.FingerAdvice{"place", "hold_still"}) {
			t.Errorf("advice %v", advice)
		}
		out, err := session.Slap(ask.Code, &enginefinger.Image{Pix: print.Pix, Width: print.Width, Height: print.Height, DPI: print.DPI})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := take(); got.Done || !slices.Contains(got.Findings, slap.WrongHand) || len(session.Prints()) != 0 {
		t.Errorf("the left hand for the right: %+v", got)
	}
	got := take()
	var positions []int
	for _, f := range got.Fingers {
		positions = append(positions, f.Position)
	}
	if !slices.Equal(positions, []int{2, 3, 5}) || slices.ContainsFunc(got.Findings, func(c fault.Code) bool {
		return c == slap.WrongHand || c == slap.TooFew || c == slap.TooMany
	}) {
		t.Errorf("the right hand: %v, %v", positions, got.Findings)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := client.FingerCapture(short, capture.FingerOptions{Position: 15}); !errors.Is(err, capture.ErrDeadline) {
		t.Errorf("nothing laid down: %v", err)
	}
	for position, want := range map[int]fault.Code{2: "finger.unsupported", 16: "finger.unsupported"} {
		if _, err := client.FingerCapture(ctx, capture.FingerOptions{Position: position}); fault.CodeOf(err) != want {
			t.Errorf("position %d: %v", position, err)
		}
	}
}
