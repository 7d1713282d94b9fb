package pad

import (
	"math"
	"slices"
	"time"
)

// Limits of the shut eyes. The person cannot see the sign that ends it, so somebody
// says it: an officer needs up to a second to read a sign and say it, who hears it a
// quarter of one to follow (reaction to a sound is 0.15 s and more).
const (
	// blinkFrame is how far apart frames may be, in the middle: at 5 a second both
	// ends of the shortest asked for are known to 0.1 s.
	blinkFrame = 200 * time.Millisecond
	// blinkGap is the longest time without a frame: nobody knows what was in it.
	blinkGap = 500 * time.Millisecond
	// shutSoon and shutLate bound how long after its cue lids may move: less the 0.1 s
	// that frames leave open, and with the camera's own delay.
	shutSoon = 100 * time.Millisecond
	shutLate = 1600 * time.Millisecond
	// shutSpread is how much these times may differ in one answer: one officer says
	// all signs, one person hears them. A recording is off by what was drawn.
	shutSpread = 500 * time.Millisecond
	// blinkMost is how long lids are down by themselves: people blink in 0.1 to 0.4 s,
	// and frames add to it. Shorter closings are not looked at.
	blinkMost = 500 * time.Millisecond
	// flutter is how long lids that are asked to stay down may come up.
	flutter = 300 * time.Millisecond
	// shutRise is the least change of an eye's light against the cheeks, natural
	// logarithm, that is a lid: a pupil and iris give back 3 to 15 % of the light, lids
	// 10 to 60 %. Prints and screens stay below 0.1 but for points that tremble.
	shutRise = 0.2
	// shutStill is the change below which eyes simply stayed open.
	shutStill = 0.1
	// shutNoise: it is also that many times the unrest of open eyes.
	shutNoise = 3
	// shutFollow is the least correlation of what the lids do with what is asked, at the
	// best delay, below which they did not follow. Simulated prints come to less.
	shutFollow = 0.4
	// openLeast is how many frames have to show the eyes before the first cue.
	openLeast = 3
)

// closing is a time during which the lids are down.
type closing struct{ from, to time.Duration }

func (c closing) meets(o closing) bool { return c.from < o.to && o.from < c.to }

// judgeBlink asks whether the eyes were shut from soon after each cue to shut them
// until soon after the cue to open them, and at no other time for longer than a blink.
func judgeBlink(c Challenge, frames []Frame, same float64) Verdict {
	seen, ok := usable(frames, int(c.Length()/blinkFrame))
	if !ok || longestGap(seen, c.Length()) > blinkGap {
		return Verdict{Result: NotAssessable, Reason: ReasonFewFrames}
	}
	asked := c.closings()
	v := Verdict{Scores: map[string]float64{"asked": float64(len(asked))}}
	l, ok := lidsOf(seen, asked)
	if !ok {
		v.Result, v.Reason = NotAssessable, ReasonFewFrames
		return constant(v, seen, same)
	}
	v.Scores["change"], v.Scores["unrest"] = l.level, l.unrest
	v.Scores["follow"] = l.follow(seen, asked)
	switch {
	case l.level < shutStill, v.Scores["follow"] < shutFollow:
		v.Result, v.Reason = Fail, ReasonOther
		return constant(v, seen, same)
	case l.level < max(shutRise, shutNoise*l.unrest):
		v.Result, v.Reason = NotAssessable, ReasonUnclear
		return constant(v, seen, same)
	}
	shut := l.closings(seen)
	v.Scores["seen"] = float64(len(shut))
	v.Result, v.Reason = followed(asked, shut, v.Scores)
	return constant(v, seen, same)
}

// followed compares when the eyes were to be shut with when they were.
func followed(asked, shut []closing, scores map[string]float64) (Result, string) {
	// What a cue can explain at all: an answer lies in between.
	window := func(a closing) closing { return closing{a.from + shutSoon, a.to + shutLate} }
	for _, a := range asked {
		if !slices.ContainsFunc(shut, window(a).meets) {
			return Fail, ReasonOther
		}
	}
	for _, s := range shut {
		unasked := !slices.ContainsFunc(asked, func(a closing) bool { return window(a).meets(s) })
		if unasked && s.to-s.from >= shutMillis*time.Millisecond-shutSpread/2 {
			return Fail, ReasonOther // as long as is asked for, when it was not
		}
	}
	if len(shut) != len(asked) {
		return NotAssessable, ReasonUnclear
	}
	soonest, latest := time.Duration(math.MaxInt64), time.Duration(math.MinInt64)
	for k, a := range asked {
		for _, late := range [...]time.Duration{shut[k].from - a.from, shut[k].to - a.to} {
			soonest, latest = min(soonest, late), max(latest, late)
		}
	}
	scores["soonest"], scores["latest"] = soonest.Seconds(), latest.Seconds()
	if soonest < shutSoon || latest > shutLate || latest-soonest > shutSpread {
		return NotAssessable, ReasonUnclear
	}
	return Pass, ""
}

