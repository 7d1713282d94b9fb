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
	if err := checkKeys(raw); err != nil {
		return nil, err
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

// checkKeys refuses what encoding/json lets pass: doubled keys and keys in
// another case.
func checkKeys(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	type level struct {
		object bool
		key    bool // a key comes next
		seen   map[string]bool
	}
	var stack []level
	value := func() { // a value has ended inside the innermost object
		if n := len(stack); n > 0 && stack[n-1].object {
			stack[n-1].key = true
		}
	}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) && len(stack) == 0 {
			return nil
		}
		if err != nil {
			return fault.New("record.format", "malformed JSON near byte %d", dec.InputOffset())
		}
		switch token := token.(type) {
		case json.Delim:
			if token == '{' || token == '[' {
				if len(stack) == maxDepth {
					return fault.New("record.format", "nested deeper than %d", maxDepth)
				}
				stack = append(stack, level{object: token == '{', key: token == '{', seen: map[string]bool{}})
				continue
			}
			stack = stack[:len(stack)-1]
			value()
		case string:
			if n := len(stack); n == 0 || !stack[n-1].key {
				value()
				continue
			}
			top := &stack[len(stack)-1]
			if !lowerCase(token) {
				return fault.New("record.format", "key that is not lower case near byte %d", dec.InputOffset())
			}
			if top.seen[token] {
				return fault.New("record.format", "key given twice near byte %d", dec.InputOffset())
			}
			top.seen[token], top.key = true, false
		default:
			value()
		}
	}
}

func lowerCase(key string) bool {
	for i := range len(key) {
		if c := key[i]; (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}
