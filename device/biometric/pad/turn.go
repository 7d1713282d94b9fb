package pad

import (
	"math"
	"time"

	"github.com/watchpost/watchpost/device/biometric/patch"
)

// Limits of the head turn. As with the flashes, geometry and simulation only.
const (
	// turnLeast is how far the nose has to move from its place ahead, in eye
	// distances: some 14 degrees.
	turnLeast = 0.08
	// turnEnd is the part of a step in which the head has to be there: people
	// take half a second to begin, and some more to turn.
	turnEnd = 500 * time.Millisecond
	// turnSolid is how many times better a solid than a flat face must explain
	// the points of the turned frames.
	turnSolid = 1.3
	// turnFlat: a flat face explains them at least so well against the solid.
	turnFlat = 0.9
	// turnNoise is the root mean square, in eye distances, below which both
	// explain everything: the head was hardly turned, or points are very good.
	turnNoise = 0.004
	// turnMisfit is the same above which neither does.
	turnMisfit = 0.08
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
			if x, ok := noseAside(&seen[i]); ok {
				most, back = max(most, want*(x-ahead.nose)), min(back, math.Abs(x-ahead.nose))
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
		if followed == 0 {
			v.Reason = ReasonFlat // a flat face turned about an upright axis keeps its nose in the middle
		}
		return constant(v, seen, same)
	}
	flat, solid, n := 0.0, 0.0, 0
	for i := range seen {
		x, ok := noseAside(&seen[i])
		if !ok || math.Abs(x-ahead.nose) < turnLeast {
			continue
		}
		f, okFlat := ahead.misfit(&seen[i], false)
		s, okSolid := ahead.misfit(&seen[i], true)
		if okFlat && okSolid {
			flat, solid, n = flat+f*f, solid+s*s, n+1
		}
	}
	if n < 3 {
		v.Result, v.Reason = NotAssessable, ReasonFewFrames
		return constant(v, seen, same)
	}
	flat, solid = math.Sqrt(flat/float64(n)), math.Sqrt(solid/float64(n))
	v.Scores["flat"], v.Scores["solid"] = flat, solid
	switch ratio := flat / max(solid, 1e-6); {
	case flat < turnNoise || ratio < turnFlat:
		v.Result, v.Reason = Fail, ReasonFlat
	case solid > turnMisfit || ratio < turnSolid:
		v.Result, v.Reason = NotAssessable, ReasonUnclear
	default:
		v.Result = Pass
	}
	return constant(v, seen, same)
}

// noseAside is where the base of the nose lies along the line of the eyes, in
// eye distances from their middle.
func noseAside(f *Frame) (float64, bool) {
	left, right := f.eyes()
	a, ok := patch.AxesOf(left, right)
	if !ok {
		return 0, false
	}
	x, _ := a.Place(f.Points[4])
	return x, true
}

// reference is the face as it looks ahead: points in eye distances, the
// origin between the eyes.
type reference struct {
	points [5][2]float64
	nose   float64
}

// frontal averages the frames of the first step, in which the person looks
// ahead.
func frontal(c Challenge, frames []Frame) (r reference, ok bool) {
	n := 0.0
	for i := range frames {
		s, _, _ := c.at(frames[i].At)
		if s == nil || s.Cue != Ahead {
			continue
		}
		left, right := frames[i].eyes()
		a, ok := patch.AxesOf(left, right)
		if !ok {
			continue
		}
		for k, p := range frames[i].Points {
			x, y := a.Place(p)
			r.points[k][0], r.points[k][1] = r.points[k][0]+x, r.points[k][1]+y
		}
		n++
	}
	if n < 2 {
		return r, false
	}
	for k := range r.points {
		r.points[k][0], r.points[k][1] = r.points[k][0]/n, r.points[k][1]/n
	}
	r.nose = r.points[4][0]
	return r, true
}
