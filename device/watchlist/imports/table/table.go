// Package table reads tables of text a row at a time: comma, semicolon or tab
// between fields, quotes as in RFC 4180, UTF-8 or UTF-16 (package plain).
//
// It differs from encoding/csv where hostile and damaged files need it: a row
// has a largest size, and after the first line of a damaged row reading goes on
// at the next instead of ending or swallowing what follows.
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

// maxOpen is after how many quotes left open none is looked for on further
// lines: of a table made of them each line would cost as much as maxLines.
const maxOpen = 64

// ErrRow says that one row is damaged; the next call goes on after it.
var ErrRow = &fault.Error{Code: "import.row"}

// Reader reads rows. It is for one goroutine.
type Reader struct {
	in        *bufio.Reader
	line      int
	multiline bool
	open      int    // how many quotes were left open
	comma     byte   // 0 until the first row has shown it
	back      []line // read already, and to be read as rows of their own
	part      []byte
	fields    []string
}

// line is one line without its end, or what is wrong with it.
type line struct {
	text string
	err  error
}

// New returns a reader. With multiline a quoted field may hold line ends;
// without it a quote that does not close on its line damages only that line.
func New(in io.Reader, multiline bool) *Reader {
	return &Reader{in: bufio.NewReaderSize(plain.Text(in), 64<<10), multiline: multiline}
}

// Next returns the line on which the row begins, counted from 1, and its
// fields, which are valid until the next call. Empty lines are passed over. It
// fails with io.EOF at the end, with import.row for a damaged row, and with
// what the source says otherwise. A damaged row is its first line alone.
func (r *Reader) Next() (int, []string, error) {
	for {
		start := r.line + 1
		first := r.next()
		if first.err != nil {
			return start, nil, first.err
		}
		if start == 1 {
			first.text = strings.TrimPrefix(first.text, "\xef\xbb\xbf")
		}
		// Files made under DOS end with a line of Ctrl-Z.
		if len(strings.Trim(first.text, " \t\x1a")) == 0 {
			continue
		}
		if r.comma == 0 {
			r.comma = separator(first.text)
		}
		return start, r.fields, r.row(first.text)
	}
}

// row cuts the row that begins with a line into fields, with further lines
// where a quote is open at its end. Where it fails, these are read again.
func (r *Reader) row(text string) error {
	var taken []line
	done, err := r.split(text)
	for err == nil && !done {
		if !r.multiline || r.open >= maxOpen || len(taken) >= maxLines {
			err = fault.New("import.row", "a quote is not closed")
			break
		}
		l := r.next()
		if errors.Is(l.err, io.EOF) {
			err = fault.New("import.row", "a quote is not closed")
			break
		}
		taken = append(taken, l)
		if l.err != nil || len(text)+len(l.text) >= MaxRow {
			err = fault.New("import.row", "a quote is not closed")
			break
		}
		text += "\n" + l.text
		done, err = r.split(text)
	}
	if err != nil && len(taken) > 0 {
		r.open++
		r.back = append(taken, r.back...)
		r.line -= len(taken)
	}
	return err
}

// next returns the next line. One that is too long is read to its end and
// dropped.
func (r *Reader) next() line {
	if len(r.back) > 0 {
		l := r.back[0]
		r.back = r.back[1:]
		r.line++
		return l
	}
	r.part = r.part[:0]
	tooLong, any := false, false
	for {
		part, err := r.in.ReadSlice('\n')
		any = any || len(part) > 0
		if len(r.part)+len(part) > MaxRow {
			tooLong = true
		}
		if !tooLong {
			r.part = append(r.part, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || !any):
			if errors.Is(err, io.EOF) {
				return line{err: io.EOF}
			}
			r.line++ // as any line: it may be put back
			return line{err: fault.Wrap("input.read", err)}
		}
		r.line++
		if tooLong {
			return line{err: fault.New("import.row", "longer than %d bytes", MaxRow)}
		}
		return line{text: string(bytes.TrimSuffix(bytes.TrimSuffix(r.part, []byte("\n")), []byte("\r")))}
	}
}

// separator returns the one of tab, semicolon and comma that stands most
// often outside quotes; comma where none does. Where two stand as often, the
// comma is the one that text holds.
func separator(line string) byte {
	count := map[byte]int{}
	quoted := false
	for _, c := range []byte(line) {
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

// split cuts text into fields; done is false where a quote is still open.
func (r *Reader) split(text string) (done bool, err error) {
	r.fields = r.fields[:0]
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
