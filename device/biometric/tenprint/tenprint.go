// Package tenprint leads through the taking of a person's fingers: one by one, or
// several pressed at once where the scanner can do that. It knows which tries are
// left and keeps the best of them finger by finger, which fingers will not be given
// and why, and whether what was given is what was asked for: the right hand, no
// finger twice, the same fingers as before. It is pure logic; pictures come from
// elsewhere.
//
// Positions and slap codes are those of ISO/IEC 19794-4:2011, table 5. Prints are
// personal data of a special category and live in memory only.
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

// MinQuality is the least quality of a print that is not asked for again while
// tries are left, on the scale of finger.Template.Quality: of FVC2002 DB1 one in
// twenty lies below 29 (hwtest/gen/prints/README.md).
const MinQuality = 30

// SameFMR is the false match rate at which two prints are taken for one finger. Of
// the 45 pairs of ten fingers one is so taken wrongly for one person in 220.
const SameFMR = finger.FMRFloor

// Reason is why a finger is not given: ANSI/NIST-ITL 1-2011 field 14.018 knows the
// first three.
type Reason string

// The reasons.
const (
	Missing  Reason = "missing"  // amputated
	Bandaged Reason = "bandaged" // cannot be printed now
	Unable   Reason = "unable"   // cannot be printed for another reason
	Refused  Reason = "refused"  // the person will not give it
)

// Known tells whether it is one of the above.
func (r Reason) Known() bool {
	return slices.Contains([]Reason{Missing, Bandaged, Unable, Refused}, r)
}

// Errors of commands.
var (
	ErrPosition = &fault.Error{Code: "finger.position", Hint: "fingers are 1, right thumb, to 10, left little finger; several at once 13, 14, 15 where the scanner takes them"}
	ErrNoTries  = &fault.Error{Code: "finger.no_tries", Hint: "every try of this finger is used: go on with the next"}
)

// What a try may be found to be, beside the findings of package slap.
const (
	LowQuality fault.Code = "finger.quality"   // taken again while tries are left
	Duplicate  fault.Code = "finger.duplicate" // this finger was given for another position
	Sequence   fault.Code = "finger.sequence"  // not the finger that was given for this position before
	NoPrint    fault.Code = "finger.enrol"     // too little to make a template of
)

// Print is what is kept of one finger.
type Print struct {
	Template *finger.Template
	Record   []byte        // the template as an ISO/IEC 19794-2:2005 record of one view
	Image    *finger.Image // for the officer's eye; of a slap the part that is the finger, upright
	From     int           // the slap code or position it was asked for by
}

// LogValue keeps prints out of logs.
func (Print) LogValue() slog.Value { return slog.StringValue("print (redacted)") }

// String keeps prints out of the fmt verbs.
func (Print) String() string { return "print (redacted)" }

// Ask is what a try asks the person for.
type Ask struct {
	Code    int            // 13, 14, 15 a slap; 1 to 10 a finger
	Fingers []int          // positions that are expected
	Gone    map[int]Reason // of the code's fingers, those that will not be there
	Try     int            // which it is, from 1
}

// Session is the taking of one person's fingers. It is for one goroutine at a time.
type Session struct {
	plan  []int // codes in the order asked for
	tries map[int]int
	gone  map[int]Reason
	kept  map[int]Print // the best by position
	cut   map[int]bool  // slaps of which fingers reached over the edge when they were last taken
	last  map[int]error // what was wrong with the last try, by code and by position

	match *finger.Matcher
}

// LogValue keeps prints out of logs.
func (*Session) LogValue() slog.Value { return slog.StringValue("ten fingers (redacted)") }

// String keeps prints out of the fmt verbs.
func (*Session) String() string { return "ten fingers (redacted)" }

// Plan is the order in which fingers are asked for: whole hands first where the
// scanner takes them; then the index fingers, as one is most often on a list and
// gives the best prints, the little ones last.
func Plan(slaps bool) []int {
	single := []int{2, 7, 3, 8, 1, 6, 4, 9, 5, 10}
	if !slaps {
		return single
	}
	return append([]int{int(slap.RightFour), int(slap.LeftFour), int(slap.TwoThumbs)}, single...)
}

