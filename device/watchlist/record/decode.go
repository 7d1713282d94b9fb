package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/watchpost/watchpost/device/fault"
)

// MaxSize bounds one record's JSON in bytes: ten fingers of 50 minutiae, some
// twenty face templates and a hundred names fit with room.
const MaxSize = 1 << 20

// maxDepth bounds nesting: the form needs three levels.
const maxDepth = 8

// ErrFormat says that bytes are not a record's JSON.
var ErrFormat = &fault.Error{Code: "record.format"}

// Decode reads one record and checks its rules. It fails with record.format
// where the bytes are not the form, and with Problems (record.invalid) where
// a rule is broken. It reads nothing but the form: other keys, keys in other
// case, doubled keys and trailing bytes are refused.
func Decode(raw []byte) (*Record, error) {
	r, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r, nil
}

// Parse is Decode without the rules, for records whose list fields are filled
// in from the list afterwards.
func Parse(raw []byte) (*Record, error) {
	if len(raw) > MaxSize {
		return nil, fault.New("record.format", "record of %d bytes, at most %d", len(raw), MaxSize)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	r := &Record{}
	if err := dec.Decode(r); err != nil {
		return nil, fault.New("record.format", "%w", withoutValues(err, dec.InputOffset()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New("record.format", "bytes after the record")
	}
	if err := checkKeys(raw); err != nil {
		return nil, err
	}
	return r, nil
}

// withoutValues says where decoding failed without what was read there:
// encoding/json puts the value into some of its errors.
func withoutValues(err error, offset int64) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fault.New("record.format", "field %s has a wrong type at byte %d", kind.Field, kind.Offset)
	}
	return fault.New("record.format", "unknown key or malformed JSON near byte %d", offset)
}

// checkKeys refuses what encoding/json lets pass: doubled keys, keys in another
// case, keys with escapes. raw is one JSON object whose keys all have a name of
// the form, in whatever case: the decoder has read it.
func checkKeys(raw []byte) error {
	type level struct {
		object bool
		seen   [][]byte // at most as many as the form has keys, since one doubled ends it
	}
	var stack []level
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			if len(stack) == maxDepth {
				return fault.New("record.format", "nested deeper than %d", maxDepth)
			}
			stack = append(stack, level{object: raw[i] == '{'})
		case '}', ']':
			stack = stack[:len(stack)-1]
		case '"':
			text := stringAt(raw[i+1:])
			i += 1 + len(text)
			if !stack[len(stack)-1].object || !isKey(raw[i+1:]) {
				continue
			}
			top := &stack[len(stack)-1]
			if !lowerCase(text) {
				return fault.New("record.format", "key that is not lower case near byte %d", i)
			}
			for _, seen := range top.seen {
				if bytes.Equal(seen, text) {
					return fault.New("record.format", "key given twice near byte %d", i)
				}
			}
			top.seen = append(top.seen, text)
		}
	}
	return nil
}

// stringAt returns what stands before the closing quote, as it is written.
func stringAt(raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return raw[:i]
		}
	}
	return raw
}

// isKey tells whether a string that ends before raw is a key: a colon follows
// those and no value of an object.
func isKey(raw []byte) bool {
	for _, c := range raw {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return c == ':'
	}
	return false
}

func lowerCase(key []byte) bool {
	for _, c := range key {
		if (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}
