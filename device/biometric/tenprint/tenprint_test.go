package tenprint

import (
	"encoding/json"
	"errors"
	"image"
	"slices"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/prints"
	"github.com/watchpost/watchpost/hwtest/gen/slaps"
)

func TestReasonCodes(t *testing.T) {
	for r, want := range map[Reason]string{Missing: "XX", Bandaged: "UP", Unable: "UP", Refused: "", "": "", "lost": ""} {
		if r.Code() != want {
			t.Errorf("%q: %q", r, r.Code())
		}
	}
}

func TestPlan(t *testing.T) {
	for name, plan := range map[string][]int{"palm": {11}, "zero": {0}, "negative": {-1}, "twice": {13, 13}, "sixteen": {16}} {
		if s, err := New(plan); !errors.Is(err, ErrPosition) || s != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := New(Slaps())
	if err != nil {
		t.Fatal(err)
	}
	if a, more := s.Next(); !more || a.Code != 13 || a.Try != 1 || !slices.Equal(a.Fingers, []int{2, 3, 4, 5}) {
		t.Errorf("%+v", a)
	}
	for _, c := range []struct {
		position int
		why      Reason
		want     error
	}{{0, Missing, ErrPosition}, {11, Missing, ErrPosition}, {13, Missing, ErrPosition}, {3, "", ErrReason}, {3, "gone", ErrReason}, {3, Missing, nil}} {
		if err := s.Except(c.position, c.why); !errors.Is(err, c.want) {
			t.Errorf("%d %q: %v", c.position, c.why, err)
		}
	}
	if a, _ := s.Next(); !slices.Equal(a.Fingers, []int{2, 4, 5}) {
		t.Errorf("the missing finger is asked for: %+v", a)
	}
	for _, p := range []int{2, 4, 5} {
		if err := s.Except(p, Refused); err != nil {
			t.Fatal(err)
		}
	}
	if a, _ := s.Next(); a.Code != 14 {
		t.Errorf("a hand of which nothing is given is asked for: %+v", a)
	}
	s.Restore(4)
	if a, _ := s.Next(); a.Code != 13 || !slices.Equal(a.Fingers, []int{4}) {
		t.Errorf("a finger given after all is not asked for: %+v", a)
	}
	if got := s.Lacking(); !slices.Equal(got, []int{1, 4, 6, 7, 8, 9, 10}) {
		t.Errorf("lacking %v", got)
	}
}

// pool are ten invented fingers cheaply drawn apart; index = position-1.
var pool = sync.OnceValue(func() []*prints.Master {
	var out []*prints.Master
	for i := range uint64(5) {
		out = append(out, prints.NewMaster(40+i))
	}
	return out
})

// plainOf is an impression of a finger.
func plainOf(master int, noise float64, seed uint64) *finger.Image {
	g := pool()[master].Impression(prints.Condition{Area: 0.9, Noise: noise, Rotation: 4}, seed)
	return &finger.Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: prints.DPI}
}

// hand composes a slap of four of the pool.
func hand(code int, masters []int, seed uint64) *finger.Image {
	var list []*slaps.Print
	for _, m := range masters {
		list = append(list, slaps.NewPrint(pool()[m].Impression(prints.Condition{Area: 0.9, Noise: 0.1}, seed), prints.DPI))
	}
	g, _ := slaps.Compose(list, slaps.Layout{Code: code, Gap: 2, Natural: true}, seed)
	return &finger.Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: slaps.DPI}
}

func blank() *finger.Image {
	g := image.NewGray(image.Rect(0, 0, 800, 750))
	for i := range g.Pix {
		g.Pix[i] = 240
	}
	return &finger.Image{Pix: g.Pix, Width: 800, Height: 750, DPI: 500}
}

func TestSlapIsTaken(t *testing.T) {
	s, err := New([]int{13, 14})
	if err != nil {
		t.Fatal(err)
	}
	take, err := s.Slap(13, hand(14, []int{0, 1, 2, 3}, 3))
	if err != nil || take.Done || !slices.Contains(take.Findings, slap.WrongHand) || len(s.Prints()) != 0 {
		t.Fatalf("the left hand for the right: %v %+v", err, take)
	}
	take, err = s.Slap(13, hand(13, []int{0, 1, 2, 3}, 3))
	if err != nil || !take.Done || len(take.Findings) != 0 || len(s.Prints()) != 4 {
		t.Fatalf("right hand: %v %+v", err, take)
	}
	for p, print := range s.Prints() {
		if print.From != 13 || print.Quality < MinQuality || p < 2 || p > 5 {
			t.Errorf("finger %d from %d, quality %d", p, print.From, print.Quality)
		}
	}
	// After a restart the same fingers as the other hand are still known.
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Resume(b); err != nil {
		t.Fatal(err)
	}
	take, err = s.Slap(14, hand(14, []int{0, 1, 2, 3}, 4))
	if err != nil || take.Done || !slices.Contains(take.Findings, Duplicate) || len(s.Prints()) != 4 {
		t.Fatalf("the same fingers again: %v %+v, %d prints", err, take, len(s.Prints()))
	}
	for range 2 {
		take, err = s.Slap(14, blank())
		if err != nil || !slices.Equal(take.Findings, []fault.Code{slap.ErrEmpty.Code}) {
			t.Errorf("nothing on the platen: %v %+v", err, take)
		}
	}
	if !take.Done {
		t.Error("a fourth try is asked for")
	}
	if _, err := s.Slap(14, blank()); !errors.Is(err, ErrNoTries) {
		t.Errorf("a fourth try: %v", err)
	}
	if _, more := s.Next(); more {
		t.Error("something is still asked for")
	}
}

