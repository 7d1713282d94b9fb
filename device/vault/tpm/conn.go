package tpm

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/watchpost/watchpost/device/fault"
)

// Limits of one conversation with a chip. The longest command used here, the
// making of the storage key, takes below a second on slow chips.
const (
	maxAnswer = 4096             // bytes, what /dev/tpmrm0 gives at most
	maxTalk   = 30 * time.Second // where the context ends later or never
	maxAgain  = 32               // times a command is sent that the chip has not begun
)

// headerSize is tag, size and code before each command and answer.
const headerSize = 10

// conn is one open chip: a transport.TPMCloser. One goroutine only.
type conn struct {
	rw     io.ReadWriteCloser
	stream bool // answers may come in pieces
}

// dial opens the chip at "unix:PATH" or at a device node. It fails with
// tpm.missing. The connection ends with ctx.
func dial(ctx context.Context, device string) (*conn, error) {
	deadline := time.Now().Add(maxTalk)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if path, ok := strings.CutPrefix(device, "unix:"); ok {
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", path)
		if err != nil {
			return nil, missing(err)
		}
		if err := c.SetDeadline(deadline); err != nil {
			c.Close()
			return nil, missing(err)
		}
		return &conn{rw: c, stream: true}, nil
	}
	info, err := os.Stat(device)
	if err != nil {
		return nil, missing(err)
	}
	if info.Mode()&os.ModeCharDevice == 0 {
		return nil, missing(errors.New("not a device node"))
	}
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return nil, missing(err)
	}
	// The kernel bounds each command itself where the node cannot be polled.
	if err := f.SetDeadline(deadline); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		f.Close()
		return nil, missing(err)
	}
	return &conn{rw: f}, nil
}

func missing(err error) error {
	return fault.New("tpm.missing", "reach the TPM: %w", err).
		WithHint("check that the TPM is switched on in the firmware and that this user may open it")
}

// Close implements transport.TPMCloser.
func (c *conn) Close() error { return c.rw.Close() }

// Send implements transport.TPM: one command, one answer. A command that the
// chip says it has not begun is sent again, as the library's Part 2 (section
// 6.6.3) asks: the first use of a PIN after power on is such a one.
func (c *conn) Send(command []byte) ([]byte, error) {
	for again := 1; ; again++ {
		answer, err := c.exchange(command)
		if err != nil {
			return nil, err
		}
		switch tpm2.TPMRC(binary.BigEndian.Uint32(answer[6:10])) {
		case tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting:
			if again < maxAgain {
				time.Sleep(time.Duration(again) * time.Millisecond) // its pace, at most 0.5 s in all
				continue
			}
		}
		return answer, nil
	}
}

func (c *conn) exchange(command []byte) ([]byte, error) {
	if _, err := c.rw.Write(command); err != nil {
		return nil, missing(err)
	}
	answer := make([]byte, maxAnswer)
	n, err := io.ReadAtLeast(c.rw, answer, headerSize)
	if err != nil {
		return nil, missing(err)
	}
	size := int64(binary.BigEndian.Uint32(answer[2:6]))
	if size < headerSize || size > maxAnswer || int64(n) > size {
		return nil, missing(errors.New("the answer is not one of a TPM"))
	}
	if int64(n) < size {
		if !c.stream {
			return nil, missing(errors.New("the answer is cut short"))
		}
		if _, err := io.ReadFull(c.rw, answer[n:size]); err != nil {
			return nil, missing(err)
		}
	}
	return answer[:size], nil
}
