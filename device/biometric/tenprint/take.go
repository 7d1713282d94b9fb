package tenprint

import (
	"errors"
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/fault"
)

// Take is how a try went.
type Take struct {
	Ask      Ask
	Fingers  []Taken
	Findings []fault.Code // of the whole try; empty if it is as asked for
	Done     bool         // it is not asked for again
}

// Taken is one finger of a try.
type Taken struct {
	Position int // 0 if it could not be told
	Quality  int
	Box      slap.Box   // of a slap
	Kept     bool       // it is the best so far
	Code     fault.Code // what is wrong with it, "" nothing
	Same     int        // with finger.duplicate and finger.sequence: the position that it was given for already
}

// Slap takes a try of a slap. A try of another hand than asked for counts but
// nothing of it is kept. Errors: ErrPosition, ErrNoTries, those of slap.Segment but
// slap.empty, which is a finding.
func (s *Session) Slap(code int, m *finger.Image) (*Take, error) {
	if code < int(slap.RightFour) || fingersOf(code) == nil || !slices.Contains(s.plan, code) {
		return nil, ErrPosition
	}
	t, err := s.begin(code)
	if err != nil {
		return nil, err
	}
	want := slap.Expect{Hand: slap.Hand(code)}
	for p := range s.gone {
		want.Gone = append(want.Gone, p)
	}
	slices.Sort(want.Gone)
	r, err := slap.Segment(m, want)
	if errors.Is(err, slap.ErrEmpty) {
		s.tries[code]++
		t.Findings = []fault.Code{slap.ErrEmpty.Code}
		s.end(t)
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	s.tries[code]++
	t.Findings = append(t.Findings, r.Findings...)
	usable := r.Hand == slap.Hand(code)
	var fresh []Print
	for _, f := range r.Fingers {
		taken := Taken{Position: f.Position, Box: f.Box}
		var p Print
		if tpl, err := s.extract.Extract(slap.Cut(m, f.Box)); err != nil {
			taken.Code = NoPrint
		} else {
			p = Print{tpl, tpl.Quality, code}
			taken.Quality = p.Quality
		}
		t.Fingers = append(t.Fingers, taken)
		fresh = append(fresh, p)
	}
	s.duplicates(t, fresh)
	for i := range t.Fingers {
		f := &t.Fingers[i]
		if f.Code == "" && usable && f.Position != 0 {
			f.Kept = keep(s.slaps, f.Position, fresh[i])
		}
		if f.Code == "" && f.Quality < MinQuality {
			f.Code = LowQuality
		}
	}
	s.end(t)
	return t, nil
}

// Finger takes a plain impression of one finger.
func (s *Session) Finger(position int, m *finger.Image) (*Take, error) {
	if position < 1 || position > 10 || !slices.Contains(s.plan, position) {
		return nil, ErrPosition
	}
	if _, gone := s.gone[position]; gone {
		return nil, ErrExcepted
	}
	t, err := s.begin(position)
	if err != nil {
		return nil, err
	}
	s.tries[position]++
	f := Taken{Position: position}
	var p Print
	if tpl, err := s.extract.Extract(m); errors.Is(err, finger.ErrEnrol) {
		f.Code = NoPrint
	} else if err != nil {
		s.tries[position]--
		return nil, err
	} else {
		p = Print{tpl, tpl.Quality, position}
		f.Quality = p.Quality
	}
	t.Fingers = []Taken{f}
	s.duplicates(t, []Print{p})
	if g := &t.Fingers[0]; g.Code == "" {
		g.Kept = keep(s.plain, position, p)
		if g.Quality < MinQuality {
			g.Code = LowQuality
		}
	}
	s.end(t)
	return t, nil
}

func (s *Session) begin(code int) (*Take, error) {
	if s.tries[code] >= Tries {
		return nil, ErrNoTries
	}
	return &Take{Ask: Ask{code, s.expected(code), s.tries[code] + 1}}, nil
}

// end gathers the findings of a try and closes what was asked for if it is as it
// should be or the last try is used.
func (s *Session) end(t *Take) {
	for _, f := range t.Fingers {
		if f.Code != "" && !slices.Contains(t.Findings, f.Code) {
			t.Findings = append(t.Findings, f.Code)
		}
	}
	if len(t.Findings) == 0 {
		s.closed[t.Ask.Code] = true
	}
	s.settle()
	t.Done = s.closed[t.Ask.Code]
}

// keep stores a print if it is better than the one before it.
func keep(in map[int]Print, position int, p Print) bool {
	if have, ok := in[position]; ok && have.Quality >= p.Quality {
		return false
	}
	in[position] = p
	return true
}

// duplicates marks fingers of a try that are one with another of it or with one that
// was given for another position before.
func (s *Session) duplicates(t *Take, fresh []Print) {
	for i := range t.Fingers {
		f := &t.Fingers[i]
		if f.Code != "" {
			continue
		}
		for j := range i {
			// Fingers that lie over each other share ridges.
			if t.Fingers[j].Code != NoPrint && apart(f.Box, t.Fingers[j].Box) && s.same(fresh[i], fresh[j]) {
				f.Code, f.Same = Duplicate, t.Fingers[j].Position
				t.Fingers[j].Code, t.Fingers[j].Same = Duplicate, f.Position
			}
		}
		if f.Code != "" {
			continue
		}
		for _, held := range []map[int]Print{s.slaps, s.plain} {
			for _, p := range positions(held) {
				if p == f.Position || !s.same(fresh[i], held[p]) {
					continue
				}
				f.Code, f.Same = Duplicate, p
				if _, given := s.slaps[f.Position]; given && t.Ask.Code <= 10 {
					f.Code = Sequence // the slap holds another finger there
				}
			}
		}
	}
}

func positions(in map[int]Print) []int {
	var out []int
	for p := range in {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// apart tells whether two boxes share nothing that counts.
func apart(a, b slap.Box) bool {
	return math.Hypot(a.X-b.X, a.Y-b.Y) > (a.Width+b.Width)/2
}

// same tells whether two prints are of one finger, at SameFMR. One that was read from
// a stored session has minutiae only, which rates of their own belong to.
func (s *Session) same(a, b Print) bool {
	if a.Template == nil || b.Template == nil {
		return false
	}
	score := s.match.Score(a.Template, b.Template)
	if a.Template.Quality < 0 || b.Template.Quality < 0 {
		return finger.SumFMR(score, 1) <= SameFMR
	}
	return finger.FMR(score) <= SameFMR
}
