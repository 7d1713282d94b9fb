package audit

import (
	"encoding/json"
	"iter"

	"github.com/watchpost/watchpost/device/fault"
)

// page is how many lines Lines reads at a time.
const page = 1000

// Lines yields the lines of a log in order, read through pages: read gives up
// to limit lines, as written, from number from on. It ends with the first
// error, and where read gives no more.
func Lines(read func(from int64, limit int) ([][]byte, error)) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for from := int64(0); ; {
			raws, err := read(from, page)
			if err != nil {
				yield(Line{}, err)
				return
			}
			for _, raw := range raws {
				var l Line
				if err := json.Unmarshal(raw, &l); err != nil {
					yield(Line{}, fault.New("audit.changed_line", "line %d cannot be read", from))
					return
				}
				if !yield(l, nil) {
					return
				}
				from++
			}
			if len(raws) == 0 {
				return
			}
		}
	}
}
