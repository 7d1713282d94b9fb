// Package der reads ASN.1 values in BER and DER (ITU-T X.690:2021) from
// untrusted bytes without copying them.
//
// Parse and Reader accept definite lengths only, in any number of length
// octets up to four; Normalize turns indefinite lengths into definite ones
// beforehand. Nothing recurses without a bound. All functions are pure and
// safe for concurrent use; elements alias their input.
package der

import (
	"github.com/watchpost/watchpost/device/fault"
)

// ErrMalformed is every complaint of this package about its input.
var ErrMalformed = &fault.Error{Code: "der.malformed"}

// ID holds identifier octets as a big-endian number: 0x30 for SEQUENCE,
// 0x7F61 for a two-octet identifier.
type ID uint32

// Universal identifiers in use here.
const (
	Boolean         ID = 0x01
	Integer         ID = 0x02
	BitString       ID = 0x03
	OctetString     ID = 0x04
	Null            ID = 0x05
	ObjectID        ID = 0x06
	Enumerated      ID = 0x0A
	UTF8String      ID = 0x0C
	NumericString   ID = 0x12
	PrintableString ID = 0x13
	TeletexString   ID = 0x14
	IA5String       ID = 0x16
	UTCTime         ID = 0x17
	GeneralizedTime ID = 0x18
	VisibleString   ID = 0x1A
	UniversalString ID = 0x1C
	BMPString       ID = 0x1E
	Sequence        ID = 0x30
	Set             ID = 0x31

	constructedOctetString ID = 0x24
)

// Context is the identifier of primitive context tag n, n below 31.
func Context(n byte) ID { return ID(0x80 | n) }

// ContextConstructed is the identifier of constructed context tag n, n below 31.
func ContextConstructed(n byte) ID { return ID(0xA0 | n) }

// Element is one value. Raw and Content alias the input.
type Element struct {
	ID      ID
	Raw     []byte // identifier, length and content octets
	Content []byte
}

// Constructed reports whether the content is a series of elements.
func (e Element) Constructed() bool {
	id := e.ID
	for id > 0xFF {
		id >>= 8
	}
	return id&0x20 != 0
}

// Reader returns a reader over the content.
func (e Element) Reader() *Reader { return &Reader{rest: e.Content} }

// header is what precedes the content octets.
type header struct {
	id         ID
	size       int // octets of identifier and length
	length     int // content octets; meaningless when indefinite
	indefinite bool
	minimal    bool
}

func malformed(format string, args ...any) error {
	return fault.New(ErrMalformed.Code, format, args...)
}

func parseHeader(b []byte) (header, error) {
	var h header
	if len(b) < 2 {
		return h, malformed("element header is cut off")
	}
	h.id, h.size = ID(b[0]), 1
	if b[0]&0x1F == 0x1F {
		for {
			if h.size >= len(b) || h.size > 3 {
				return h, malformed("identifier is cut off or over four octets")
			}
			c := b[h.size]
			h.id = h.id<<8 | ID(c)
			h.size++
			if c&0x80 == 0 {
				break
			}
		}
		if h.size >= len(b) {
			return h, malformed("length is cut off")
		}
	}
	first := b[h.size]
	h.size++
	h.minimal = true
	switch {
	case first < 0x80:
		h.length = int(first)
	case first == 0x80:
		h.indefinite = true
	default:
		n := int(first & 0x7F)
		if n > 4 || h.size+n > len(b) {
			return h, malformed("length of %d octets", n)
		}
		var v uint64
		for _, c := range b[h.size : h.size+n] {
			v = v<<8 | uint64(c)
		}
		h.minimal = b[h.size] != 0 && v >= 0x80
		h.size += n
		if v > uint64(len(b)) {
			return h, malformed("length %d goes past the end", v)
		}
		h.length = int(v)
	}
	if !h.indefinite && h.length > len(b)-h.size {
		return h, malformed("length %d goes past the end", h.length)
	}
	return h, nil
}

// Parse reads one element of definite length and returns what follows it.
func Parse(b []byte) (Element, []byte, error) {
	h, err := parseHeader(b)
	if err != nil {
		return Element{}, nil, err
	}
	if h.indefinite {
		return Element{}, nil, malformed("indefinite length")
	}
	end := h.size + h.length
	return Element{ID: h.id, Raw: b[:end:end], Content: b[h.size:end:end]}, b[end:], nil
}

// ParseStrict reads one element that must fill b and have a minimal length
// encoding (DER).
func ParseStrict(b []byte) (Element, error) {
	h, err := parseHeader(b)
	if err != nil {
		return Element{}, err
	}
	if h.indefinite || !h.minimal {
		return Element{}, malformed("length is not in DER")
	}
	if h.size+h.length != len(b) {
		return Element{}, malformed("%d bytes after the element", len(b)-h.size-h.length)
	}
	return Element{ID: h.id, Raw: b, Content: b[h.size:]}, nil
}

// Reader walks the elements of one level. It is for one goroutine.
type Reader struct{ rest []byte }

// NewReader reads the elements of b.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

// Empty reports whether nothing is left.
func (r *Reader) Empty() bool { return len(r.rest) == 0 }

// Next returns the next element.
func (r *Reader) Next() (Element, error) {
	e, rest, err := Parse(r.rest)
	if err != nil {
		return Element{}, err
	}
	r.rest = rest
	return e, nil
}

// Expect returns the next element, which must have the identifier.
func (r *Reader) Expect(id ID) (Element, error) {
	e, err := r.Next()
	if err != nil {
		return Element{}, err
	}
	if e.ID != id {
		return Element{}, malformed("identifier %#x where %#x is due", e.ID, id)
	}
	return e, nil
}

// Optional returns the next element if it has the identifier.
func (r *Reader) Optional(id ID) (Element, bool, error) {
	if !r.Is(id) {
		return Element{}, false, nil
	}
	e, err := r.Next()
	return e, err == nil, err
}

// Is reports whether the next element has the identifier.
func (r *Reader) Is(id ID) bool {
	h, err := parseHeader(r.rest)
	return err == nil && h.id == id
}

// End returns an error when something is left.
func (r *Reader) End() error {
	if len(r.rest) != 0 {
		return malformed("%d bytes left over", len(r.rest))
	}
	return nil
}
