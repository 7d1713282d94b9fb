package diff

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// line is one line of an edition. Text is valid until the next one.
type line struct {
	number  int
	offset  int64
	text    []byte // without its end
	tooLong bool   // longer than any record; text is cut
}

// lines calls do for every line that is not empty.
func lines(ctx context.Context, in io.Reader, do func(line) error) error {
	r := bufio.NewReaderSize(in, 256<<10)
	var buf []byte
	var offset int64
	for n := 1; ; n++ {
		l := line{number: n, offset: offset}
		buf = buf[:0]
		var err error
		for {
			var part []byte
			part, err = r.ReadSlice('\n')
			offset += int64(len(part))
			if l.tooLong = l.tooLong || len(buf)+len(part) > record.MaxSize+2; !l.tooLong {
				buf = append(buf, part...)
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fault.Wrap("input.read", err)
		}
		l.text = bytes.TrimRight(buf, "\r\n")
		if len(bytes.TrimSpace(l.text)) > 0 || l.tooLong {
			if err := do(l); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fault.Wrap("diff.stopped", err)
		}
	}
}