// New begins a session in which gone will not be given. plan lists what may be asked
// for, in order, each code once. Errors: ErrPosition.
func New(plan []int, gone map[int]Reason) (*Session, error) {
	s := &Session{plan: slices.Clone(plan), tries: map[int]int{}, gone: map[int]Reason{}, kept: map[int]Print{},
		cut: map[int]bool{}, last: map[int]error{}, match: finger.NewMatcher()}
	for i, code := range plan {
		if Fingers(code) == nil || slices.Contains(plan[:i], code) {
			return nil, ErrPosition
		}
	}
	for p, why := range gone {
		if p < 1 || p > 10 || !why.Known() {
			return nil, ErrPosition
		}
		s.gone[p] = why
	}
	return s, nil
}

// Fingers are the positions of a code as they lie in a picture, from left to right;
// nil if it is none.
func Fingers(code int) []int {
	if code >= 1 && code <= 10 {
		return []int{code}
	}
	return slap.Hand(code).Positions()
}

// expected are the fingers of a code that were not excepted.
func (s *Session) expected(code int) []int {
	return slices.DeleteFunc(slices.Clone(Fingers(code)), func(p int) bool { _, gone := s.gone[p]; return gone })
}

// Begin tells what a try of a code asks for. Where none of its fingers was to be
// given, the person gives them after all. Errors: ErrPosition, ErrNoTries.
func (s *Session) Begin(code int) (Ask, error) {
	switch {
	case !slices.Contains(s.plan, code):
		return Ask{}, ErrPosition
	case s.tries[code] >= Tries:
		return Ask{}, ErrNoTries
	}
	if len(s.expected(code)) == 0 {
		for _, p := range Fingers(code) {
			delete(s.gone, p)
		}
	}
	delete(s.last, code)
	ask := Ask{Code: code, Fingers: s.expected(code), Gone: map[int]Reason{}, Try: s.tries[code] + 1}
	for _, p := range Fingers(code) {
		if why, gone := s.gone[p]; gone {
			ask.Gone[p] = why
		}
	}
	return ask, nil
}

// Except notes that the fingers of a code will not be given; what was taken of them
// is overwritten and forgotten. Errors: ErrPosition.
func (s *Session) Except(code int, why Reason) error {
	if !slices.Contains(s.plan, code) || !why.Known() {
		return ErrPosition
	}
	for _, p := range Fingers(code) {
		s.gone[p] = why
		delete(s.last, p)
		if print, has := s.kept[p]; has {
			clear(print.Image.Pix)
			delete(s.kept, p)
		}
	}
	return nil
}

// State is where a finger or a slap stands.
type State string

// The states.
const (
	Open     State = "open"     // to be taken, perhaps again
	Taken    State = "taken"    // the best of its tries is kept
	Failed   State = "failed"   // every try was used and none gave a print
	Excepted State = "excepted" // the person cannot or will not give it
)

// Standing is what is known of a finger or a slap, without its prints.
type Standing struct {
	State   State
	Tries   int
	Quality int    // 0 to 100, of the best print; of a slap the worst of its fingers' best
	Last    error  // why the last try did not do, nil where it did
	Gone    Reason // with Excepted
	Held    bool   // there is a print of it, or of one of its fingers
}

// Standing tells how far a code is.
func (s *Session) Standing(code int) Standing {
	expected := s.expected(code)
	out := Standing{State: Open, Tries: s.tries[code], Last: s.last[code]}
	if len(expected) == 0 {
		out.State, out.Last = Excepted, nil
		for _, p := range Fingers(code) {
			out.Gone = s.gone[p]
		}
		return out
	}
	good := 0
	for _, p := range expected {
		print, has := s.kept[p]
		if !has {
			continue
		}
		q := print.Template.Quality
		if !out.Held || q < out.Quality {
			out.Quality = q
		}
		out.Held = true
		if q >= MinQuality {
			good++
		}
	}
	spent := s.spent(code)
	switch {
	case good == len(expected) && (spent || !s.cut[code]), spent && out.Held:
		out.State = Taken
	case spent:
		out.State = Failed
	}
	return out
}

// spent tells that nothing more is asked of a code: its tries are used, or those of
// the slap that its print is of.
func (s *Session) spent(code int) bool {
	print, has := s.kept[code]
	return s.tries[code] >= Tries || has && s.tries[print.From] >= Tries
}

// Prints are the best prints by position. The map is the caller's, what it holds is
// not to be changed.
func (s *Session) Prints() map[int]Print { return maps.Clone(s.kept) }

// Gone are the excepted fingers with their reasons.
func (s *Session) Gone() map[int]Reason { return maps.Clone(s.gone) }
