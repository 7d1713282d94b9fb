package diff

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// line is one line of an edition. Text is valid until the next one.
type line struct {
	number  int
	offset  int64
	text    []byte // without its end
	tooLong bool   // longer than any record; text is cut

	from, to int // of text within its batch
}

// batchBytes is about how much text is read by one core at a time. As many
// batches as twice the cores lie in memory at most.
const batchBytes = 256 << 10

// batch is lines one after the other, with what became of them.
type batch struct {
	lines []line
	text  []byte // of all lines
	size  int64  // read of the file
	done  chan []parsed
}

// inOrder reads lines, has work do each of them on all cores, and hands the
// results to take, one at a time and in the order of the lines. tell is told of
// the bytes whose results were taken.
func inOrder(ctx context.Context, in io.Reader, work func(line) parsed, take func(parsed) error, tell func(int64)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	queue := make(chan *batch, 2*runtime.GOMAXPROCS(0))
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	var readErr error // set before queue is closed
	go func() {
		defer close(queue)
		readErr = batches(ctx, in, func(b *batch) error {
			select {
			case queue <- b:
			case <-ctx.Done():
				return fault.Wrap("diff.stopped", ctx.Err())
			}
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				close(b.done)
				return fault.Wrap("diff.stopped", ctx.Err())
			}
			go func() {
				defer func() { <-places }()
				out := make([]parsed, len(b.lines))
				for i, l := range b.lines {
					out[i] = work(l)
				}
				b.done <- out
			}()
			return nil
		})
	}()
	err := func() error {
		for b := range queue {
			for _, p := range <-b.done {
				if err := take(p); err != nil {
					return err
				}
			}
			tell(b.size)
		}
		return nil
	}()
	stop()
	for b := range queue { // what is under way comes to its end: it reads what belongs to the caller
		<-b.done
	}
	for range cap(places) {
		places <- struct{}{}
	}
	if err != nil {
		return err
	}
	return readErr
}

// batches cuts a file into batches of lines.
func batches(ctx context.Context, in io.Reader, do func(*batch) error) error {
	fresh := func() *batch { return &batch{done: make(chan []parsed, 1)} }
	b, from := fresh(), int64(0)
	err := lines(ctx, in, func(l line) error {
		start := len(b.text)
		b.text = append(b.text, l.text...)
		b.size += l.offset - from
		from = l.offset
		at := l
		at.text = nil
		b.lines = append(b.lines, at)
		b.lines[len(b.lines)-1].from, b.lines[len(b.lines)-1].to = start, len(b.text)
		if len(b.text) < batchBytes {
			return nil
		}
		full := b
		b = fresh()
		full.settle()
		return do(full)
	})
	if err != nil || len(b.lines) == 0 {
		return err
	}
	b.settle()
	return do(b)
}

// settle gives the lines their text, which has come to rest.
func (b *batch) settle() {
	for i := range b.lines {
		l := &b.lines[i]
		l.text = b.text[l.from:l.to:l.to]
	}
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
		if l.tooLong {
			l.text = nil
		}
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
