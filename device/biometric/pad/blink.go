package pad

import (
	"math"
	"slices"
	"time"
)

// A closed lid covers the eye: its patch grows brighter where skin is lighter
// than the eye, darker where it is darker. An excursion is a blink from
// blinkRise of the open eye's light on, either way, if it ends within blinkMax.
const (
	blinkRise = 0.12
	blinkMax  = 700 * time.Millisecond
	// blinkNoise: it is that many times the patch's median unrest.
	blinkNoise = 3.5
	// blinkLate is how long after its cue a blink may begin.
	blinkLate = 900 * time.Millisecond
)

func judgeBlink(c Challenge, frames []Frame, same float64) Verdict {
	// At a frame every 100 ms a blink of 250 ms is seen twice.
	seen, ok := usable(frames, int(c.Length()/(100*time.Millisecond)))
	if !ok {
		return Verdict{Result: NotAssessable, Reason: ReasonFewFrames}
	}
	// Both eyes against the cheeks, so that the room's light does not count.
	eyes := make([]float64, len(seen))
	for i := range seen {
		f := &seen[i]
		eyes[i] = (f.light(leftEye) + f.light(rightEye)) / (f.light(leftCheek) + f.light(rightCheek))
		if math.IsNaN(eyes[i]) || math.IsInf(eyes[i], 0) {
			return Verdict{Result: NotAssessable, Reason: ReasonFewFrames}
		}
	}
	sorted := slices.Sorted(slices.Values(eyes))
	open := sorted[len(sorted)/2] // most of the time eyes are open
	off := make([]float64, len(eyes))
	for i, e := range eyes {
		off[i] = math.Abs(e/open - 1)
	}
	// Points that tremble make the patch tremble: what stands out of that.
	rise := max(blinkRise, blinkNoise*slices.Sorted(slices.Values(off))[len(off)/2])
	answered := make([]bool, len(c.Steps))
	stray, wanted := 0, 0
	for i := 0; i < len(off); i++ {
		if off[i] < rise {
			continue
		}
		begin := i
		for i < len(off) && off[i] >= rise {
			i++
		}
		if i == len(off) || seen[i].At-seen[begin].At > blinkMax {
			stray++
			continue
		}
		s, k, shown := c.at(seen[begin].At)
		if s == nil || s.Cue != BlinkNow || shown > blinkLate || answered[k] {
			stray++
			continue
		}
		answered[k] = true
	}
	hit := 0
	for k, s := range c.Steps {
		if s.Cue == BlinkNow {
			wanted++
			if answered[k] {
				hit++
			}
		}
	}
	v := Verdict{Scores: map[string]float64{"asked": float64(wanted), "seen": float64(hit), "stray": float64(stray)}}
	switch {
	case hit == 0:
		v.Result, v.Reason = Fail, ReasonOther
	case hit < wanted || stray > 1:
		v.Result, v.Reason = NotAssessable, ReasonUnclear
	default:
		v.Result = Pass
	}
	return constant(v, seen, same)
}
