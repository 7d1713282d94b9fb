package pad

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/patch"
	"github.com/watchpost/watchpost/device/fault"
)

func TestDraw(t *testing.T) {
	for _, kind := range []Kind{Flash, Turn, Blink} {
		seen := make(map[string]bool)
		for range 60 {
			c, err := Draw(kind, Unpredictable())
			if err != nil || c.Kind != kind {
				t.Fatalf("%v: %v", kind, err)
			}
			seen[fmt.Sprint(c.Steps)] = true
			if l := c.Length(); l < time.Second || l > 9*time.Second {
				t.Errorf("%v takes %v", kind, l)
			}
			for i := 1; i < len(c.Steps); i++ {
				if kind != Blink && c.Steps[i].Cue == c.Steps[i-1].Cue {
					t.Errorf("%v: a cue follows itself: %v", kind, c.Steps)
				}
			}
			if kind == Turn {
				var left, right bool
				for _, s := range c.Steps {
					left, right = left || s.Cue == TurnLeft, right || s.Cue == TurnRite
				}
				if !left || !right || c.Steps[0].Cue != Ahead {
					t.Errorf("turns %v", c.Steps)
				}
			}
		}
		if len(seen) < 10 {
			t.Errorf("%v: %d different of 60", kind, len(seen))
		}
	}
	for _, kind := range []Kind{KindUnknown, 4, 255} {
		if _, err := Draw(kind, Unpredictable()); fault.CodeOf(err) != "pad.kind" {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}

// WCAG 2.2, 2.3.1: at most three flashes in any second; a flash is a pair of
// changes of light in opposite directions.
func TestFlashesAreSlow(t *testing.T) {
	lit := map[Cue]float64{Dark: 0, LightLeft: 0.5, LightRite: 0.5, Full: 1}
	for range 200 {
		c, err := Draw(Flash, Unpredictable())
		if err != nil {
			t.Fatal(err)
		}
		var changes []time.Duration // each half of the screen may change at a step
		at := time.Duration(0)
		for i, s := range c.Steps {
			if _, ok := lit[s.Cue]; !ok {
				t.Fatalf("cue %q", s.Cue)
			}
			if i > 0 {
				changes = append(changes, at)
			}
			at += time.Duration(s.Millis) * time.Millisecond
		}
		for i, from := range changes {
			n := 0
			for _, to := range changes[i:] {
				if to-from < time.Second {
					n++
				}
			}
			if n > 3 { // three changes are one and a half flashes
				t.Errorf("%d changes within a second", n)
			}
		}
	}
}

// lit makes frames of a face that answers c after lag: shading is what one
// side gains over the other, response the rise under the full screen.
func lit(c Challenge, lag time.Duration, response, shading, behind float64) []Frame {
	encode := func(v float64) patch.Colour {
		v = 255 * (1.055*math.Pow(max(v, 0.0032), 1/2.4) - 0.055)
		return patch.Colour{v, v, v}
	}
	var frames []Frame
	for at := time.Duration(0); at < c.Length(); at += 100 * time.Millisecond {
		f := Frame{At: at, Width: 640, Height: 480, Face: true, Points: straight, Same: 0.98}
		left, right, wall := 0.2, 0.25, 0.3
		if s, _, _ := c.at(at - lag); s != nil {
			switch s.Cue {
			case Full:
				left, right, wall = left*(1+response), right*(1+response), wall*(1+behind*response)
			case LightLeft:
				left, right, wall = left*(1+response/2*(1-shading/2)), right*(1+response/2*(1+shading/2)), wall*(1+behind*response/2)
			case LightRite:
				left, right, wall = left*(1+response/2*(1+shading/2)), right*(1+response/2*(1-shading/2)), wall*(1+behind*response/2)
			}
		}
		f.Samples[leftCheek], f.Samples[rightCheek] = encode(left), encode(right)
		f.Samples[leftBackground], f.Samples[rightBackground] = encode(wall), encode(wall)
		frames = append(frames, f)
	}
	return frames
}

// straight are the points of a face that looks ahead, 80 px between the eyes.
var straight = [5]patch.Point{{X: 378, Y: 240}, {X: 342, Y: 240}, {X: 262, Y: 240}, {X: 298, Y: 240}, {X: 320, Y: 296}}

func drawn(t *testing.T, k Kind) Challenge {
	t.Helper()
	c, err := Draw(k, Unpredictable())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFlash(t *testing.T) {
	c := drawn(t, Flash)
	few := lit(c, 0, 0.4, 0.5, 0.1)
	for i := range few {
		few[i].Face = i%3 == 0
	}
	another := lit(c, 100*time.Millisecond, 0.4, 0.5, 0.1)
	for i := len(another) / 2; i < len(another); i++ {
		another[i].Same = 0.8
	}
	nobody := lit(c, 0, 0.4, 0.5, 0.1)
	for i := range nobody {
		nobody[i].Same = math.NaN()
	}
	unseen := lit(c, 0, 0.4, 0.5, 0.1)
	for i := range unseen {
		unseen[i].Samples[leftCheek] = patch.Colour{-1, -1, -1}
	}
	for name, w := range map[string]struct {
		frames []Frame
		result Result
		reason string
	}{
		"solid":          {lit(c, 0, 0.4, 0.5, 0.1), Pass, ""},
		"solid, late":    {lit(c, 200*time.Millisecond, 0.4, 0.5, 0.1), Pass, ""},
		"flat":           {lit(c, 100*time.Millisecond, 0.4, 0.08, 0.5), Fail, ReasonFlat},
		"with its wall":  {lit(c, 100*time.Millisecond, 0.4, 0.5, 0.99), Fail, ReasonFlat},
		"half bent":      {lit(c, 100*time.Millisecond, 0.4, 0.24, 0.1), NotAssessable, ReasonUnclear},
		"bright room":    {lit(c, 100*time.Millisecond, 0.01, 0.5, 0.1), NotAssessable, ReasonNoAnswer},
		"few faces":      {few, NotAssessable, ReasonFewFrames},
		"no frames":      {nil, NotAssessable, ReasonFewFrames},
		"another person": {another, Fail, ReasonChanged},
		"no templates":   {nobody, NotAssessable, ReasonNoIdentity},
		"cheek not seen": {unseen, NotAssessable, ReasonFewFrames},
	} {
		if v := Judge(c, w.frames, 0.91); v.Result != w.result || v.Reason != w.reason {
			t.Errorf("%s: %v %q, want %v %q (%v)", name, v.Result, v.Reason, w.result, w.reason, v.Scores)
		}
	}
}

// Light that answers another challenge, or this one too late, never passes:
// which reason it ends in depends on what was drawn.
func TestFlashOfAnotherTime(t *testing.T) {
	for range 20 {
		c, other := drawn(t, Flash), drawn(t, Flash)
		for correlationOf(c, other) > 0.5 {
			other = drawn(t, Flash)
		}
		for name, frames := range map[string][]Frame{
			"another challenge": lit(other, 100*time.Millisecond, 0.4, 0.5, 0.1), "too late": lit(c, 900*time.Millisecond, 0.4, 0.5, 0.1),
		} {
			if v := Judge(c, frames, 0.91); v.Result != Fail && v.Result != NotAssessable {
				t.Errorf("%s: %v %v", name, v.Result, v.Scores)
			}
		}
	}
}

// correlationOf is how alike two flash challenges light the screen.
func correlationOf(a, b Challenge) float64 {
	share := map[Cue]float64{Dark: 0, LightLeft: 0.5, LightRite: 0.5, Full: 1}
	best := -1.0
	for lag := range 3 { // a whole step late looks alike too
		var x, y []float64
		for i := range len(a.Steps) - lag {
			x, y = append(x, share[a.Steps[i].Cue]), append(y, share[b.Steps[i+lag].Cue])
		}
		best = max(best, correlation(x, y))
	}
	return best
}

// Until a bench with real instruments vouches for a kind, no pass is a pass;
// nothing else is changed by one.
func TestSimulatedPassIsNotAssessable(t *testing.T) {
	if v := Judged(Verdict{Result: Pass}, false); v.Result != NotAssessable || v.Reason != ReasonSimulated {
		t.Errorf("%+v", v)
	}
	if v := Judged(Verdict{Result: Pass}, true); v.Result != Pass || v.Reason != "" {
		t.Errorf("%+v", v)
	}
	for _, r := range []Result{Fail, NotAssessable, Unknown} {
		for _, benched := range []bool{false, true} {
			if v := Judged(Verdict{Result: r, Reason: "x"}, benched); v.Result != r || v.Reason != "x" {
				t.Errorf("%v became %+v", r, v)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for _, k := range []Kind{Flash, Turn, Blink} {
		var back Kind
		if b, err := k.MarshalText(); err != nil || back.UnmarshalText(b) != nil || back != k {
			t.Errorf("%v came back as %v", k, back)
		}
	}
	var k Kind
	if err := k.UnmarshalText([]byte("smile")); fault.CodeOf(err) != "pad.kind" {
		t.Error(err)
	}
	if Kind(200).String() != "unknown" || Result(200).String() != "unknown" {
		t.Error("numbers that are none have words")
	}
	for r, w := range map[Result]string{0: "unknown", 1: "pass", 2: "fail", 3: "not-assessable"} {
		if r.String() != w {
			t.Errorf("%d is %q", r, r)
		}
	}
	if v := Judge(Challenge{Kind: 9}, nil, 0.9); v.Result != NotAssessable {
		t.Errorf("no such challenge: %+v", v)
	}
}

// Points and colours that are no numbers make no pass and no panic.
func TestNonsenseIsNoPass(t *testing.T) {
	for _, kind := range []Kind{Flash, Turn, Blink} {
		c := drawn(t, kind)
		for name, bad := range map[string]Frame{
			"zero": {Face: true}, "nan": {Face: true, Width: 640, Height: 480, Points: [5]patch.Point{{X: math.NaN()}, {Y: math.Inf(1)}}, Same: math.NaN()},
			"one place": {Face: true, Width: 1, Height: 1, Points: [5]patch.Point{{X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 5}}, Same: 2},
		} {
			var frames []Frame
			for at := -time.Second; at < c.Length()+time.Second; at += 50 * time.Millisecond {
				f := bad
				f.At = at
				frames = append(frames, f)
			}
			if v := Judge(c, frames, 0.91); v.Result == Pass || v.Result == Unknown {
				t.Errorf("%v of %s: %v", kind, name, v.Result)
			}
		}
	}
}

// looking makes frames of a face that answers c by turning far radians; behind
// are how far outer eye corners and nose lie behind the inner corners.
func looking(c Challenge, far float64, behind [5]float64) []Frame {
	var frames []Frame
	for at := time.Duration(0); at < c.Length(); at += 100 * time.Millisecond {
		yaw := 0.0
		if s, _, _ := c.at(at); s != nil {
			switch s.Cue { // the person's left is at the right of the image
			case TurnLeft:
				yaw = far
			case TurnRite:
				yaw = -far
			}
		}
		const f, distance = 640 * focal, 640 * focal / 80
		sin, cos := math.Sincos(yaw)
		frame := Frame{At: at, Width: 640, Height: 480, Face: true, Same: 0.98}
		for i, p := range straight {
			x, y, z := (p.X-320)/80, (p.Y-240)/80, behind[i]
			depth := distance + sin*x + cos*z
			frame.Points[i] = patch.Point{X: 320 + f*(cos*x-sin*z)/depth, Y: 240 + f*y/depth}
		}
		frames = append(frames, frame)
	}
	return frames
}

// A head that turns far enough is solid, a leaning print flat; what is turned
// too little for the detector's errors, or is bent, is neither, and who does not
// turn, or the other way, has not followed.
func TestTurn(t *testing.T) {
	head := [5]float64{0: 0.07, 2: 0.07, 4: -0.32}
	leaning := [5]float64{4: -0.6} // a plane through both eyes, its lower edge nearer
	bent := [5]float64{0: 0.12, 2: 0.12, 4: -0.15}
	for range 10 {
		c := drawn(t, Turn)
		another := looking(c, 0.6, head)
		for i := len(another) / 2; i < len(another); i++ {
			another[i].Same = 0.8
		}
		few := looking(c, 0.6, head)
		for i := range few {
			few[i].Face = i%3 == 0
		}
		for name, w := range map[string]struct {
			frames []Frame
			result Result
			reason string
		}{
			"head":            {looking(c, 0.6, head), Pass, ""},
			"hardly turned":   {looking(c, 0.3, head), NotAssessable, ReasonUnclear},
			"leaning print":   {looking(c, 0.4, leaning), Fail, ReasonFlat},
			"leaning, little": {looking(c, 0.2, leaning), NotAssessable, ReasonUnclear},
			"bent print":      {looking(c, 0.6, bent), NotAssessable, ReasonUnclear},
			"upright print":   {looking(c, 0.6, [5]float64{}), Fail, ReasonOther},
			"does not turn":   {looking(c, 0, head), Fail, ReasonOther},
			"the other way":   {looking(c, -0.6, head), Fail, ReasonOther},
			"another person":  {another, Fail, ReasonChanged},
			"few faces":       {few, NotAssessable, ReasonFewFrames},
			"no frames":       {nil, NotAssessable, ReasonFewFrames},
		} {
			if v := Judge(c, w.frames, 0.91); v.Result != w.result || v.Reason != w.reason {
				t.Errorf("%s: %v %q, want %v %q (%v)", name, v.Result, v.Reason, w.result, w.reason, v.Scores)
			}
		}
	}
}
