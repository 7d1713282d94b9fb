package tenprint

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
)

// stateVersion is of the form below.
const stateVersion = 1

// maxState is the most bytes of a stored session: 20 records of 255 minutiae in
// base64 are 42 KB.
const maxState = 256 << 10

// state is a session at rest. Prints are ISO/IEC 19794-2:2005 records of one view,
// without ridges: a session that was restored compares by minutiae. It is personal
// data: who stores it seals it.
type state struct {
	Version int            `json:"version"`
	Plan    []int          `json:"plan"`
	Tries   map[int]int    `json:"tries,omitempty"`
	Closed  []int          `json:"closed,omitempty"`
	Gone    map[int]Reason `json:"gone,omitempty"`
	Slaps   []statePrint   `json:"slaps,omitempty"`
	Plain   []statePrint   `json:"plain,omitempty"`
}

type statePrint struct {
	Position int    `json:"position"`
	Quality  int    `json:"quality"`
	From     int    `json:"from"`
	Record   []byte `json:"record"`
}

// MarshalJSON writes the session so that it can go on after a restart.
func (s *Session) MarshalJSON() ([]byte, error) {
	out := state{Version: stateVersion, Plan: s.plan, Tries: s.tries, Gone: s.gone}
	for _, code := range s.plan {
		if s.closed[code] {
			out.Closed = append(out.Closed, code)
		}
	}
	for _, kind := range []struct {
		from map[int]Print
		to   *[]statePrint
	}{{s.slaps, &out.Slaps}, {s.plain, &out.Plain}} {
		for _, p := range positions(kind.from) {
			print := kind.from[p]
			record, err := finger.MarshalISO([]finger.View{{Template: print.Template, Position: uint8(p)}})
			if err != nil {
				return nil, err
			}
			*kind.to = append(*kind.to, statePrint{p, print.Quality, print.From, record})
		}
	}
	return json.Marshal(out)
}

// Resume reads what MarshalJSON wrote. Errors: ErrState.
func Resume(b []byte) (*Session, error) {
	var in state
	if len(b) > maxState {
		return nil, fault.New(ErrState.Code, "%d bytes", len(b))
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, fault.New(ErrState.Code, "not the form of a session")
	}
	if in.Version != stateVersion {
		return nil, fault.New(ErrState.Code, "version %d", in.Version)
	}
	s, err := New(in.Plan)
	if err != nil {
		return nil, fault.Wrap(ErrState.Code, err)
	}
	for code, n := range in.Tries {
		if !slices.Contains(s.plan, code) || n < 0 || n > Tries {
			return nil, fault.New(ErrState.Code, "%d tries of %d", n, code)
		}
	}
	for p, why := range in.Gone {
		if p < 1 || p > 10 || !slices.Contains(reasons, why) {
			return nil, fault.New(ErrState.Code, "an exception of position %d", p)
		}
	}
	for _, code := range in.Closed {
		if !slices.Contains(s.plan, code) {
			return nil, fault.New(ErrState.Code, "%d was not planned", code)
		}
		s.closed[code] = true
	}
	maps.Copy(s.tries, in.Tries)
	maps.Copy(s.gone, in.Gone)
	if err := resumePrints(s.slaps, in.Slaps, s); err != nil {
		return nil, err
	}
	if err := resumePrints(s.plain, in.Plain, s); err != nil {
		return nil, err
	}
	return s, nil
}

func resumePrints(to map[int]Print, from []statePrint, s *Session) error {
	for _, p := range from {
		_, twice := to[p.Position]
		_, gone := s.gone[p.Position]
		if twice || gone || !slices.Contains(s.plan, p.From) || !slices.Contains(fingersOf(p.From), p.Position) || p.Quality < 0 || p.Quality > 100 {
			return fault.New(ErrState.Code, "a print of position %d", p.Position)
		}
		views, err := finger.ParseRecord(p.Record)
		if err != nil || len(views) != 1 || int(views[0].Position) != p.Position {
			return fault.New(ErrState.Code, "the record of position %d", p.Position)
		}
		to[p.Position] = Print{views[0].Template, p.Quality, p.From}
	}
	return nil
}
