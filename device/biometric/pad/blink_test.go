package pad

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/patch"
)

// down makes frames, apart as given, of a face whose eyes have the light of a lid
// where shut says so.
func down(length, apart time.Duration, lid float64, shut func(time.Duration) bool) []Frame {
	grey := func(v float64) patch.Colour {
		v = 255 * (1.055*math.Pow(v, 1/2.4) - 0.055)
		return patch.Colour{v, v, v}
	}
	var frames []Frame
	for at := time.Duration(0); at < length; at += apart {
		f := Frame{At: at, Width: 640, Height: 480, Face: true, Points: straight, Same: 0.98}
		f.Samples[leftCheek], f.Samples[rightCheek] = grey(0.3), grey(0.25)
		eye := 0.06 + 0.002*math.Sin(7*at.Seconds()) // hands and light are never quite still
		if shut(at) {
			eye = lid
		}
		f.Samples[leftEye], f.Samples[rightEye] = grey(eye), grey(eye)
		frames = append(frames, f)
	}
	return frames
}

// told is when eyes are shut that follow c, each cue so much later.
func told(c Challenge, late ...time.Duration) func(time.Duration) bool {
	asked := c.closings()
	return func(at time.Duration) bool {
		for k, a := range asked {
			if at >= a.from+late[2*k%len(late)] && at < a.to+late[(2*k+1)%len(late)] {
				return true
			}
		}
		return false
	}
}

const ms = time.Millisecond

// twice asks for shut eyes from 1.5 to 2.4 and from 4.05 to 5.6 seconds.
var twice = Challenge{Blink, []Step{{Ahead, 1500}, {EyesShut, 900}, {EyesOpen, 1650}, {EyesShut, 1550}, {EyesOpen, openLast}}}

// Eyes shut when told pass at 5 and 8 frames a second, on light skin and dark; at
// other times, for less, by one eye, or never they do not.
func TestShutEyes(t *testing.T) {
	never := func(time.Duration) bool { return false }
	follow := told(twice, 600*ms, 700*ms)
	other := Challenge{Blink, []Step{{Ahead, 1500}, {EyesShut, 1550}, {EyesOpen, 1000}, {EyesShut, 900}, {EyesOpen, 2050}}}
	once := Challenge{Blink, []Step{{Ahead, 1500}, {EyesShut, 900}, {EyesOpen, 4600}}}
	with := func(shut func(time.Duration) bool, from, to time.Duration, is bool) func(time.Duration) bool {
		return func(at time.Duration) bool {
			if at >= from && at < to {
				return is
			}
			return shut(at)
		}
	}
	for _, apart := range []time.Duration{200 * ms, 125 * ms} {
		for name, w := range map[string]struct {
			shut   func(time.Duration) bool
			lid    float64
			result Result
			reason string
		}{
			"as told":                   {follow, 0.3, Pass, ""},
			"as told, dark skin":        {follow, 0.1, Pass, ""},
			"as told, darker than eyes": {follow, 0.03, Pass, ""},
			"slowly":                    {told(twice, 1200*ms, 1300*ms), 0.3, Pass, ""},
			"blinks besides":            {with(follow, 900*ms, 1200*ms, true), 0.3, Pass, ""},
			"trembles":                  {with(follow, 5200*ms, 5400*ms, false), 0.3, Pass, ""},
			"half shut":                 {follow, 0.07, NotAssessable, ReasonUnclear},
			"opens before told":         {told(twice, 600*ms, -100*ms), 0.3, Fail, ReasonOther},
			"does not open at the end":  {with(follow, 4800*ms, 9*time.Second, true), 0.3, NotAssessable, ReasonUnclear},
			"once slow, once not":       {told(twice, 400*ms, 400*ms, 1300*ms, 1300*ms), 0.3, NotAssessable, ReasonUnclear},
			"before told":               {told(twice, -300*ms, -300*ms), 0.3, NotAssessable, ReasonUnclear},
			"too late":                  {told(twice, 1900*ms, 1900*ms), 0.3, NotAssessable, ReasonUnclear},
			"another's times":           {told(other, 600*ms, 700*ms), 0.3, NotAssessable, ReasonUnclear},
			"once of two":               {told(once, 600*ms, 700*ms), 0.3, Fail, ReasonOther},
			"blinks alone":              {func(at time.Duration) bool { return at%(1500*ms) > 1200*ms }, 0.3, Fail, ReasonOther},
			"a print":                   {never, 0.3, Fail, ReasonOther},
			"shut all the time":         {func(at time.Duration) bool { return at > 200*ms }, 0.3, Fail, ReasonOther},
		} {
			if v := Judge(twice, down(twice.Length(), apart, w.lid, w.shut), 0.91); v.Result != w.result || v.Reason != w.reason {
				t.Errorf("%s, a frame every %v: %v %q, want %v %q (%v)", name, apart, v.Result, v.Reason, w.result, w.reason, v.Scores)
			}
		}
	}
}

