package local

import "github.com/watchpost/watchpost/device/biometric/finger"

// Prints returns the finger templates of a record, each with its position, for
// an officer who looks at a candidate.
func (l *List) Prints(record string) ([]finger.View, error) {
	r, err := l.generation.ByID(record)
	if err != nil {
		return nil, err
	}
	var out []finger.View
	for _, f := range r.Fingers {
		views, err := finger.ParseRecord(f.Template)
		if err != nil {
			return nil, err
		}
		for _, v := range views {
			if f.Position != 0 {
				v.Position = uint8(f.Position)
			}
			out = append(out, v)
		}
	}
	return out, nil
}
