package program

import (
	"context"
	"io"
	"sync"

	"github.com/watchpost/watchpost/device/fault"
)

// readSize is how much of standard input is read at once, in bytes.
const readSize = 64 << 10

// input is a reader whose Read ends when the context does, although the one
// below it may wait for ever. It reads nothing before it is asked to. It is for
// one goroutine.
type input struct {
	ctx context.Context
	in  io.Reader

	start  sync.Once
	ask    chan struct{} // one more piece is wanted
	pieces chan piece
	rest   []byte // read and not yet taken
	err    error
}

type piece struct {
	data []byte
	err  error
}

func (i *input) Read(p []byte) (int, error) {
	if len(i.rest) == 0 {
		if i.err != nil || len(p) == 0 {
			return 0, i.err
		}
		i.start.Do(i.begin)
		got, err := i.next()
		if err != nil {
			return 0, err
		}
		i.rest, i.err = got.data, got.err
	}
	n := copy(p, i.rest)
	i.rest = i.rest[n:]
	if len(i.rest) == 0 {
		return n, i.err
	}
	return n, nil
}

func (i *input) next() (piece, error) {
	select {
	case i.ask <- struct{}{}:
	case <-i.ctx.Done():
		return piece{}, fault.Wrap("call.canceled", i.ctx.Err())
	}
	select {
	case got := <-i.pieces:
		return got, nil
	case <-i.ctx.Done():
		return piece{}, fault.Wrap("call.canceled", i.ctx.Err())
	}
}

// begin starts the goroutine that waits for the reader below. It stays behind
// where that never answers: the process is about to end then.
func (i *input) begin() {
	i.ask, i.pieces = make(chan struct{}), make(chan piece, 1)
	go func() {
		for {
			select {
			case <-i.ask:
			case <-i.ctx.Done():
				return
			}
			b := make([]byte, readSize)
			n, err := i.in.Read(b)
			i.pieces <- piece{b[:n], err}
		}
	}()
}
