package screening

import "github.com/watchpost/watchpost/device/fault"

// ErrNoPhotograph says that a source has no such photograph to show.
var ErrNoPhotograph = &fault.Error{Code: "source.no_photograph", Hint: "the list holds no photograph of this record, or the list has changed"}

// Photographer is a Source that holds photographs of its records.
type Photographer interface {
	// Photograph returns photograph n, from 0, of a record as the list's owner
	// gave it: bytes of an outside image, to be decoded in the decode role and
	// nowhere else. ErrNoPhotograph where there is none.
	Photograph(list, record string, n int) ([]byte, error)
}

// Photograph asks the candidate's source for photograph n of its record, as
// Photographer says. Sources that travel over a link send none.
func (s *Screener) Photograph(c Candidate, n int) ([]byte, error) {
	for _, src := range s.sources {
		if holder, ok := src.(Photographer); ok && src.Name() == c.Source {
			return holder.Photograph(c.List, c.Record, n)
		}
	}
	return nil, ErrNoPhotograph
}
