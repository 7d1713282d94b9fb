// Package tenprint leads through the taking of a person's ten fingers: what is
// asked for next, up to three tries of which the best is kept finger by finger,
// which fingers will not be given and why, and whether what was given is what was
// asked for: the right hand, no finger twice, plain impressions of the same fingers
// as the slaps. It is pure logic; pictures come from elsewhere and are not kept.
//
// Positions and slap codes are those of ISO/IEC 19794-4:2011, table 5. Prints are
// personal data of a special category.
package tenprint

import (
	"log/slog"
	"maps"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/fault"
)

// Tries is how often one thing is asked for.
const Tries = 3

// MinQuality is the least quality of a finger that is not asked for again while
// tries are left, on the scale of finger.Template.Quality.
const MinQuality = 30

// SameFMR is the false match rate at which two prints are taken for one finger. Of
// the 45 pairs of ten fingers one is so taken wrongly for one person in 220.
const SameFMR = finger.FMRFloor

// Reason is why a finger is not given.
type Reason string

// The reasons.
const (
	Missing  Reason = "missing"  // amputated
	Bandaged Reason = "bandaged" // cannot be printed now
	Unable   Reason = "unable"   // cannot be printed for another reason
	Refused  Reason = "refused"  // the person will not give it
)

var reasons = []Reason{Missing, Bandaged, Unable, Refused}

// Code is the reason's code in field AMPCD of ANSI/NIST-ITL 1-2011 (14.018): XX
// amputated, UP unable to print. A refusal has none.
func (r Reason) Code() string {
	switch r {
	case Missing:
		return "XX"
	case Bandaged, Unable:
		return "UP"
	}
	return ""
}

// Errors.
var (
	ErrPosition = &fault.Error{Code: "tenprint.position", Hint: "positions are 1, right thumb, to 10, left little finger; slaps 13, 14, 15"}
	ErrReason   = &fault.Error{Code: "tenprint.reason", Hint: "reasons are missing, bandaged, unable, refused"}
	ErrNoTries  = &fault.Error{Code: "tenprint.no_tries", Hint: "every try is used: go on with what is asked next"}
	ErrExcepted = &fault.Error{Code: "tenprint.excepted", Hint: "this finger was noted as not given: take that back first"}
	ErrState    = &fault.Error{Code: "tenprint.state"}
)

// What a try may be found to be.
const (
	LowQuality fault.Code = "finger.quality"   // taken again while tries are left
	Duplicate  fault.Code = "finger.duplicate" // this finger was given for another position
	Sequence   fault.Code = "finger.sequence"  // a plain impression is of another finger than the slap's
	NoPrint    fault.Code = "finger.enrol"     // too little to make a template of
)

// Print is what is kept of one finger.
type Print struct {
	Template *finger.Template
	Quality  int
	From     int // the slap code or position it was asked for by
}

// LogValue keeps prints out of logs.
func (Print) LogValue() slog.Value { return slog.StringValue("print (redacted)") }

// String keeps prints out of the fmt verbs.
func (Print) String() string { return "print (redacted)" }

// Ask is what to ask the person for.
type Ask struct {
	Code    int   // 13, 14, 15 a slap; 1 to 10 a finger
	Fingers []int // positions that are expected
	Try     int   // which it will be, from 1
}

// Session is the taking of one person's fingers. It is for one goroutine.
type Session struct {
	plan   []int // codes in the order asked for
	tries  map[int]int
	closed map[int]bool
	gone   map[int]Reason
	slaps  map[int]Print // by position, from slaps
	plain  map[int]Print // by position, one by one

	extract *finger.Extractor
	match   *finger.Matcher
}

// LogValue keeps prints out of logs.
func (*Session) LogValue() slog.Value { return slog.StringValue("ten fingers (redacted)") }

// String keeps prints out of the fmt verbs.
func (*Session) String() string { return "ten fingers (redacted)" }

// Slaps is the plan of four-finger scanners: right hand, left hand, thumbs.
func Slaps() []int { return []int{int(slap.RightFour), int(slap.LeftFour), int(slap.TwoThumbs)} }

// New begins a session. plan lists what is asked for in order; each code once.
func New(plan []int) (*Session, error) {
	s := &Session{plan: slices.Clone(plan), tries: map[int]int{}, closed: map[int]bool{}, gone: map[int]Reason{},
		slaps: map[int]Print{}, plain: map[int]Print{}, extract: finger.NewExtractor(), match: finger.NewMatcher()}
	seen := map[int]bool{}
	for _, code := range plan {
		if fingersOf(code) == nil || seen[code] {
			return nil, ErrPosition
		}
		seen[code] = true
	}
	return s, nil
}

// fingersOf are the positions of a code, nil if it is none.
func fingersOf(code int) []int {
	if code >= 1 && code <= 10 {
		return []int{code}
	}
	return slap.Hand(code).Positions()
}

// Except notes that a finger will not be given; what was taken of it is forgotten.
func (s *Session) Except(position int, why Reason) error {
	switch {
	case position < 1 || position > 10:
		return ErrPosition
	case !slices.Contains(reasons, why):
		return ErrReason
	}
	s.gone[position] = why
	delete(s.slaps, position)
	delete(s.plain, position)
	s.settle()
	return nil
}

// Restore takes an exception back; the finger is asked for again if tries are left.
func (s *Session) Restore(position int) {
	delete(s.gone, position)
	for _, code := range s.plan {
		if slices.Contains(fingersOf(code), position) && s.tries[code] < Tries {
			s.closed[code] = false
		}
	}
}

// settle closes what nothing more is expected from.
func (s *Session) settle() {
	for _, code := range s.plan {
		if s.tries[code] >= Tries || len(s.expected(code)) == 0 {
			s.closed[code] = true
		}
	}
}

// expected are the fingers of a code that were not excepted.
func (s *Session) expected(code int) []int {
	return slices.DeleteFunc(slices.Clone(fingersOf(code)), func(p int) bool { _, gone := s.gone[p]; return gone })
}

// Next tells what to ask for, false when all is done.
func (s *Session) Next() (Ask, bool) {
	s.settle()
	for _, code := range s.plan {
		if !s.closed[code] {
			return Ask{code, s.expected(code), s.tries[code] + 1}, true
		}
	}
	return Ask{}, false
}

// Prints are the best prints by position, slaps' and plain ones', whichever is
// better.
func (s *Session) Prints() map[int]Print {
	out := maps.Clone(s.slaps)
	for p, print := range s.plain {
		if have, ok := out[p]; !ok || print.Quality > have.Quality {
			out[p] = print
		}
	}
	return out
}

// Gone are the excepted fingers with their reasons.
func (s *Session) Gone() map[int]Reason { return maps.Clone(s.gone) }

// Lacking are positions of the plan that were neither given nor excepted.
func (s *Session) Lacking() []int {
	var out []int
	have := s.Prints()
	for _, code := range s.plan {
		for _, p := range s.expected(code) {
			if _, ok := have[p]; !ok && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return out
}
