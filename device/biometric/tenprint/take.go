package tenprint

import (
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/fault"
)

// sureAlone is how sure a position must be where a finger of the slap is lacking:
// three fingers may be the first three or the last three.
const sureAlone = 0.9

// Take is how a try went.
type Take struct {
	Fingers  []Seen
	Findings []fault.Code // of the whole try, the weightiest first; empty if it is as asked for
}

// Seen is one finger of a try.
type Seen struct {
	Position int // 0 if it could not be told
	Quality  int
	Kept     bool       // it is the best so far
	Code     fault.Code // what is wrong with it, "" nothing
	Same     int        // with finger.duplicate: the position that it was given for already
}

// weight is the order in which findings are told: what has to be done first.
var weight = []fault.Code{slap.WrongHand, slap.Unclear, Duplicate, Sequence, slap.TooMany, slap.Turned, slap.CutOff, slap.TooFew, NoPrint, LowQuality}

// unusable are findings after which nothing of a try is kept: whose fingers they are
// is not known.
var unusable = []fault.Code{slap.WrongHand, slap.Unclear, Duplicate, Sequence, slap.TooMany, slap.Turned}

// Miss notes a try that gave no picture or nothing in it. Errors: ErrPosition,
// ErrNoTries.
func (s *Session) Miss(code int, why error) error {
	if err := s.may(code); err != nil {
		return err
	}
	s.tries[code]++
	s.last[code] = why
	return nil
}

// Take notes a try: prints are held against those taken before, and of each finger
// the better one is kept. A comparison takes about a millisecond. Errors:
// ErrPosition, ErrNoTries, and ErrPosition for a touch that is no answer to the code.
func (s *Session) Take(code int, touch *Touch) (*Take, error) {
	if err := s.may(code); err != nil {
		return nil, err
	}
	if code <= 10 && (len(touch.Fingers) != 1 || touch.Fingers[0].Position != code) {
		return nil, ErrPosition
	}
	s.tries[code]++
	t := &Take{Findings: slices.Clone(touch.Findings)}
	for _, f := range touch.Fingers {
		seen := Seen{Position: f.Position}
		if f.Template == nil {
			seen.Code = NoPrint
		} else {
			seen.Quality = f.Template.Quality
		}
		t.Fingers = append(t.Fingers, seen)
	}
	s.duplicates(t, touch.Fingers)
	if code > 10 && s.others(touch.Fingers) {
		t.Findings = append(t.Findings, Sequence)
	}
	s.keep(code, t, touch)
	for _, f := range t.Fingers {
		if f.Code != "" && !slices.Contains(t.Findings, f.Code) {
			t.Findings = append(t.Findings, f.Code)
		}
	}
	slices.SortStableFunc(t.Findings, func(a, b fault.Code) int { return slices.Index(weight, a) - slices.Index(weight, b) })
	delete(s.last, code)
	if len(t.Findings) > 0 {
		s.last[code] = &fault.Error{Code: t.Findings[0]}
	}
	return t, nil
}

func (s *Session) may(code int) error {
	switch {
	case !slices.Contains(s.plan, code):
		return ErrPosition
	case s.tries[code] >= Tries:
		return ErrNoTries
	}
	return nil
}

// keep stores what is better than before. A slap that lacks a finger is taken anew as
// long as there are tries, and only of the last one are the fingers kept whose
// positions are sure: a print under a wrong position would stand against the right
// one from then on.
func (s *Session) keep(code int, t *Take, touch *Touch) {
	for _, f := range t.Fingers {
		if f.Code == Duplicate {
			return
		}
	}
	if slices.ContainsFunc(t.Findings, func(c fault.Code) bool { return slices.Contains(unusable, c) }) ||
		code > 10 && touch.Hand != slap.Hand(code) {
		return
	}
	lacking := slices.Contains(t.Findings, slap.TooFew)
	if lacking && s.tries[code] < Tries {
		return
	}
	s.cut[code] = slices.Contains(t.Findings, slap.CutOff)
	for i := range t.Fingers {
		f, from := &t.Fingers[i], &touch.Fingers[i]
		if _, gone := s.gone[f.Position]; f.Code != "" || f.Position == 0 || gone || lacking && from.Sure < sureAlone {
			continue
		}
		if f.Quality < MinQuality {
			f.Code = LowQuality
		}
		if code > 10 {
			delete(s.last, f.Position)
			if f.Code != "" {
				s.last[f.Position] = &fault.Error{Code: f.Code}
			}
		}
		if have, has := s.kept[f.Position]; has && have.Template.Quality >= f.Quality {
			continue
		}
		record, err := finger.MarshalISO([]finger.View{{Template: from.Template, Position: uint8(f.Position)}})
		if err != nil { // of a size that the record cannot say
			f.Code = NoPrint
			continue
		}
		f.Kept = true
		s.kept[f.Position] = Print{Template: from.Template, Record: record, Image: from.Image, From: code}
	}
}

// duplicates marks fingers of a try that are one with another of it or with one that
// was given for another position before.
func (s *Session) duplicates(t *Take, fresh []Impression) {
	for i := range t.Fingers {
		f := &t.Fingers[i]
		for j := range i {
			// Fingers that lie over each other share ridges.
			if apart(fresh[i].Box, fresh[j].Box) && s.same(fresh[i].Template, fresh[j].Template) {
				f.Code, f.Same = Duplicate, t.Fingers[j].Position
				t.Fingers[j].Code, t.Fingers[j].Same = Duplicate, f.Position
			}
		}
		for _, p := range Plan(false) {
			if f.Code == "" && p != f.Position && s.same(fresh[i].Template, s.kept[p].Template) {
				f.Code, f.Same = Duplicate, p
			}
		}
	}
}

// others tells whether a slap is of other fingers than those taken for the same
// positions before: of two or more good pairs, none is one finger.
func (s *Session) others(fresh []Impression) bool {
	pairs := 0
	for _, f := range fresh {
		have := s.kept[f.Position].Template
		if have == nil || f.Template == nil || min(have.Quality, f.Template.Quality) < MinQuality {
			continue
		}
		if s.same(f.Template, have) {
			return false
		}
		pairs++
	}
	return pairs >= 2
}

// apart tells whether two boxes share nothing that counts.
func apart(a, b slap.Box) bool {
	return math.Hypot(a.X-b.X, a.Y-b.Y) > (a.Width+b.Width)/2
}

// same tells whether two prints are of one finger, at SameFMR.
func (s *Session) same(a, b *finger.Template) bool {
	return a != nil && b != nil && finger.FMR(s.match.Score(a, b)) <= SameFMR
}
