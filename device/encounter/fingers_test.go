package encounter

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/tenprint"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// plate is a sensor on which a test lays what it wants.
type plate struct {
	hands bool // several fingers at once

	mu    sync.Mutex
	next  []touched      // guarded by mu
	asked []int          // guarded by mu
	asks  []tenprint.Ask // guarded by mu
}

type touched struct {
	touch *tenprint.Touch
	err   error
}

func (s *plate) Slaps(context.Context) bool { return s.hands }

func (s *plate) CaptureFinger(_ context.Context, ask tenprint.Ask, advice func(string)) (*tenprint.Touch, error) {
	advice("place")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked, s.asks = append(s.asked, ask.Code), append(s.asks, ask)
	t := s.next[0]
	s.next = s.next[1:]
	if t.touch != nil && ask.Code <= 10 { // a finger is what it was asked for as
		one := t.touch.Fingers[0]
		one.Position = ask.Code
		return &tenprint.Touch{Fingers: []tenprint.Impression{one}}, t.err
	}
	return t.touch, t.err
}

// lain is a print of invented minutiae: another seed is another finger.
func lain(t *testing.T, seed uint64, quality int) touched {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 7))
	var all []finger.Minutia
	for range 40 {
		all = append(all, finger.Minutia{X: 30 + 300*rng.Float32(), Y: 30 + 300*rng.Float32(), Angle: 6.28 * rng.Float32(), Kind: finger.KindEnding, Quality: 80})
	}
	made := finger.NewTemplate(360, 360, all)
	made.Quality = quality
	return touched{touch: &tenprint.Touch{Fingers: []tenprint.Impression{{Sure: 1, Template: made, Image: blank(made)}}}}
}

// tenFingers opens an encounter whose only open step are the fingers.
func tenFingers(t *testing.T, declared map[string]string, next ...touched) (*bench, *plate, string) {
	t.Helper()
	b := newBench(t)
	s := &plate{next: next}
	b.post.Sensor = s
	e, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "border_check", Fingers: true, Declared: Declared{Age: Adult, FingerExceptions: declared}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.post.CaptureFace(e.ID); err != nil {
		t.Fatal(err)
	}
	b.until(e.ID, func(e Encounter) bool { return e.Step(StepFace).State == Done })
	return b, s, e.ID
}

// give takes one finger and returns its facts once the sensor has answered.
func (b *bench) give(id string, position int) FingerFacts {
	b.t.Helper()
	if err := b.post.CaptureFinger(id, position); err != nil {
		b.t.Fatalf("finger %d: %v", position, err)
	}
	e := b.until(id, func(e Encounter) bool { return e.finger(position).State != FingerRunning })
	return *e.finger(position)
}

func TestBestOfThreeTries(t *testing.T) {
	b, s, id := tenFingers(t, nil, lain(t, 1, 12), lain(t, 1, 25), lain(t, 1, 18), lain(t, 2, 80))
	for try, want := range []FingerFacts{
		{Position: 2, State: FingerOpen, Tries: 1, Quality: 12},
		{Position: 2, State: FingerOpen, Tries: 2, Quality: 25},
		{Position: 2, State: FingerTaken, Tries: 3, Quality: 25},
	} {
		got := b.give(id, 2)
		if got.Code != "finger.quality" || got.Hint == "" {
			t.Errorf("try %d says %q, %q", try+1, got.Code, got.Hint)
		}
		got.Code, got.Hint = "", ""
		if got != want {
			t.Errorf("try %d: %+v", try+1, got)
		}
	}
	if err := b.post.CaptureFinger(id, 2); !errors.Is(err, tenprint.ErrNoTries) {
		t.Errorf("a fourth try: %v", err)
	}
	if got := b.give(id, 7); got.State != FingerTaken || got.Tries != 1 || got.Code != "" {
		t.Errorf("a good print: %+v", got)
	}
	if !slices.Equal(s.asked, []int{2, 2, 2, 7}) {
		t.Errorf("asked for %v", s.asked)
	}
	if err := b.post.EndFingers(id); err != nil {
		t.Fatal(err)
	}
	e := b.until(id, inReview)
	if e.finger(1).State != FingerNotTaken || e.Step(StepFingers).State != Done {
		t.Errorf("ended with %+v", e.Fingers)
	}
	q := b.asked[len(b.asked)-1]
	if len(q.Fingers) != 2 || q.Fingers[0].Position != 2 || q.Fingers[0].Quality != 25 || q.Fingers[1].Position != 7 {
		t.Errorf("searched by %+v", q.Fingers)
	}
}

