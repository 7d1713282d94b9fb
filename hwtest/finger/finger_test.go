package finger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/gen/slaps"
)

// heard serves one connection and returns what came over it.
func heard(t *testing.T) (Sensor, <-chan []byte) {
	t.Helper()
	s := Sensor{Socket: filepath.Join(t.TempDir(), "s")}
	listener, err := net.Listen("unix", s.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	said := make(chan []byte, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		all, err := io.ReadAll(conn)
		if err != nil {
			t.Error(err)
		}
		said <- all
	}()
	return s, said
}

func TestMessages(t *testing.T) {
	words := func(all ...int32) []byte {
		var b bytes.Buffer
		if err := binary.Write(&b, binary.NativeEndian, all); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	// A part of a picture: rows of it, not of the whole.
	whole := image.NewGray(image.Rect(0, 0, 5, 4))
	for i := range whole.Pix {
		whole.Pix[i] = uint8(i)
	}
	part := whole.SubImage(image.Rect(1, 1, 4, 3)).(*image.Gray)
	for name, c := range map[string]struct {
		send func(Sensor, context.Context) error
		want []byte
	}{
		"finger": {func(s Sensor, ctx context.Context) error { return s.Lay(ctx, part) }, append(words(3, 2), 6, 7, 8, 11, 12, 13)},
		"reject": {func(s Sensor, ctx context.Context) error { return s.Reject(ctx, Centre) }, words(-1, 2)},
		"fail":   {func(s Sensor, ctx context.Context) error { return s.Fail(ctx, 5) }, words(-2, 5)},
		"hover":  {func(s Sensor, ctx context.Context) error { return s.Hover(ctx, true) }, words(-4, 1)},
		"lift":   {func(s Sensor, ctx context.Context) error { return s.Hover(ctx, false) }, words(-4, 0)},
		"unplug": {func(s Sensor, ctx context.Context) error { return s.Unplug(ctx) }, words(-5, 0)},
	} {
		s, said := heard(t)
		if err := c.send(s, t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := <-said; !bytes.Equal(got, c.want) {
			t.Errorf("%s: % x, want % x", name, got, c.want)
		}
	}
}

// TestLifted: a finger that no capture took is taken back. The device here stops
// reading and lets a connection go only for a new one, as libfprint's does.
func TestLifted(t *testing.T) {
	s := Sensor{Socket: filepath.Join(t.TempDir(), "s")}
	listener, err := net.Listen("unix", s.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	laid := make(chan error, 1)
	ctx, lift := context.WithCancel(t.Context())
	go func() { laid <- s.Lay(ctx, image.NewGray(image.Rect(0, 0, 300, 400))) }()
	first, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, make([]byte, 1)); err != nil { // it is on its way
		t.Fatal(err)
	}
	lift()
	second, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	select {
	case err := <-laid:
		t.Errorf("done before the sensor has let the finger go: %v", err)
	default:
	}
	first.Close()
	if err := <-laid; !errors.Is(err, ErrFeed) || !errors.Is(err, context.Canceled) {
		t.Errorf("a finger that was lifted: %v", err)
	}
	if left, err := io.ReadAll(second); err != nil || len(left) != 0 {
		t.Errorf("%d bytes lie there still, %v", len(left), err)
	}
}

// TestLiftedFromNobody: a sensor that has gone needs no lifting.
func TestLiftedFromNobody(t *testing.T) {
	s := Sensor{Socket: filepath.Join(t.TempDir(), "s")}
	listener, err := net.Listen("unix", s.Socket)
	if err != nil {
		t.Fatal(err)
	}
	laid := make(chan error, 1)
	ctx, lift := context.WithCancel(t.Context())
	go func() { laid <- s.Lay(ctx, image.NewGray(image.Rect(0, 0, 300, 400))) }()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil { // it is on its way
		t.Fatal(err)
	}
	listener.Close()
	lift()
	if err := <-laid; !errors.Is(err, ErrFeed) {
		t.Errorf("nobody took the finger: %v", err)
	}
}

func TestRefused(t *testing.T) {
	nobody := Sensor{Socket: filepath.Join(t.TempDir(), "s")}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := nobody.Lay(ctx, image.NewGray(image.Rect(0, 0, 9, 9))); !errors.Is(err, ErrNoSensor) {
		t.Errorf("nobody listens: %v", err)
	}
	for _, size := range []image.Rectangle{{}, image.Rect(0, 0, maxSide+1, 1)} {
		if err := nobody.Lay(t.Context(), image.NewGray(size)); !errors.Is(err, ErrFeed) {
			t.Errorf("%v: %v", size, err)
		}
	}
	p := NewPerson(1, "")
	for _, position := range []int{0, 11, -1} {
		if _, err := p.Print(position, Good, 0); err == nil {
			t.Errorf("finger %d", position)
		}
	}
	if _, err := p.Print(1, "sticky", 0); err == nil {
		t.Error("an unknown touch")
	}
	for _, code := range []int{0, 1, 11, 12, 16} {
		if _, err := p.Slap(code, Whole, 0); err == nil {
			t.Errorf("slap %d", code)
		}
	}
	if _, err := p.Slap(13, "folded", 0); err == nil {
		t.Error("an unknown way to lay a hand down")
	}
}

// TestSlaps: each way to lay the right hand down gives a picture of its own, and the
// same one again.
func TestSlaps(t *testing.T) {
	p := NewPerson(5, CacheDir())
	seen := map[string]Lay{}
	for _, lay := range []Lay{Whole, Lacking, Twice, Turned} {
		one, err := p.Slap(13, lay, 0)
		if err != nil {
			t.Fatal(err)
		}
		again, err := p.Slap(13, lay, 0)
		if err != nil || !bytes.Equal(one.Pix, again.Pix) || one.Rect != image.Rect(0, 0, slaps.Width, slaps.Height) {
			t.Errorf("%s: %v, %v", lay, one.Rect, err)
		}
		if other, twice := seen[string(one.Pix)]; twice {
			t.Errorf("%s is %s", lay, other)
		}
		seen[string(one.Pix)] = lay
	}
	for _, lay := range []Lay{OtherHand, Posing} { // of the right hand's fingers, where the left is asked for
		one, err := p.Slap(14, lay, 0)
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := seen[string(one.Pix)]; twice {
			t.Errorf("%s is %s", lay, other)
		}
		seen[string(one.Pix)] = lay
	}
}

// TestKeptPrints: a print is the same whether grown or kept, and a damaged file
// is none.
func TestKeptPrints(t *testing.T) {
	dir := t.TempDir()
	p := NewPerson(1, dir)
	grown, err := p.Print(2, Wet, 3)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := p.Print(2, Wet, 3)
	if err != nil || !bytes.Equal(kept.Pix, grown.Pix) {
		t.Errorf("kept differs: %v", err)
	}
	other, err := p.Print(2, Dry, 3)
	if err != nil || bytes.Equal(other.Pix, grown.Pix) {
		t.Errorf("another touch is the same: %v", err)
	}
	if _, ok := load(filepath.Join(dir, "none")); ok {
		t.Error("a file that is not there is kept")
	}
}
