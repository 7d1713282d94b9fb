package target

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/watchpost/watchpost/device/fault"
)

// maxDepth is how deep metadata nest: the delegations' keys are the deepest.
const maxDepth = 16

// CheckPlain looks at metadata before go-tuf does, which (as of v2.4.2) follows
// a null target and falls. It wants one JSON object without null, without a key
// twice, nested at most sixteen deep. It fails with listfeed.metadata.
func CheckPlain(raw []byte) error {
	bad := func(what string) error { return fault.New("listfeed.metadata", "%s", what) }
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	type level struct {
		keys map[string]bool // of an object; nil in an array
		key  bool            // a key comes next
	}
	var open []level
	for {
		token, err := dec.Token()
		if err != nil {
			return bad("malformed JSON")
		}
		top := len(open) - 1
		if top >= 0 && open[top].key {
			if key, ok := token.(string); ok {
				if open[top].keys[key] {
					return bad("a key stands twice")
				}
				open[top].keys[key], open[top].key = true, false
				continue
			}
		} else if top >= 0 && open[top].keys != nil {
			open[top].key = true // this is the value of a key
		}
		switch t := token.(type) {
		case nil:
			return bad("null stands for something")
		case json.Delim:
			switch t {
			case '{':
				open = append(open, level{keys: map[string]bool{}, key: true})
			case '[':
				open = append(open, level{})
			default:
				open = open[:top]
			}
		}
		if len(open) > maxDepth {
			return bad("nested too deep")
		}
		if len(open) == 0 {
			break
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("bytes after the end")
	}
	return nil
}