func TestTouchesThatDoNotDo(t *testing.T) {
	twice := lain(t, 3, 90)
	b, _, id := tenFingers(t, nil, twice, twice, touched{err: finger.ErrEnrol}, touched{err: fault.New("finger.quality", "rejected")},
		touched{err: fault.New("device.lost", "out")}, lain(t, 4, 90))
	b.give(id, 2)
	if got := b.give(id, 7); got.Code != "finger.duplicate" || got.State != FingerOpen || got.Tries != 1 {
		t.Errorf("the same finger for another: %+v", got)
	}
	b.give(id, 7)
	if got := b.give(id, 7); got.State != FingerFailed || got.Tries != 3 {
		t.Errorf("three bad touches: %+v", got)
	}
	// The sensor's own fault is no try of the finger.
	if got := b.give(id, 3); got.State != FingerOpen || got.Tries != 0 || got.Code != "device.lost" {
		t.Errorf("pulled out: %+v", got)
	}
	e, err := b.post.Get(id)
	if err != nil || e.Step(StepFingers).State != Failed || e.Step(StepFingers).Hint == "" {
		t.Errorf("step %+v, %v", e.Step(StepFingers), err)
	}
	if got := b.give(id, 3); got.State != FingerTaken {
		t.Errorf("plugged in again: %+v", got)
	}
}

func TestFingerExceptions(t *testing.T) {
	b, _, id := tenFingers(t, map[string]string{"5": "missing", "6": "lost in thought"}, lain(t, 5, 70))
	e, err := b.post.Get(id)
	if err != nil || e.finger(5).State != FingerExcepted || e.finger(6).State != FingerOpen {
		t.Fatalf("declared: %+v, %v", e.Fingers, err)
	}
	for _, c := range []struct {
		position int
		why      tenprint.Reason
		want     error
	}{{2, "", ErrReason}, {2, "tired", ErrReason}, {0, tenprint.Refused, tenprint.ErrPosition}, {11, tenprint.Refused, tenprint.ErrPosition}} {
		if err := b.post.ExceptFinger(id, c.position, c.why, "o1"); !errors.Is(err, c.want) {
			t.Errorf("finger %d, %q: %v", c.position, c.why, err)
		}
	}
	if err := b.post.EndFingers(id); !errors.Is(err, ErrFingerNone) {
		t.Errorf("ended without a finger: %v", err)
	}
	b.give(id, 2)
	for _, position := range []int{7, 3, 8, 1, 6, 4, 9, 10} {
		if err := b.post.ExceptFinger(id, position, tenprint.Bandaged, "o1"); err != nil {
			t.Fatal(err)
		}
	}
	e = b.until(id, inReview) // by itself, once no finger is open
	if e.Step(StepFingers).State != Done || len(b.asked[0].Fingers) != 1 {
		t.Errorf("%+v, searched by %d", e.Step(StepFingers), len(b.asked[0].Fingers))
	}
}

func TestTenExceptionsAreNoSearch(t *testing.T) {
	b, _, id := tenFingers(t, nil)
	for position := 1; position <= 10; position++ {
		if err := b.post.ExceptFinger(id, position, tenprint.Refused, "o1"); err != nil {
			t.Fatal(err)
		}
	}
	b.until(id, inReview)
	if q := b.asked[0]; len(q.Fingers) != 0 || q.Withheld[screening.Finger] != withheldSkipped {
		t.Errorf("asked %v, withheld %v", q.Fingers, maps.Clone(q.Withheld))
	}
}

