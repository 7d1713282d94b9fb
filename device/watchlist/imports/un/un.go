// Package un reads the consolidated list of the UN Security Council in its
// XML form (CONSOLIDATED_LIST of individuals and entities).
//
// The file is outside data: entities and document types are refused, and
// depth, size of one entry and number of its elements are bounded.
package un

import (
	"encoding/xml"
	"errors"
	"io"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/plain"
)

// Limits of the file.
const (
	maxEntry    = 1 << 20 // bytes from one entry to the next
	maxDepth    = 8       // of elements; the list has five
	maxElements = 4096    // of one entry
)

// Read is an imports.Reader. It fails with import.format for a file that is
// not well-formed XML of this list, and with import.limit beyond the limits;
// what was handed on before that stands, but the list is not whole.
func Read(in io.Reader, m *imports.Maker, take imports.Take) error {
	budget := &budget{in: plain.Text(in), left: maxEntry}
	d := xml.NewDecoder(budget)
	d.Entity = nil
	d.CharsetReader = charset
	depth, seen := 0, false
	for {
		line, _ := d.InputPos()
		token, err := d.Token()
		if errors.Is(err, io.EOF) && seen {
			return nil
		}
		if err != nil {
			return refuse(d, err)
		}
		switch token := token.(type) {
		case xml.Directive:
			return fault.New("import.format", "line %d: a document type or entity is declared", line)
		case xml.EndElement:
			depth--
		case xml.StartElement:
			depth++
			if depth == 1 && token.Name.Local != "CONSOLIDATED_LIST" {
				return fault.New("import.format", "line %d: the file is not a CONSOLIDATED_LIST", line)
			}
			seen = true
			if depth < 3 {
				continue
			}
			entry, err := element(d, token, new(int), depth)
			if err != nil {
				return refuse(d, err)
			}
			depth--
			budget.left = maxEntry
			row, ok := entryRow(entry, line, m)
			if !ok {
				continue
			}
			if err := take(row); err != nil {
				return err
			}
		}
	}
}

// charset reads what a file says it is, if package plain knows it.
func charset(name string, in io.Reader) (io.Reader, error) {
	if r, ok := plain.Charset(name, in); ok {
		return r, nil
	}
	return nil, fault.New("import.format", "an encoding is declared that is not known here").WithHint("save it as UTF-8")
}

// refuse says why reading ended, with the line and without the text there.
func refuse(d *xml.Decoder, err error) error {
	line, _ := d.InputPos()
	var syntax *xml.SyntaxError
	var coded *fault.Error
	switch {
	case errors.As(err, &coded):
		return fault.New(coded.Code, "line %d: %w", line, err)
	case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New("import.format", "line %d: not well-formed XML, or cut off", line)
	}
	return fault.New("import.format", "line %d: not readable as XML in UTF-8", line)
}

// node is one element with its text.
type node struct {
	name  string
	text  []byte
	parts []*node
}

// element reads the element that has just been opened, to its end.
func element(d *xml.Decoder, start xml.StartElement, count *int, depth int) (*node, error) {
	if *count++; *count > maxElements || depth > maxDepth {
		return nil, fault.New("import.limit", "an entry of more than %d elements or %d levels", maxElements, maxDepth)
	}
	n := &node{name: start.Name.Local}
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.Directive:
			return nil, fault.New("import.format", "a document type or entity is declared")
		case xml.CharData:
			if len(n.parts) == 0 {
				n.text = append(n.text, token...)
			}
		case xml.StartElement:
			part, err := element(d, token, count, depth+1)
			if err != nil {
				return nil, err
			}
			n.parts = append(n.parts, part)
		case xml.EndElement:
			return n, nil
		}
	}
}

// budget ends a source of which one entry takes too many bytes: an endless
// text would otherwise be collected whole.
type budget struct {
	in   io.Reader
	left int
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fault.New("import.limit", "an entry of more than %d bytes", maxEntry)
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		err = fault.Wrap("input.read", err)
	}
	return n, err // io.EOF stays itself
}