// What the frames leave out is not made up: too few, a hole among them, no
// eyes before the first cue, another face meanwhile.
func TestShutEyesUnseen(t *testing.T) {
	good := func() []Frame { return down(twice.Length(), 125*ms, 0.3, told(twice, 600*ms, 700*ms)) }
	for name, w := range map[string]struct {
		change func([]Frame) []Frame
		result Result
		reason string
	}{
		"nothing":         {func([]Frame) []Frame { return nil }, NotAssessable, ReasonFewFrames},
		"4 a second":      {func([]Frame) []Frame { return down(twice.Length(), 250*ms, 0.3, told(twice, 600*ms, 700*ms)) }, NotAssessable, ReasonFewFrames},
		"a hole":          {func(f []Frame) []Frame { return slices.Delete(f, 16, 21) }, NotAssessable, ReasonFewFrames},
		"ends early":      {func(f []Frame) []Frame { return f[:len(f)-6] }, NotAssessable, ReasonFewFrames},
		"begins late":     {func(f []Frame) []Frame { return f[5:] }, NotAssessable, ReasonFewFrames},
		"no face in half": {func(f []Frame) []Frame { return each(f, func(i int, f *Frame) { f.Face = i%2 == 0 }) }, NotAssessable, ReasonFewFrames},
		"an eye beside the picture": {func(f []Frame) []Frame {
			return each(f, func(_ int, f *Frame) { f.Samples[leftEye] = patch.Colour{-1, -1, -1} })
		}, NotAssessable, ReasonFewFrames},
		"black cheeks": {func(f []Frame) []Frame {
			return each(f, func(_ int, f *Frame) { f.Samples[leftCheek], f.Samples[rightCheek] = patch.Colour{}, patch.Colour{} })
		}, NotAssessable, ReasonFewFrames},
		"restless": {func(f []Frame) []Frame {
			return each(f, func(i int, f *Frame) {
				for k := range 3 {
					f.Samples[leftEye][k] *= [3]float64{0.5, 1, 2}[i%3]
				}
			})
		}, NotAssessable, ReasonUnclear},
		"another face":  {func(f []Frame) []Frame { return each(f, func(i int, f *Frame) { f.Same -= 0.01 * float64(i) }) }, Fail, ReasonChanged},
		"no templates":  {func(f []Frame) []Frame { return each(f, func(_ int, f *Frame) { f.Same = math.NaN() }) }, NotAssessable, ReasonNoIdentity},
		"nothing wrong": {func(f []Frame) []Frame { return f }, Pass, ""},
	} {
		if v := Judge(twice, w.change(good()), 0.91); v.Result != w.result || v.Reason != w.reason {
			t.Errorf("%s: %v %q, want %v %q (%v)", name, v.Result, v.Reason, w.result, w.reason, v.Scores)
		}
	}
	if v := Judge(Challenge{Kind: Blink, Steps: []Step{{Ahead, 3000}}}, good(), 0.91); v.Result == Pass {
		t.Error("a challenge that asks for nothing is passed")
	}
}

func each(frames []Frame, change func(int, *Frame)) []Frame {
	for i := range frames {
		change(i, &frames[i])
	}
	return frames
}

// Shut times differ by more than those of one answer may, or not at all; each is
// followed by time to hear the end, and eyes are seen open first.
func TestDrawClosedEyes(t *testing.T) {
	times := make(map[int]int)
	for range 200 {
		c := drawn(t, Blink)
		asked := c.closings()
		times[len(asked)]++
		if c.Steps[0].Cue != Ahead || asked[0].from < time.Second || c.Steps[len(c.Steps)-1] != (Step{EyesOpen, openLast}) {
			t.Fatalf("%v", c.Steps)
		}
		for _, a := range asked {
			if l := a.to - a.from; l != 900*ms && l != 1550*ms {
				t.Errorf("shut for %v", l)
			}
		}
	}
	if len(times) != 2 || times[1] == 0 || times[2] == 0 {
		t.Errorf("asked so often: %v", times)
	}
	if stepMillis*ms <= shutSpread {
		t.Error("times that are drawn lie nearer together than those of one answer")
	}
}
