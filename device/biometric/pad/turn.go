package pad

import (
	"math"
	"time"
)

// Limits of the head turn. As with the flashes, geometry and simulation only.
const (
	// turnLeast is how far the nose has to move from its place ahead, in eye
	// distances: some 14 degrees.
	turnLeast = 0.08
	// turnEnd is the part of a step in which the head has to be there: people
	// take half a second to begin, and some more to turn.
	turnEnd = 500 * time.Millisecond
)

func judgeTurn(c Challenge, frames []Frame, same float64) Verdict {
	seen, ok := usable(frames, 4*len(c.Steps))
	if !ok {
		return Verdict{Result: NotAssessable, Reason: ReasonFewFrames}
	}
	ahead, ok := frontal(c, seen)
	if !ok {
		return Verdict{Result: NotAssessable, Reason: ReasonFewFrames}
	}
	v := Verdict{Scores: make(map[string]float64)}
	// What was asked for, in order: the nose's farthest place in each step.
	followed, against := 0, 0
	for k, s := range c.Steps {
		want := 0.0
		switch s.Cue {
		case TurnLeft: // the person's left is at the right of the image
			want = 1
		case TurnRite:
			want = -1
		}
		most, back := math.Inf(-1), math.Inf(1) // farthest aside as asked, nearest to ahead
		for i := range seen {
			now, at, shown := c.at(seen[i].At)
			if now == nil || at != k || shown < time.Duration(s.Millis)*time.Millisecond-turnEnd {
				continue
			}
			if p, ok := poseOf(&seen[i]); ok {
				most, back = max(most, want*(p.nose-ahead.nose)), min(back, math.Abs(p.nose-ahead.nose))
			}
		}
		switch {
		case want == 0 && back > turnLeast, want != 0 && most < turnLeast:
			against++
		case want != 0:
			followed++
		}
		if want != 0 && !math.IsInf(most, 0) {
			v.Scores["turn"] = max(v.Scores["turn"], most)
		}
	}
	if against > 0 {
		v.Result, v.Reason = Fail, ReasonOther
		return constant(v, seen, same)
	}
	left, okLeft := mean(turnedTo(seen, ahead, 1))
	right, okRight := mean(turnedTo(seen, ahead, -1))
	if !okLeft || !okRight {
		v.Result, v.Reason = NotAssessable, ReasonFewFrames
		return constant(v, seen, same)
	}
	r, ok := reliefOf(ahead, left, right)
	if !ok {
		v.Result, v.Reason = NotAssessable, ReasonUnclear
		return constant(v, seen, same)
	}
	v.Scores["depth"], v.Scores["depth_error"] = r.depth, r.error
	v.Result, v.Reason = r.judge()
	return constant(v, seen, same)
}

// turnedTo are the poses of a face turned to a side, 1 for the person's left.
func turnedTo(frames []Frame, ahead pose, side float64) (out []pose) {
	for i := range frames {
		if p, ok := poseOf(&frames[i]); ok && side*(p.nose-ahead.nose) >= turnLeast {
			out = append(out, p)
		}
	}
	return out
}

// frontal averages the frames of the first step, in which the person looks
// ahead; ok is false where there are fewer than two.
func frontal(c Challenge, frames []Frame) (pose, bool) {
	var ahead []pose
	for i := range frames {
		if s, k, _ := c.at(frames[i].At); s == nil || k != 0 || s.Cue != Ahead {
			continue
		}
		if p, ok := poseOf(&frames[i]); ok {
			ahead = append(ahead, p)
		}
	}
	m, _ := mean(ahead)
	return m, len(ahead) >= 2
}
