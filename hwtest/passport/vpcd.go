package passport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

const codeVPCD fault.Code = "passport.vpcd"

// Control octets of vsmartcard's virtual reader, the bodies of messages of
// length one. Only the last is answered.
const (
	vpcdOff   = 0
	vpcdOn    = 1
	vpcdReset = 2
	vpcdATR   = 4
)

// VPCD is one connection to a slot of vsmartcard's virtual reader: a card lies
// on the reader for as long as it is open. Messages have a length of two
// octets, most significant first, and a body.
type VPCD struct {
	conn *net.TCPConn
	seen chan struct{}
	once sync.Once
	wmu  sync.Mutex // guards writing to conn
}

// ServeVPCD puts chip on the reader slot that listens at addr and answers for
// it until ctx ends (nil), the reader hangs up, or the card is torn off
// (ErrTorn).
func ServeVPCD(ctx context.Context, addr string, chip *Chip) error {
	v, err := DialVPCD(ctx, addr)
	if err != nil {
		return err
	}
	return v.Serve(ctx, chip)
}

// DialVPCD puts a card on the reader slot that listens at addr. Serve must
// follow.
func DialVPCD(ctx context.Context, addr string) (*VPCD, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, (&fault.Error{Code: codeVPCD, Cause: err}).WithHint("Is pcscd running with the driver of vsmartcard-vpcd, and the slot free?").AsRetryable()
	}
	return &VPCD{conn: conn.(*net.TCPConn), seen: make(chan struct{})}, nil
}

// Seen is closed once the reader has asked for the card's ATR.
func (v *VPCD) Seen() <-chan struct{} { return v.seen }

// Serve answers for chip until ctx ends (nil), the reader hangs up, or the
// card is torn off (ErrTorn). The card has left the reader when it returns.
func (v *VPCD) Serve(ctx context.Context, chip *Chip) error {
	defer v.conn.Close()
	stop := context.AfterFunc(ctx, func() { v.conn.Close() })
	defer stop()
	// Answers are whole messages in one write: waiting to fill a segment, as
	// Nagle's algorithm does, would only delay them.
	if err := v.conn.SetNoDelay(true); err != nil {
		return fault.Wrap(codeVPCD, err)
	}
	chip.Reset()
	work := make(chan []byte, 1)
	worker := make(chan error, 1)
	go func() {
		err := v.work(chip, work)
		v.conn.Close() // ends the reading below
		worker <- err
	}()
	readErr := v.read(chip, work)
	close(work)
	workErr := <-worker
	switch {
	case errors.Is(workErr, ErrTorn):
		return workErr
	case ctx.Err() != nil:
		return nil
	case workErr != nil:
		return workErr
	}
	return readErr
}

// read takes messages off the wire. The ATR is answered here and now, for
// pcscd asks for it at each poll, also while a command is at work.
func (v *VPCD) read(chip *Chip, work chan<- []byte) error {
	in := quickReader{v.conn}
	for {
		var head [2]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return fault.Wrap(codeVPCD, fmt.Errorf("the reader hung up: %w", err))
		}
		body := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(in, body); err != nil {
			return fault.Wrap(codeVPCD, fmt.Errorf("the reader hung up: %w", err))
		}
		if len(body) == 1 && body[0] == vpcdATR {
			if err := v.write(chip.ATR()); err != nil {
				return err
			}
			v.once.Do(func() { close(v.seen) })
			continue
		}
		work <- body
	}
}

// work carries out resets and commands in their order. It reads work to its
// end also after an error, so that read never waits for it.
func (v *VPCD) work(chip *Chip, work <-chan []byte) error {
	var failed error
	for body := range work {
		if failed != nil {
			continue
		}
		failed = v.one(chip, body)
		if failed != nil {
			v.conn.Close()
		}
	}
	return failed
}

func (v *VPCD) one(chip *Chip, body []byte) error {
	switch {
	case len(body) == 0:
		return nil
	case len(body) == 1:
		if body[0] == vpcdOff || body[0] == vpcdOn || body[0] == vpcdReset {
			chip.Reset()
		}
		return nil
	}
	answer, err := chip.Transmit(body)
	if err != nil {
		return err
	}
	return v.write(answer)
}

func (v *VPCD) write(body []byte) error {
	v.wmu.Lock()
	defer v.wmu.Unlock()
	message := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(body)), uint16(len(body)))
	_, err := v.conn.Write(append(message, body...))
	return fault.Wrap(codeVPCD, err)
}

// quickReader has the kernel acknowledge at once what it reads. vpcd sends a
// message's length and body in two segments and, with Nagle's algorithm, holds
// the second back until the first is acknowledged; delayed acknowledgements
// would cost 40 ms a command. The option wears off, so it is set each time.
type quickReader struct{ conn *net.TCPConn }

func (q quickReader) Read(p []byte) (int, error) {
	raw, err := q.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var setErr error
	if err := raw.Control(func(fd uintptr) {
		setErr = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	}); err != nil {
		return 0, err
	}
	if setErr != nil {
		return 0, setErr
	}
	return q.conn.Read(p)
}