func TestFingersOfMinorsAreNotSearched(t *testing.T) {
	b := newBench(t)
	b.post.Sensor = &plate{next: []touched{lain(t, 6, 70)}}
	e, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "border_check", Fingers: true, Declared: Declared{Age: Minor}})
	if err != nil {
		t.Fatal(err)
	}
	b.give(e.ID, 2)
	if err := errors.Join(b.post.EndFingers(e.ID), b.post.Skip(e.ID, StepFace, "o1", "refused")); err != nil {
		t.Fatal(err)
	}
	b.until(e.ID, inReview)
	if q := b.asked[0]; len(q.Fingers) != 0 || q.Withheld[screening.Finger] != withheldMinor {
		t.Errorf("asked %v, withheld %v", q.Fingers, q.Withheld)
	}
}

func TestNoSensor(t *testing.T) {
	b := newBench(t)
	if _, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "border_check", Fingers: true}); !errors.Is(err, ErrNoSuchStep) {
		t.Errorf("opened: %v", err)
	}
	e := b.open(false, Adult)
	if err := b.post.CaptureFinger(e.ID, 2); !errors.Is(err, ErrNoSuchStep) {
		t.Errorf("captured: %v", err)
	}
}

func TestFingerPicture(t *testing.T) {
	mine := lain(t, 8, 70)
	b, _, id := tenFingers(t, nil, mine)
	b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}
	b.post.Prints = func(list, record string) ([]finger.View, error) {
		return []finger.View{{Template: lain(t, 9, 70).touch.Fingers[0].Template, Position: 7}, {Template: mine.touch.Fingers[0].Template, Position: 2}}, nil
	}
	b.give(id, 2)
	if _, err := b.post.FingerPicture(id, "l", "r1"); !errors.Is(err, ErrNoPicture) {
		t.Errorf("before there is a candidate: %v", err)
	}
	if err := b.post.EndFingers(id); err != nil {
		t.Fatal(err)
	}
	b.until(id, inReview)
	raw, err := b.post.FingerPicture(id, "l", "r1")
	if err != nil {
		t.Fatal(err)
	}
	if drawn, err := png.Decode(bytes.NewReader(raw)); err != nil || drawn.Bounds().Dx() < 720 {
		t.Errorf("%v, %v", drawn.Bounds(), err)
	}
	for _, c := range [][2]string{{"l", "r2"}, {"m", "r1"}, {"", ""}} {
		if _, err := b.post.FingerPicture(id, c[0], c[1]); !errors.Is(err, ErrNoPicture) {
			t.Errorf("%v: %v", c, err)
		}
	}
	b.post.Prints = func(string, string) ([]finger.View, error) { return nil, nil }
	if _, err := b.post.FingerPicture(id, "l", "r1"); !errors.Is(err, ErrNoPicture) {
		t.Errorf("a record without prints: %v", err)
	}
}

// After a restart the prints are gone, and what the person cannot give is not.
func TestFingersAfterRestart(t *testing.T) {
	b, s, id := tenFingers(t, map[string]string{"5": "missing"}, lain(t, 10, 70), lain(t, 10, 70))
	b.give(id, 2)
	b.stop()
	b.start()
	b.post.Sensor = s
	e, err := b.post.Get(id)
	if err != nil || e.finger(2).State != FingerOpen || e.finger(2).Tries != 0 || e.finger(5).State != FingerExcepted || e.Step(StepFingers).State != Pending {
		t.Fatalf("%+v, %+v, %v", e.Steps, e.Fingers, err)
	}
	if got := b.give(id, 2); got.State != FingerTaken {
		t.Errorf("%+v", got)
	}
}