func TestPlainAgainstSlap(t *testing.T) {
	s, err := New([]int{13, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Slap(13, hand(13, []int{0, 1, 2, 3}, 3)); err != nil {
		t.Fatal(err)
	}
	at := map[int]int{} // which master lies where: the composer chose
	for m := range 4 {
		for p, print := range s.Prints() {
			tpl, err := finger.NewExtractor().Extract(plainOf(m, 0.1, 9))
			if err != nil {
				t.Fatal(err)
			}
			if s.same(Print{Template: tpl}, print) {
				at[p] = m
			}
		}
	}
	if len(at) != 4 {
		t.Fatalf("only %v are known again", at)
	}
	take, err := s.Finger(2, plainOf(at[3], 0.1, 9))
	if err != nil || take.Done || take.Fingers[0].Code != Sequence || take.Fingers[0].Same != 3 || take.Fingers[0].Kept {
		t.Errorf("the middle finger for the index: %v %+v", err, take)
	}
	take, err = s.Finger(2, plainOf(at[2], 0.1, 9))
	if err != nil || !take.Done || len(take.Findings) != 0 || !take.Fingers[0].Kept {
		t.Errorf("the index finger: %v %+v", err, take)
	}
	take, err = s.Finger(1, plainOf(at[5], 0.1, 9))
	if err != nil || take.Fingers[0].Code != Duplicate || take.Fingers[0].Same != 5 {
		t.Errorf("the little finger for the thumb: %v %+v", err, take)
	}
	take, err = s.Finger(1, plainOf(4, 0.1, 9))
	if err != nil || !take.Done || len(take.Findings) != 0 {
		t.Errorf("the thumb: %v %+v", err, take)
	}
	if err := s.Except(3, Bandaged); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Finger(3, plainOf(at[3], 0.1, 9)); !errors.Is(err, ErrExcepted) {
		t.Errorf("an excepted finger: %v", err)
	}
	if _, err := s.Finger(9, plainOf(4, 0.1, 9)); !errors.Is(err, ErrPosition) {
		t.Errorf("a finger that was not planned: %v", err)
	}
	if _, has := s.Prints()[3]; has {
		t.Error("the excepted finger is still kept")
	}
}

// The best of the tries is kept, whichever came first.
func TestBestIsKept(t *testing.T) {
	held := map[int]Print{}
	for _, c := range []struct {
		quality int
		kept    bool
	}{{20, true}, {10, false}, {20, false}, {60, true}, {59, false}} {
		if got := keep(held, 2, Print{Quality: c.quality}); got != c.kept {
			t.Errorf("quality %d: kept %v", c.quality, got)
		}
	}
	if held[2].Quality != 60 {
		t.Errorf("quality %d is kept", held[2].Quality)
	}
}

func TestResumeRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"empty":          ``,
		"no object":      `[]`,
		"version":        `{"version":2,"plan":[13]}`,
		"no version":     `{"plan":[13]}`,
		"plan":           `{"version":1,"plan":[99]}`,
		"tries":          `{"version":1,"plan":[13],"tries":{"13":4}}`,
		"negative tries": `{"version":1,"plan":[13],"tries":{"13":-1}}`,
		"other tries":    `{"version":1,"plan":[13],"tries":{"14":1}}`,
		"closed":         `{"version":1,"plan":[13],"closed":[14]}`,
		"reason":         `{"version":1,"plan":[13],"gone":{"3":"lost"}}`,
		"gone where":     `{"version":1,"plan":[13],"gone":{"13":"missing"}}`,
		"record":         `{"version":1,"plan":[13],"slaps":[{"position":3,"quality":50,"from":13,"record":"AAAA"}]}`,
		"no plan":        `{"version":1,"plan":[14],"slaps":[{"position":3,"quality":50,"from":13,"record":"AAAA"}]}`,
	} {
		if s, err := Resume([]byte(in)); !errors.Is(err, ErrState) || s != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Resume(make([]byte, maxState+1)); !errors.Is(err, ErrState) {
		t.Errorf("too long: %v", err)
	}
}

func TestRedacts(t *testing.T) {
	s, err := New(Slaps())
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != "ten fingers (redacted)" || s.LogValue().String() != s.String() || (Print{}).String() != "print (redacted)" {
		t.Error("a session shows itself")
	}
}

func FuzzResume(f *testing.F) {
	f.Add([]byte(`{"version":1,"plan":[13,14,15],"tries":{"13":1},"closed":[14],"gone":{"3":"missing"}}`))
	f.Add([]byte(`{"version":1,"plan":[2],"plain":[{"position":2,"quality":50,"from":2,"record":"Rk1SACAyMAA="}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Resume(b)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatal(err)
			}
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Resume(again); err != nil {
			t.Fatalf("%v of %s", err, again)
		}
		s.Next()
		s.Lacking()
	})
}
