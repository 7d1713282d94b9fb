package encounter

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/slap"
	"github.com/watchpost/watchpost/device/biometric/tenprint"
	"github.com/watchpost/watchpost/device/fault"
)

// handOn is a hand on the sensor: one finger a seed, from the left.
func handOn(t *testing.T, code int, seeds []uint64, quality int, found ...fault.Code) touched {
	t.Helper()
	touch := &tenprint.Touch{Hand: slap.Hand(code), Findings: found}
	for i, seed := range seeds {
		one := lain(t, seed, quality).touch.Fingers[0]
		one.Position, one.Box = tenprint.Fingers(code)[i], slap.Box{X: float64(400 * i), Width: 300, Height: 400}
		touch.Fingers = append(touch.Fingers, one)
	}
	return touched{touch: touch}
}

var (
	rightSeeds = []uint64{102, 103, 104, 105}
	leftSeeds  = []uint64{110, 109, 108, 107}
)

// hands opens an encounter at a sensor that takes several fingers at once.
func hands(t *testing.T, declared map[string]string, next ...touched) (*bench, *plate, string) {
	t.Helper()
	b := newBench(t)
	s := &plate{hands: true, next: next}
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

func states(e Encounter, positions ...int) (out []FingerState) {
	for _, p := range positions {
		out = append(out, e.finger(p).State)
	}
	return out
}

// Three pictures are ten fingers: the step ends by itself and all are searched by.
func TestThreeSlaps(t *testing.T) {
	b, s, id := hands(t, nil, handOn(t, 13, rightSeeds, 80), handOn(t, 14, leftSeeds, 70), handOn(t, 15, []uint64{106, 101}, 60))
	e, err := b.post.Get(id)
	if err != nil || e.Fingers[0].Position != 13 || e.Fingers[1].Position != 14 || e.Fingers[2].Position != 15 || len(e.Fingers) != 13 {
		t.Fatalf("%+v, %v", e.Fingers, err)
	}
	if got := b.give(id, 13); got != (FingerFacts{Position: 13, State: FingerTaken, Tries: 1, Quality: 80}) {
		t.Errorf("%+v", got)
	}
	if e, err = b.post.Get(id); err != nil || !slices.Equal(states(e, 2, 3, 4, 5, 1, 7), []FingerState{"taken", "taken", "taken", "taken", "open", "open"}) {
		t.Errorf("%+v, %v", e.Fingers, err)
	}
	b.give(id, 14)
	b.give(id, 15)
	e = b.until(id, inReview)
	if e.Step(StepFingers).State != Done || len(s.asks) != 3 || !slices.Equal(s.asks[1].Fingers, []int{10, 9, 8, 7}) {
		t.Errorf("%+v, asked for %+v", e.Step(StepFingers), s.asks)
	}
	q := b.asked[len(b.asked)-1]
	var order []int
	for _, f := range q.Fingers {
		order = append(order, f.Position)
		if views, err := finger.ParseRecord(f.Template); err != nil || len(views) != 1 || int(views[0].Position) != f.Position {
			t.Errorf("finger %d: %v", f.Position, err)
		}
	}
	if !slices.Equal(order, tenprint.Plan(false)) {
		t.Errorf("searched by %v", order)
	}
}

// What a hand can be found to be is said by code with what helps, and is a try;
// after three the fingers are asked for one by one.
func TestHandsThatDoNotDo(t *testing.T) {
	for name, c := range map[string]struct {
		on   touched
		code string
		held int // prints that the third try leaves
	}{
		"the other hand":      {handOn(t, 14, leftSeeds, 80, slap.WrongHand), "slap.wrong_hand", 0},
		"hand not to be told": {handOn(t, 13, rightSeeds, 80, slap.Unclear), "slap.hand_unclear", 0},
		"five fingers":        {handOn(t, 13, rightSeeds, 80, slap.TooMany), "slap.too_many", 0},
		"turned":              {handOn(t, 13, rightSeeds, 80, slap.Turned), "slap.turned", 0},
		"one finger twice":    {handOn(t, 13, []uint64{102, 102, 104, 105}, 80), "finger.duplicate", 0},
		"a finger lacking":    {handOn(t, 13, rightSeeds[:3], 80, slap.TooFew), "slap.too_few", 3},
		"over the edge":       {handOn(t, 13, rightSeeds, 80, slap.CutOff), "slap.cut_off", 4},
		"dry":                 {handOn(t, 13, rightSeeds, 12), "finger.quality", 4},
		"nothing on it":       {touched{err: slap.ErrEmpty}, "slap.empty", 0},
		"rejected":            {touched{err: fault.New("finger.quality", "no touch gave an image")}, "finger.quality", 0},
		"a stamp":             {touched{err: slap.ErrImageSize}, "slap.image_size", 0},
	} {
		b, _, id := hands(t, nil, c.on, c.on, c.on, lain(t, 107, 90))
		for try := 1; try <= 3; try++ {
			got := b.give(id, 13)
			want := FingerOpen
			if try == 3 {
				want = FingerTaken
				if c.held == 0 {
					want = FingerFailed
				}
			}
			if got.Code != c.code || got.Hint == "" || got.Hint == lastHint || got.State != want || got.Tries != try {
				t.Errorf("%s, try %d: %+v", name, try, got)
			}
		}
		if err := b.post.CaptureFinger(id, 13); !errors.Is(err, tenprint.ErrNoTries) {
			t.Errorf("%s: a fourth try: %v", name, err)
		}
		e, err := b.post.Get(id)
		if err != nil || e.Step(StepFingers).State != Pending {
			t.Errorf("%s: %+v, %v", name, e.Step(StepFingers), err)
		}
		taken := 0
		for _, f := range e.Fingers {
			if f.Position <= 10 && f.State == FingerTaken {
				taken++
			}
		}
		if taken != c.held {
			t.Errorf("%s: %d fingers are taken, not %d", name, taken, c.held)
		}
		if got := b.give(id, 7); got.State != FingerTaken {
			t.Errorf("%s: a finger by itself: %+v", name, got)
		}
	}
}

// A finger given with one hand is not the other's, nor one by itself.
func TestFingersOfOneHandAsTheOther(t *testing.T) {
	b, _, id := hands(t, nil, handOn(t, 13, rightSeeds, 80), handOn(t, 14, []uint64{105, 104, 103, 102}, 80), lain(t, 103, 80), handOn(t, 14, leftSeeds, 80))
	b.give(id, 13)
	if got := b.give(id, 14); got.Code != "finger.duplicate" || got.State != FingerOpen {
		t.Errorf("the right hand as the left: %+v", got)
	}
	if got := b.give(id, 8); got.Code != "finger.duplicate" || got.State != FingerOpen {
		t.Errorf("the right middle finger as the left: %+v", got)
	}
	e, err := b.post.Get(id)
	if err != nil || slices.Contains(states(e, 7, 8, 9, 10), FingerTaken) {
		t.Errorf("%+v, %v", e.Fingers, err)
	}
	if got := b.give(id, 14); got.State != FingerTaken || got.Code != "" {
		t.Errorf("the left hand: %+v", got)
	}
}

// The sensor's own fault is no try, and the hand stays to be taken.
func TestScannerFails(t *testing.T) {
	for _, code := range []fault.Code{"device.lost", "capture.lost", "finger.unsupported", "capture.deadline", "slap.dpi"} {
		b, _, id := hands(t, nil, touched{err: fault.New(code, "out")}, handOn(t, 13, rightSeeds, 80))
		got := b.give(id, 13)
		e, err := b.post.Get(id)
		if err != nil || got.Code != string(code) || got.Tries != 0 || got.State != FingerOpen || e.Step(StepFingers).State != Failed || e.Step(StepFingers).Hint == "" {
			t.Errorf("%s: %+v, %+v, %v", code, got, e.Step(StepFingers), err)
		}
		if got := b.give(id, 13); got.State != FingerTaken {
			t.Errorf("%s: afterwards: %+v", code, got)
		}
	}
}

func TestExceptionsOfHands(t *testing.T) {
	b, s, id := hands(t, map[string]string{"5": "missing", "13": "refused"}, handOn(t, 13, rightSeeds[:3], 80), handOn(t, 14, leftSeeds, 80))
	e, err := b.post.Get(id)
	if err != nil || !slices.Equal(states(e, 13, 5, 2), []FingerState{FingerOpen, FingerExcepted, FingerOpen}) {
		t.Fatalf("declared: %+v, %v", e.Fingers, err)
	}
	for _, c := range []struct {
		position int
		why      tenprint.Reason
		want     error
	}{{13, "", ErrReason}, {13, "tired", ErrReason}, {0, tenprint.Refused, tenprint.ErrPosition}, {11, tenprint.Refused, tenprint.ErrPosition}, {16, tenprint.Refused, tenprint.ErrPosition}} {
		if err := b.post.ExceptFinger(id, c.position, c.why, "o1"); !errors.Is(err, c.want) {
			t.Errorf("%d, %q: %v", c.position, c.why, err)
		}
	}
	if err := b.post.CaptureFinger(id, 12); !errors.Is(err, tenprint.ErrPosition) {
		t.Errorf("no such slap: %v", err)
	}
	if got := b.give(id, 13); got.State != FingerTaken || !maps.Equal(s.asks[0].Gone, map[int]tenprint.Reason{5: tenprint.Missing}) {
		t.Errorf("%+v, asked for %+v", got, s.asks)
	}
	if err := b.post.ExceptFinger(id, 14, tenprint.Bandaged, "o1"); err != nil { // the whole hand
		t.Fatal(err)
	}
	if e, err = b.post.Get(id); err != nil || !slices.Equal(states(e, 14, 7, 8, 9, 10, 6), []FingerState{"excepted", "excepted", "excepted", "excepted", "excepted", "open"}) ||
		e.finger(8).Exception != tenprint.Bandaged || e.finger(14).Exception != tenprint.Bandaged {
		t.Errorf("%+v, %v", e.Fingers, err)
	}
	// The person gives it after all.
	if got := b.give(id, 14); got.State != FingerTaken || len(s.asks[1].Fingers) != 4 {
		t.Errorf("%+v", got)
	}
	// What was taken of an excepted finger is no longer searched by.
	if err := errors.Join(b.post.ExceptFinger(id, 9, tenprint.Refused, "o1"), b.post.ExceptFinger(id, 15, tenprint.Unable, "o1")); err != nil {
		t.Fatal(err)
	}
	b.until(id, inReview)
	if q := b.asked[len(b.asked)-1]; len(q.Fingers) != 6 {
		t.Errorf("searched by %d", len(q.Fingers))
	}
}

func TestHandsEndedEarly(t *testing.T) {
	b, _, id := hands(t, nil, handOn(t, 13, rightSeeds, 12), handOn(t, 13, rightSeeds[:2], 80, slap.TooFew))
	if err := b.post.EndFingers(id); !errors.Is(err, ErrFingerNone) {
		t.Errorf("without a finger: %v", err)
	}
	b.give(id, 13)
	b.give(id, 13)
	if err := b.post.EndFingers(id); err != nil {
		t.Fatal(err)
	}
	e := b.until(id, inReview)
	if !slices.Equal(states(e, 13, 2, 14, 7), []FingerState{FingerTaken, FingerTaken, FingerNotTaken, FingerNotTaken}) {
		t.Errorf("%+v", e.Fingers)
	}
	if q := b.asked[len(b.asked)-1]; len(q.Fingers) != 4 || q.Fingers[0].Quality != 12 {
		t.Errorf("searched by %+v", q.Fingers)
	}
}

// After a restart prints are gone; hands are asked for as before, also where the
// sensor has changed meanwhile.
func TestHandsAfterRestart(t *testing.T) {
	b, s, id := hands(t, map[string]string{"5": "missing"}, handOn(t, 13, rightSeeds[:3], 80), handOn(t, 13, rightSeeds[:3], 80))
	b.give(id, 13)
	b.stop()
	b.start()
	s.hands = false
	b.post.Sensor = s
	e, err := b.post.Get(id)
	if err != nil || !slices.Equal(states(e, 13, 2, 5), []FingerState{FingerOpen, FingerOpen, FingerExcepted}) || e.finger(13).Tries != 0 {
		t.Fatalf("%+v, %v", e.Fingers, err)
	}
	if got := b.give(id, 13); got.State != FingerTaken {
		t.Errorf("%+v", got)
	}
}

// Where the sensor takes single fingers a hand cannot be asked for.
func TestNoHands(t *testing.T) {
	b, _, id := tenFingers(t, nil)
	for _, code := range []int{13, 14, 15} {
		if err := b.post.CaptureFinger(id, code); !errors.Is(err, tenprint.ErrPosition) {
			t.Errorf("%d: %v", code, err)
		}
		if err := b.post.ExceptFinger(id, code, tenprint.Refused, "o1"); !errors.Is(err, tenprint.ErrPosition) {
			t.Errorf("%d: %v", code, err)
		}
	}
	e, err := b.post.Get(id)
	if raw, jerr := json.Marshal(e.Fingers); err != nil || jerr != nil || len(e.Fingers) != 10 {
		t.Errorf("%s, %v, %v", raw, err, jerr)
	}
}
