// Package table reads tables of text a row at a time: comma, semicolon or tab
// between fields, quotes as in RFC 4180, UTF-8 or UTF-16 (package plain).
//
// It differs from encoding/csv where hostile and damaged files need it: a row
// has a largest size, and after a damaged row reading goes on at the next line
// instead of ending or swallowing what follows.
package table

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports/plain"
)

// MaxRow is the largest size of a row in bytes.
const MaxRow = 256 << 10

// maxFields is the largest number of fields of a row, maxLines of its lines:
// a row over many lines is looked at again with each of them.
const (
	maxFields = 512
	maxLines  = 256
)

// ErrRow says that one row is damaged; the next call goes on after it.
var ErrRow = &fault.Error{Code: "import.row"}

// Reader reads rows. It is for one goroutine.
type Reader struct {
	in        *bufio.Reader
	line      int
	multiline bool
	comma     byte // 0 until the first row has shown it
	buf       []byte
	fields    []string
}

// New returns a reader. With multiline a quoted field may hold line ends;
// without it a quote that does not close on its line damages only that line.
func New(in io.Reader, multiline bool) *Reader {
	return &Reader{in: bufio.NewReaderSize(plain.Text(in), 64<<10), multiline: multiline}
}

// Next returns the line on which the row begins, counted from 1, and its
// fields, which are valid until the next call. Empty lines are passed over. It
// fails with io.EOF at the end, with import.row for a damaged row, and with
// what the source says otherwise.
func (r *Reader) Next() (int, []string, error) {
	for {
		start := r.line + 1
		r.buf = r.buf[:0]
		if err := r.more(); err != nil {
			return start, nil, err
		}
		if start == 1 {
			r.buf = bytes.TrimPrefix(r.buf, []byte("\xef\xbb\xbf"))
		}
		// Files made under DOS end with a line of Ctrl-Z.
		if len(bytes.Trim(r.buf, " \t\x1a")) == 0 {
			continue
		}
		if r.comma == 0 {
			r.comma = separator(r.buf)
		}
		for {
			done, err := r.split()
			if err != nil {
				return start, nil, err
			}
			if done {
				return start, r.fields, nil
			}
			if !r.multiline || r.line-start >= maxLines {
				return start, nil, fault.New("import.row", "a quote is not closed")
			}
			r.buf = append(r.buf, '\n')
			if err := r.more(); errors.Is(err, io.EOF) {
				return start, nil, fault.New("import.row", "a quote is not closed")
			} else if err != nil {
				return start, nil, err
			}
		}
	}
}

// more appends the next line without its end. A line that is too long is read
// to its end and dropped.
func (r *Reader) more() error {
	tooLong, any := false, false
	for {
		part, err := r.in.ReadSlice('\n')
		any = any || len(part) > 0
		if len(r.buf)+len(part) > MaxRow {
			tooLong = true
		}
		if !tooLong {
			r.buf = append(r.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || !any):
			if errors.Is(err, io.EOF) {
				return io.EOF
			}
			return fault.Wrap("input.read", err)
		}
		r.line++
		if tooLong {
			return fault.New("import.row", "longer than %d bytes", MaxRow)
		}
		r.buf = bytes.TrimSuffix(bytes.TrimSuffix(r.buf, []byte("\n")), []byte("\r"))
		return nil
	}
}

// separator returns the one of tab, semicolon and comma that stands most
// often outside quotes; comma where none does. Where two stand as often, the
// comma is the one that text holds.
func separator(line []byte) byte {
	count := map[byte]int{}
	quoted := false
	for _, c := range line {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			count[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t'} {
		if count[c] > 0 && count[c] >= count[best] {
			best = c
		}
	}
	return best
}

// split cuts buf into fields; done is false where a quote is still open.
func (r *Reader) split() (done bool, err error) {
	r.fields = r.fields[:0]
	text := string(r.buf)
	for {
		if len(r.fields) == maxFields {
			return false, fault.New("import.row", "more than %d fields", maxFields)
		}
		if !strings.HasPrefix(text, `"`) {
			field, rest, more := strings.Cut(text, string(r.comma))
			r.fields = append(r.fields, field)
			if !more {
				return true, nil
			}
			text = rest
			continue
		}
		field, rest, closed := quoted(text[1:])
		if !closed {
			return false, nil
		}
		r.fields = append(r.fields, field)
		rest = strings.TrimLeft(rest, " ")
		if rest == "" {
			return true, nil
		}
		if rest[0] != r.comma {
			return false, fault.New("import.row", "text after a closing quote")
		}
		text = rest[1:]
	}
}

// quoted returns the field up to its closing quote and what follows that.
func quoted(text string) (field, rest string, closed bool) {
	i := strings.IndexByte(text, '"')
	if i >= 0 && !strings.HasPrefix(text[i+1:], `"`) {
		return text[:i], text[i+1:], true
	}
	var b strings.Builder
	for i >= 0 {
		b.WriteString(text[:i])
		text = text[i+1:]
		if !strings.HasPrefix(text, `"`) {
			return b.String(), text, true
		}
		b.WriteByte('"')
		text = text[1:]
		i = strings.IndexByte(text, '"')
	}
	return "", "", false
}
