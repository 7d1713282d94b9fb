package tenprint

import (
	"bytes"
	"errors"
	"image"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/fault"
	hwfinger "github.com/watchpost/watchpost/hwtest/finger"
)

func begin(t *testing.T, plan []int, gone map[int]Reason) *Session {
	t.Helper()
	s, err := New(plan, gone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPlan(t *testing.T) {
	for name, c := range map[string]struct {
		plan []int
		gone map[int]Reason
	}{
		"palm":            {[]int{11}, nil},
		"zero":            {[]int{0}, nil},
		"negative":        {[]int{-1}, nil},
		"twice":           {[]int{13, 13}, nil},
		"sixteen":         {[]int{16}, nil},
		"gone elsewhere":  {Plan(true), map[int]Reason{13: Missing}},
		"gone at zero":    {Plan(true), map[int]Reason{0: Missing}},
		"no reason":       {Plan(true), map[int]Reason{3: ""}},
		"unknown reason":  {Plan(true), map[int]Reason{3: "lost"}},
		"unknown and not": {Plan(true), map[int]Reason{3: Missing, 4: "lost"}},
	} {
		if s, err := New(c.plan, c.gone); !errors.Is(err, ErrPosition) || s != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := begin(t, Plan(true), map[int]Reason{5: Missing})
	for code, want := range map[int][]int{13: {2, 3, 4}, 14: {10, 9, 8, 7}, 15: {6, 1}, 7: {7}} {
		if a, err := s.Begin(code); err != nil || a.Try != 1 || !slices.Equal(a.Fingers, want) {
			t.Errorf("%d: %+v, %v", code, a, err)
		}
	}
	if a, err := s.Begin(13); err != nil || !maps.Equal(a.Gone, map[int]Reason{5: Missing}) {
		t.Errorf("%+v, %v", a, err)
	}
	for _, code := range []int{0, 11, 12, 16, -1} {
		if _, err := s.Begin(code); !errors.Is(err, ErrPosition) {
			t.Errorf("%d: %v", code, err)
		}
		if err := s.Miss(code, slap.ErrEmpty); !errors.Is(err, ErrPosition) {
			t.Errorf("%d: %v", code, err)
		}
		if _, err := s.Take(code, &Touch{}); !errors.Is(err, ErrPosition) {
			t.Errorf("%d: %v", code, err)
		}
		if err := s.Except(code, Missing); !errors.Is(err, ErrPosition) {
			t.Errorf("%d: %v", code, err)
		}
	}
	if _, err := begin(t, Plan(false), nil).Begin(13); !errors.Is(err, ErrPosition) {
		t.Errorf("a hand where the scanner takes fingers: %v", err)
	}
}

func TestExceptions(t *testing.T) {
	s := begin(t, Plan(true), nil)
	for _, why := range []Reason{"", "gone", "XX"} {
		if err := s.Except(3, why); !errors.Is(err, ErrPosition) {
			t.Errorf("%q: %v", why, err)
		}
	}
	for _, p := range []int{2, 3, 4} {
		if err := s.Except(p, Refused); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Standing(13); st.State != Open {
		t.Errorf("the little finger is left: %+v", st)
	}
	if err := s.Except(5, Bandaged); err != nil {
		t.Fatal(err)
	}
	if st := s.Standing(13); st.State != Excepted || !st.Gone.Known() {
		t.Errorf("a hand of which nothing is given: %+v", st)
	}
	// Asked for again, it is given after all.
	if a, err := s.Begin(13); err != nil || len(a.Fingers) != 4 || len(a.Gone) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	if err := s.Except(14, Bandaged); err != nil { // all of a hand in one word
		t.Fatal(err)
	}
	if a, err := s.Begin(8); err != nil || !slices.Equal(a.Fingers, []int{8}) {
		t.Errorf("one of them: %+v, %v", a, err)
	}
	if want := map[int]Reason{7: Bandaged, 9: Bandaged, 10: Bandaged}; !maps.Equal(s.Gone(), want) {
		t.Errorf("gone %v", s.Gone())
	}
}

// person is whose fingers are taken.
var person = sync.OnceValue(func() *hwfinger.Person { return hwfinger.NewPerson(5, hwfinger.CacheDir()) })

// slapOf is the person's hand on a scanner.
func slapOf(t *testing.T, code int, lay hwfinger.Lay, time uint64) *finger.Image {
	t.Helper()
	g, err := person().Slap(code, lay, time)
	if err != nil {
		t.Fatal(err)
	}
	return whole(g)
}

// plainOf is one finger of the person by itself.
func plainOf(t *testing.T, position int) *finger.Image {
	t.Helper()
	g, err := person().Print(position, hwfinger.Good, 1)
	if err != nil {
		t.Fatal(err)
	}
	return whole(g)
}

// whole is a picture of a scanner on which pix lies.
func whole(g *image.Gray) *finger.Image {
	return &finger.Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: 500}
}

// try reads a picture and notes it.
func try(t *testing.T, s *Session, code int, m *finger.Image) *Take {
	t.Helper()
	ask, err := s.Begin(code)
	if err != nil {
		t.Fatal(err)
	}
	touch, err := Read(finger.NewExtractor(), m, ask)
	if err != nil {
		t.Fatal(err)
	}
	take, err := s.Take(code, touch)
	if err != nil {
		t.Fatal(err)
	}
	return take
}

// A hand from pictures: the wrong one, the right one, the same fingers as the other
// hand, nothing.
func TestHands(t *testing.T) {
	s := begin(t, Plan(true), nil)
	take := try(t, s, 14, slapOf(t, 14, hwfinger.OtherHand, 0))
	if st := s.Standing(14); take.Findings[0] != slap.WrongHand || st.State != Open || st.Held || len(s.Prints()) != 0 || fault.CodeOf(st.Last) != slap.WrongHand {
		t.Fatalf("the right hand for the left: %+v %+v", take, st)
	}
	take = try(t, s, 13, slapOf(t, 13, hwfinger.Whole, 0))
	if st := s.Standing(13); st.State != Taken || st.Last != nil || len(take.Findings) != 0 || len(s.Prints()) != 4 {
		t.Fatalf("right hand: %+v %+v", take, st)
	}
	for p, print := range s.Prints() {
		views, err := finger.ParseRecord(print.Record)
		if err != nil || len(views) != 1 || int(views[0].Position) != p || print.From != 13 || p < 2 || p > 5 || s.Standing(p).State != Taken {
			t.Errorf("finger %d from %d: %v", p, print.From, err)
		}
		if print.Image.Width > 500 || len(print.Image.Pix) != print.Image.Width*print.Image.Height {
			t.Errorf("finger %d is kept as %d pixels across", p, print.Image.Width)
		}
	}
	take = try(t, s, 14, slapOf(t, 14, hwfinger.Posing, 0))
	if st := s.Standing(14); take.Findings[0] != Duplicate || st.State != Open || len(s.Prints()) != 4 || fault.CodeOf(st.Last) != Duplicate {
		t.Fatalf("the same fingers again: %+v %+v", take, st)
	}
	g := image.NewGray(image.Rect(0, 0, 800, 750))
	for i := range g.Pix {
		g.Pix[i] = 240
	}
	ask, err := s.Begin(14)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Read(finger.NewExtractor(), whole(g), ask)
	if !errors.Is(err, slap.ErrEmpty) || !OfTouch(err) {
		t.Fatalf("nothing on the scanner: %v", err)
	}
	if err := s.Miss(14, err); err != nil {
		t.Fatal(err)
	}
	if st := s.Standing(14); st.State != Failed || st.Tries != Tries {
		t.Errorf("after three bad tries: %+v", st)
	}
	if _, err := s.Begin(14); !errors.Is(err, ErrNoTries) {
		t.Errorf("a fourth: %v", err)
	}
	if err := s.Miss(14, err); !errors.Is(err, ErrNoTries) {
		t.Errorf("a fourth: %v", err)
	}
	if st := s.Standing(8); st.State != Open {
		t.Errorf("the fingers of that hand can be taken one by one: %+v", st)
	}
	// A finger by itself: known from the slap, whichever it is asked for as.
	if take := try(t, s, 8, plainOf(t, 3)); take.Fingers[0].Code != Duplicate || take.Fingers[0].Same != 3 || take.Fingers[0].Kept {
		t.Errorf("the right middle finger for the left: %+v", take)
	}
	if take := try(t, s, 1, plainOf(t, 1)); len(take.Findings) != 0 || s.Prints()[1].From != 1 {
		t.Errorf("another finger: %+v", take)
	}
	if take := try(t, s, 13, slapOf(t, 13, hwfinger.Turned, 1)); len(take.Findings) != 0 || s.Standing(13).State != Taken {
		t.Errorf("the right hand once more: %+v", take)
	}
	if take := try(t, s, 13, slapOf(t, 13, hwfinger.Twice, 0)); take.Findings[0] != Duplicate || s.Standing(13).State != Taken {
		t.Errorf("one finger twice: %+v", take)
	}
}

// drawn is a template of minutiae by chance: another seed is another finger.
func drawn(seed uint64, quality int) *finger.Template {
	rng := rand.New(rand.NewPCG(seed, 7))
	var all []finger.Minutia
	for range 40 {
		all = append(all, finger.Minutia{X: 30 + 300*rng.Float32(), Y: 30 + 300*rng.Float32(), Angle: 6.28 * rng.Float32(), Kind: finger.KindEnding, Quality: 80})
	}
	t := finger.NewTemplate(360, 360, all)
	t.Quality = quality
	return t
}

// lain is a touch of a hand: one finger a seed, from the left, each of a quality.
func lain(code int, sure float64, seeds []uint64, quality ...int) *Touch {
	t := &Touch{Hand: slap.Hand(code)}
	for i, seed := range seeds {
		f := Impression{Position: Fingers(code)[i], Sure: sure, Box: slap.Box{X: float64(400 * i), Width: 300, Height: 400}, Image: &finger.Image{Pix: []byte{1}, Width: 1, Height: 1}}
		if seed != 0 {
			f.Template = drawn(seed, quality[min(i, len(quality)-1)])
		}
		t.Fingers = append(t.Fingers, f)
	}
	return t
}

func (t *Touch) found(codes ...fault.Code) *Touch { t.Findings = codes; return t }

var fingersABCD = []uint64{11, 12, 13, 14}

// What one try does to a right hand. State and code are the hand's afterwards.
func TestOneTry(t *testing.T) {
	for name, c := range map[string]struct {
		touch *Touch
		state State
		code  fault.Code
		held  int
	}{
		"as asked":                  {lain(13, 1, fingersABCD, 80), Taken, "", 4},
		"one is poor":               {lain(13, 1, fingersABCD, 80, 80, 12, 80), Open, LowQuality, 4},
		"one has no ridges":         {lain(13, 1, []uint64{11, 12, 0, 14}, 80), Open, NoPrint, 3},
		"other hand":                {lain(14, 1, fingersABCD, 80).found(slap.WrongHand), Open, slap.WrongHand, 0},
		"other hand, not said":      {lain(14, 1, fingersABCD, 80), Open, "", 0},
		"hand unclear":              {(&Touch{Fingers: lain(13, 1, fingersABCD, 80).Fingers}).found(slap.Unclear), Open, slap.Unclear, 0},
		"one too many":              {lain(13, 1, fingersABCD, 80).found(slap.TooMany), Open, slap.TooMany, 0},
		"one too few":               {lain(13, 1, fingersABCD[:3], 80).found(slap.TooFew), Open, slap.TooFew, 0},
		"turned":                    {lain(13, 1, fingersABCD, 80).found(slap.Turned), Open, slap.Turned, 0},
		"over the edge":             {lain(13, 1, fingersABCD, 80).found(slap.CutOff), Open, slap.CutOff, 4},
		"one finger twice":          {lain(13, 1, []uint64{11, 12, 12, 14}, 80), Open, Duplicate, 0},
		"twice and the wrong hand":  {lain(14, 1, []uint64{11, 12, 12, 14}, 80).found(slap.WrongHand), Open, slap.WrongHand, 0},
		"few and poor: few is said": {lain(13, 1, fingersABCD[:3], 12).found(slap.TooFew), Open, slap.TooFew, 0},
		"nothing at all":            {lain(13, 1, nil), Open, "", 0},
	} {
		s := begin(t, Plan(true), nil)
		if _, err := s.Take(13, c.touch); err != nil {
			t.Fatal(err)
		}
		st := s.Standing(13)
		code := fault.Code("")
		if st.Last != nil {
			code = fault.CodeOf(st.Last)
		}
		if st.State != c.state || code != c.code || len(s.Prints()) != c.held || st.Tries != 1 {
			t.Errorf("%s: %+v, %s, %d prints", name, st, code, len(s.Prints()))
		}
	}
	s := begin(t, Plan(false), nil)
	for _, bad := range []*Touch{{}, lain(13, 1, fingersABCD[:1], 80), lain(13, 1, fingersABCD, 80)} {
		if _, err := s.Take(3, bad); !errors.Is(err, ErrPosition) {
			t.Errorf("no answer to what was asked: %v", err)
		}
	}
	if st := s.Standing(3); st.Tries != 0 {
		t.Errorf("and yet a try: %+v", st)
	}
}

// Of three tries of a hand the best of each finger is kept.
func TestBestOfEachFinger(t *testing.T) {
	s := begin(t, Plan(true), nil)
	for n, c := range []struct {
		quality []int
		state   State
		want    []int
	}{
		{[]int{80, 10, 20, 10}, Open, []int{80, 10, 20, 10}},
		{[]int{40, 50, 10, 25}, Open, []int{80, 50, 20, 25}},
		{[]int{10, 10, 25, 20}, Taken, []int{80, 50, 25, 25}},
	} {
		if _, err := s.Take(13, lain(13, 1, fingersABCD, c.quality...)); err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, p := range Fingers(13) {
			got = append(got, s.Prints()[p].Template.Quality)
		}
		if st := s.Standing(13); st.State != c.state || !slices.Equal(got, c.want) || st.Quality != slices.Min(c.want) {
			t.Errorf("try %d: %+v, %v", n+1, st, got)
		}
		if st := s.Standing(4); st.State != map[bool]State{true: Taken, false: Open}[n == 2] || fault.CodeOf(st.Last) != LowQuality {
			t.Errorf("try %d, ring finger: %+v", n+1, st)
		}
	}
}

// Two tries that together give each finger well are enough.
func TestTwoTriesTogether(t *testing.T) {
	s := begin(t, Plan(true), nil)
	for n, quality := range [][]int{{80, 80, 80, 10}, {10, 10, 10, 80}} {
		if _, err := s.Take(13, lain(13, 1, fingersABCD, quality...)); err != nil {
			t.Fatal(err)
		}
		if got, want := s.Standing(13).State, []State{Open, Taken}[n]; got != want {
			t.Errorf("after %d: %s", n+1, got)
		}
	}
}

// A finger that is not there and was not excepted: the hand is asked for again, and
// of the last try the fingers are kept whose positions are sure.
func TestFingerLacking(t *testing.T) {
	for name, c := range map[string]struct {
		sure  float64
		held  int
		state State
	}{"sure": {0.97, 3, Taken}, "not sure": {0.6, 0, Failed}} {
		s := begin(t, Plan(true), nil)
		for n := range Tries {
			if len(s.Prints()) != 0 {
				t.Errorf("%s: kept after %d", name, n)
			}
			if _, err := s.Take(13, lain(13, c.sure, fingersABCD[:3], 80).found(slap.TooFew)); err != nil {
				t.Fatal(err)
			}
		}
		if st := s.Standing(13); st.State != c.state || len(s.Prints()) != c.held {
			t.Errorf("%s: %+v, %d prints", name, st, len(s.Prints()))
		}
		if st := s.Standing(5); st.State != Open {
			t.Errorf("%s: the lacking one can be taken by itself: %+v", name, st)
		}
	}
	s := begin(t, Plan(true), map[int]Reason{5: Missing})
	if _, err := s.Take(13, lain(13, 1, fingersABCD[:3], 80)); err != nil || s.Standing(13).State != Taken {
		t.Errorf("what was excepted is not waited for: %+v, %v", s.Standing(13), err)
	}
	// Nor kept where the picture names it none the less.
	s = begin(t, Plan(true), map[int]Reason{5: Missing})
	if _, err := s.Take(13, lain(13, 1, fingersABCD, 80)); err != nil || len(s.Prints()) != 3 || s.Standing(5).State != Excepted {
		t.Errorf("%d prints, %v", len(s.Prints()), err)
	}
}

// Prints of one hand stand against those of the other, and against later tries.
func TestAgainstEarlier(t *testing.T) {
	for name, c := range map[string]struct {
		code  int
		touch *Touch
		want  fault.Code
		same  int
		held  int
	}{
		"same hand again":               {13, lain(13, 1, fingersABCD, 90), "", 0, 4},
		"other fingers as this hand":    {13, lain(13, 1, []uint64{21, 22, 23, 24}, 90), Sequence, 0, 4},
		"other fingers, too poor":       {13, lain(13, 1, []uint64{21, 22, 23, 24}, 20), LowQuality, 0, 4},
		"this hand as the other":        {14, lain(14, 1, fingersABCD, 90), Duplicate, 2, 4},
		"one finger of it":              {14, lain(14, 1, []uint64{21, 22, 23, 13}, 90), Duplicate, 4, 4},
		"other fingers as the other":    {14, lain(14, 1, []uint64{21, 22, 23, 24}, 90), "", 0, 8},
		"a finger as its neighbour":     {3, lain(3, 1, []uint64{11}, 90), Duplicate, 2, 4},
		"a finger as a thumb":           {1, lain(1, 1, []uint64{14}, 90), Duplicate, 5, 4},
		"the finger itself":             {2, lain(2, 1, []uint64{11}, 90), "", 0, 4},
		"fingers exchanged":             {13, lain(13, 1, []uint64{12, 11, 13, 14}, 90), Duplicate, 3, 4},
		"thumbs that are fingers":       {15, lain(15, 1, []uint64{11, 31}, 90), Duplicate, 2, 4},
		"a thumb twice":                 {15, lain(15, 1, []uint64{31, 31}, 90), Duplicate, 1, 4},
		"thumbs, one without any ridge": {15, lain(15, 1, []uint64{31, 0}, 90), NoPrint, 0, 5},
	} {
		s := begin(t, Plan(true), nil)
		if _, err := s.Take(13, lain(13, 1, fingersABCD, 80)); err != nil {
			t.Fatal(err)
		}
		take, err := s.Take(c.code, c.touch)
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		for _, f := range take.Fingers {
			if same == 0 {
				same = f.Same
			}
		}
		code := fault.Code("")
		if len(take.Findings) > 0 {
			code = take.Findings[0]
		}
		if code != c.want || same != c.same || len(s.Prints()) != c.held {
			t.Errorf("%s: %+v, %d prints", name, take, len(s.Prints()))
		}
		if s.Standing(13).State != Taken {
			t.Errorf("%s: what was taken before is no more", name)
		}
	}
}

// What is excepted after it was taken is overwritten.
func TestExceptedIsForgotten(t *testing.T) {
	s := begin(t, Plan(true), nil)
	touch := lain(13, 1, fingersABCD, 80)
	if _, err := s.Take(13, touch); err != nil {
		t.Fatal(err)
	}
	if err := s.Except(3, Refused); err != nil {
		t.Fatal(err)
	}
	if _, has := s.Prints()[3]; has || !bytes.Equal(touch.Fingers[1].Image.Pix, []byte{0}) || touch.Fingers[0].Image.Pix[0] != 1 {
		t.Errorf("pixels %v", touch.Fingers[1].Image.Pix)
	}
	if s.Standing(3).State != Excepted || s.Standing(13).State != Taken {
		t.Errorf("%+v, %+v", s.Standing(3), s.Standing(13))
	}
}

func TestErrorsOfTouch(t *testing.T) {
	for err, want := range map[error]bool{
		finger.ErrEnrol: true, finger.ErrImageSize: true, slap.ErrEmpty: true, slap.ErrImageSize: true, fault.New("finger.quality", "rejected"): true,
		nil: false, slap.ErrDPI: false, fault.New("device.lost", "out"): false, fault.New("capture.deadline", "late"): false,
		errors.New("other"): false, fault.New("finger.unsupported", "chip"): false,
	} {
		if OfTouch(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}

func TestRedacts(t *testing.T) {
	s := begin(t, Plan(true), nil)
	if s.String() != "ten fingers (redacted)" || s.LogValue().String() != s.String() || (Print{}).String() != "print (redacted)" || (Touch{}).LogValue().String() != "touch (redacted)" {
		t.Error("a session shows itself")
	}
}
