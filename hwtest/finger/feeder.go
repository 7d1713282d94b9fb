// Package finger is the virtual side of a fingerprint sensor: a feeder for the
// virtual image device of libfprint 2 (1.92 to 1.94), and invented persons
// whose fingers it lays down dry, wet, rotated, shifted or only in part.
package finger

import (
	"context"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// Sentinels for errors.Is.
var (
	// ErrNoSensor: nobody listens on the socket.
	ErrNoSensor = &fault.Error{Code: "finger.no_sensor"}
	// ErrFeed: the sensor did not take what was sent.
	ErrFeed = &fault.Error{Code: "finger.feed"}
)

// Retry is a touch that the sensor rejects; the values are libfprint's
// FpDeviceRetry.
type Retry int32

// Reasons for a rejected touch.
const (
	General  Retry = 0
	TooShort Retry = 1
	Centre   Retry = 2
	Remove   Retry = 3
)

// Control words of the virtual device: a negative width says what the height
// means.
const (
	wordRetry  = -1
	wordFatal  = -2
	wordFinger = -4
	wordUnplug = -5
)

// maxSide is what the virtual device takes, pixels.
const maxSide = 5000

// patience with a sensor that is just being opened, or being plugged in.
const patience = 15 * time.Second

// again is how often a sensor is tried that does not answer yet.
const again = 20 * time.Millisecond

// Sensor is the virtual device that listens on a socket. Each call makes a
// connection of its own, so it is safe for concurrent use, as one finger after
// the other.
type Sensor struct {
	Socket string
}

// Lay presents a finger once. The sensor sees it as soon as a capture waits; a
// finger that nobody waits for stays on the sensor until ctx ends, and is lifted
// when Lay returns. Whether a capture took it just before, ErrFeed does not say.
func (s Sensor) Lay(ctx context.Context, finger *image.Gray) error {
	size := finger.Bounds().Size()
	if size.X < 1 || size.Y < 1 || size.X > maxSide || size.Y > maxSide {
		return fault.New(ErrFeed.Code, "an image of %dx%d", size.X, size.Y)
	}
	message := words(int32(size.X), int32(size.Y))
	for y := range size.Y {
		at := finger.PixOffset(finger.Rect.Min.X, finger.Rect.Min.Y+y)
		message = append(message, finger.Pix[at:at+size.X]...)
	}
	return s.send(ctx, message)
}

// Reject makes the sensor reject a touch.
func (s Sensor) Reject(ctx context.Context, r Retry) error {
	return s.send(ctx, words(wordRetry, int32(r)))
}

// Fail makes the sensor answer with an error of its own, libfprint's
// FpDeviceError.
func (s Sensor) Fail(ctx context.Context, code int32) error {
	return s.send(ctx, words(wordFatal, code))
}

// Hover lays a finger down or lifts it without an image.
func (s Sensor) Hover(ctx context.Context, on bool) error {
	state := int32(0)
	if on {
		state = 1
	}
	return s.send(ctx, words(wordFinger, state))
}

// Unplug pulls the sensor out, which it sees once a capture waits. Its driver
// may find it again at once.
func (s Sensor) Unplug(ctx context.Context) error {
	return s.send(ctx, words(wordUnplug, 0))
}

// words are int32 in the order of the machine, as the device reads them.
func words(values ...int32) []byte {
	var out []byte
	for _, v := range values {
		out = binary.NativeEndian.AppendUint32(out, uint32(v))
	}
	return out
}

// send writes one message and waits until the sensor has taken it, which it
// shows by nothing but the end of the connection when ours has ended. One that
// is being pulled out shows nothing any more.
func (s Sensor) send(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	lifted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(lifted); s.lift(conn) })
	defer func() {
		if !stop() {
			<-lifted
		}
	}()
	if _, err := conn.Write(message); err != nil {
		return fault.Wrap(ErrFeed.Code, errors.Join(err, ctx.Err()))
	}
	if err := conn.CloseWrite(); err != nil {
		return fault.Wrap(ErrFeed.Code, err)
	}
	if int32(binary.NativeEndian.Uint32(message)) == wordUnplug {
		return nil
	}
	// A reset is an end as well: the device closes without reading on. Where ctx has
	// ended, this is the end of lift.
	_, _ = io.Copy(io.Discard, conn)
	return fault.Wrap(ErrFeed.Code, ctx.Err())
}

// lift takes back what was sent by conn and not read. Closing conn would not do:
// what is on its way stays and is read by the next capture, whosever it is. The
// device has one connection and lets the old one go for a new one, without
// reading on; that shows as the end of conn.
func (s Sensor) lift(conn *net.UnixConn) {
	until := time.Now().Add(patience)
	_ = conn.SetDeadline(until) // a sensor that hangs is given up
	for {
		empty, err := net.Dial("unix", s.Socket)
		if err == nil {
			empty.Close()
			return
		}
		if !errors.Is(err, syscall.EAGAIN) || time.Now().After(until) { // the sensor has gone, and what was sent with it
			conn.Close()
			return
		}
		time.Sleep(again) // others stand before the socket
	}
}

// dial waits for a sensor that is not there yet.
func (s Sensor) dial(ctx context.Context) (*net.UnixConn, error) {
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "unix", s.Socket)
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		select {
		case <-ctx.Done():
			return nil, fault.New(ErrNoSensor.Code, "nobody listens for fingers").WithHint("the capture process listens there once the sensor is configured")
		case <-time.After(again):
		}
	}
}