// closings are the times for which a challenge asks for shut eyes.
func (c Challenge) closings() (out []closing) {
	at := time.Duration(0)
	for _, s := range c.Steps {
		length := time.Duration(s.Millis) * time.Millisecond
		if s.Cue == EyesShut {
			out = append(out, closing{at, at + length})
		}
		at += length
	}
	return out
}

// longestGap is the longest time without a frame from the begin of a challenge to its end.
func longestGap(frames []Frame, length time.Duration) (gap time.Duration) {
	before := time.Duration(0)
	for i := range frames {
		gap = max(gap, frames[i].At-before)
		before = max(before, frames[i].At)
	}
	return max(gap, length-before)
}

// lids is how far the light of both eyes is from that of open ones, frame by frame.
type lids struct {
	off    []float64 // mean of both; positive is shut
	level  float64   // of shut eyes
	unrest float64   // of open ones
}

// lidsOf reads the eyes, each against the cheeks, so that the room's light does
// not count, and against itself before the first cue; ok is false where that
// is not seen.
func lidsOf(frames []Frame, asked []closing) (l lids, ok bool) {
	if len(asked) == 0 {
		return l, false
	}
	var eyes [2][]float64
	var open [2][]float64
	for i := range frames {
		f := &frames[i]
		cheeks := (f.light(leftCheek) + f.light(rightCheek)) / 2
		for k, place := range [...]int{leftEye, rightEye} {
			e := math.Log(f.light(place) / cheeks)
			if math.IsNaN(e) || math.IsInf(e, 0) {
				return l, false
			}
			eyes[k] = append(eyes[k], e)
			if f.At < asked[0].from+shutSoon {
				open[k] = append(open[k], e)
			}
		}
	}
	if len(open[0]) < openLeast {
		return l, false
	}
	left, right := median(open[0]), median(open[1])
	var unrest []float64
	for i := range frames {
		off := (eyes[0][i] - left + eyes[1][i] - right) / 2
		l.off = append(l.off, off)
		if i < len(open[0]) {
			unrest = append(unrest, math.Abs(off))
		}
	}
	// Half of the share of the frames that were asked to be shut is so at the
	// least; that is the level of shut lids. A lid is brighter than what it
	// covers, or darker where skin is.
	wanted := time.Duration(0)
	for _, a := range asked {
		wanted += a.to - a.from
	}
	span := frames[len(frames)-1].At - frames[0].At
	n := len(l.off)
	tail := min(n-1, int(float64(n)*0.5*float64(wanted)/float64(max(span, wanted))))
	sorted := slices.Sorted(slices.Values(l.off))
	if l.level = sorted[n-1-tail]; -sorted[tail] > l.level {
		l.level = -sorted[tail]
		for i := range l.off {
			l.off[i] = -l.off[i]
		}
	}
	l.unrest = median(unrest)
	return l, true
}

// follow is the highest correlation with what is asked at any delay an answer may have.
func (l lids) follow(frames []Frame, asked []closing) float64 {
	best := math.Inf(-1)
	for late := shutSoon; late <= shutLate; late += shutSoon {
		want := make([]float64, len(frames))
		for i := range frames {
			at := frames[i].At - late
			if slices.ContainsFunc(asked, func(a closing) bool { return at >= a.from && at < a.to }) {
				want[i] = 1
			}
		}
		best = max(best, correlation(want, l.off))
	}
	return best
}

// closings are the times for which both lids were down, blinks left out.
func (l lids) closings(frames []Frame) (out []closing) {
	for i := 0; i < len(l.off); i++ {
		if l.off[i] < l.level/2 {
			continue
		}
		now := closing{from: frames[i].At}
		if i > 0 {
			now.from = (frames[i-1].At + frames[i].At) / 2
		}
		for i < len(l.off) && l.off[i] >= l.level/2 {
			now.to = frames[i].At
			i++
		}
		if i < len(l.off) {
			now.to = (frames[i-1].At + frames[i].At) / 2
		}
		if n := len(out); n > 0 && now.from-out[n-1].to <= flutter {
			out[n-1].to = now.to
		} else {
			out = append(out, now)
		}
	}
	return slices.DeleteFunc(out, func(c closing) bool { return c.to-c.from < blinkMost })
}

// median of numbers, of which there is one at least.
func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
