// Package plain turns the text files of publishers into the form that the
// readers of lists take: UTF-8 with lines that end in a line feed.
package plain

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// lookAhead is how many bytes are looked at to tell how lines end: more than
// any header.
const lookAhead = 64 << 10

// Text returns what in holds: UTF-16, known by its byte order mark or by the
// zero bytes of a first two letters, as UTF-8 without the mark, and anything
// else as it is. Where no line feed comes, carriage returns end the lines, as
// old spreadsheet programs write them. Halves of characters become U+FFFD. The
// source's own errors come through.
func Text(in io.Reader) io.Reader {
	b := bufio.NewReaderSize(in, lookAhead)
	if order := wide(b); order != nil {
		b = bufio.NewReaderSize(&units{in: b, order: order}, lookAhead)
		if mark, _, err := b.ReadRune(); err == nil && mark != '\ufeff' {
			_ = b.UnreadRune() // cannot fail: a rune was just read
		}
	}
	// What cannot be peeked at, the reader of the text meets again.
	start, _ := b.Peek(lookAhead)
	if bytes.IndexByte(start, '\n') < 0 && bytes.IndexByte(start, '\r') >= 0 {
		return returns{b}
	}
	return b
}

// wide returns the byte order of UTF-16, or nil for any other text.
func wide(b *bufio.Reader) binary.ByteOrder {
	start, _ := b.Peek(4)
	switch {
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}):
		return binary.LittleEndian
	case bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return binary.BigEndian
	case len(start) < 4:
		return nil
	case start[0] != 0 && start[1] == 0 && start[2] != 0 && start[3] == 0:
		return binary.LittleEndian
	case start[0] == 0 && start[1] != 0 && start[2] == 0 && start[3] != 0:
		return binary.BigEndian
	}
	return nil
}

// units reads UTF-16 and gives UTF-8. It is for one goroutine.
type units struct {
	in    *bufio.Reader
	order binary.ByteOrder
	out   []byte // not taken yet
	space [utf8.UTFMax]byte
}

func (u *units) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(u.out) == 0 {
			r, err := u.next()
			if err != nil {
				if n > 0 && errors.Is(err, io.EOF) {
					return n, nil
				}
				return n, err
			}
			u.out = utf8.AppendRune(u.space[:0], r)
		}
		k := copy(p[n:], u.out)
		n, u.out = n+k, u.out[k:]
	}
	return n, nil
}

// next returns the next character.
func (u *units) next() (rune, error) {
	var b [2]byte
	if _, err := io.ReadFull(u.in, b[:]); errors.Is(err, io.ErrUnexpectedEOF) {
		return utf8.RuneError, nil // an odd byte at the end
	} else if err != nil {
		return 0, err
	}
	r := rune(u.order.Uint16(b[:]))
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	second, err := u.in.Peek(2)
	if err != nil {
		return utf8.RuneError, nil // the source's error comes with the next read
	}
	whole := utf16.DecodeRune(r, rune(u.order.Uint16(second)))
	if whole != utf8.RuneError {
		_, _ = u.in.Discard(2) // cannot fail: both were just seen
	}
	return whole, nil
}

// returns makes line feeds of carriage returns.
type returns struct{ in io.Reader }

func (r returns) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	for i, c := range p[:n] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}
