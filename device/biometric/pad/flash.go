package pad

import (
	"math"
	"time"
)

// Limits of the flash challenge. Light falls off with the square of the
// distance and with the angle to the surface; the numbers come from that
// geometry (a screen of 40 to 60 cm, a face at 35 to 80 cm) and were looked at
// in simulation only.
const (
	// flashAnswer is the least rise of light, of the dark step's, that the full
	// screen must bring: below, noise and the room's light decide.
	flashAnswer = 0.04
	// flashSolid is the least shading index of a solid face. Cheeks that look
	// 25 to 40 degrees aside give 0.25 to 0.6; a flat print, by distance alone,
	// 0.05 to 0.15; one bent to a cylinder of 10 to 20 cm 0.15 to 0.25.
	flashSolid = 0.27
	// flashFlat is the index below which a face is called flat.
	flashFlat = 0.20
	// flashFollow is the least correlation of what was seen with what was shown.
	flashFollow = 0.8
	// flashBehind is the greatest share of the face's answer that what lies
	// behind may give: a print's own background answers like its face.
	flashBehind = 0.85
	// settle is how much of a step's begin is not looked at: exposure times
	// and the screen's own change.
	settle = 120 * time.Millisecond
	// maxLag bounds how late the screen and the camera may be together.
	maxLag  = 360 * time.Millisecond
	lagStep = 40 * time.Millisecond
)

// answer is the light that a step brought to the places.
type answer struct {
	n     int
	light [Places]float64
}

func judgeFlash(c Challenge, frames []Frame, same float64) Verdict {
	seen, ok := usable(frames, len(c.Steps))
	if !ok {
		return Verdict{Result: NotAssessable, Reason: ReasonFewFrames}
	}
	best := flashFit{follow: math.Inf(-1)}
	for lag := time.Duration(0); lag <= maxLag; lag += lagStep {
		if fit, ok := fitFlash(c, seen, lag); ok && fit.follow > best.follow {
			best = fit
		}
	}
	if math.IsInf(best.follow, -1) {
		return Verdict{Result: NotAssessable, Reason: ReasonFewFrames}
	}
	v := Verdict{Scores: map[string]float64{
		"response": best.response, "shading": best.shading, "follow": best.follow, "side": best.side, "behind": best.behind,
	}}
	switch {
	case best.response < flashAnswer:
		// A replay on a screen answers as little as a face in bright light.
		v.Result, v.Reason = NotAssessable, ReasonNoAnswer
	case best.follow < flashFollow:
		v.Result, v.Reason = Fail, ReasonOther
	case best.shading < flashFlat || best.behind > flashBehind:
		v.Result, v.Reason = Fail, ReasonFlat
	case best.shading < flashSolid || best.side < flashFollow:
		v.Result, v.Reason = NotAssessable, ReasonUnclear
	default:
		v.Result = Pass
	}
	return constant(v, seen, same)
}

// flashFit is how the light of the face followed the screen at one lag.
type flashFit struct {
	response float64 // rise from dark to full, of dark
	follow   float64 // correlation of the rise with the lit share of the screen
	side     float64 // correlation of the cheeks' difference with the lit side
	shading  float64 // cheeks' difference under one lit half, of their mean rise
	behind   float64 // rise of the background, of the face's
}

// fitFlash compares what was seen with what was shown lag before; ok is false
// where a step has no frame.
func fitFlash(c Challenge, frames []Frame, lag time.Duration) (f flashFit, ok bool) {
	steps := make([]answer, len(c.Steps))
	for i := range frames {
		s, k, shown := c.at(frames[i].At - lag)
		if s == nil || shown < settle {
			continue
		}
		steps[k].n++
		for p := range Places {
			steps[k].light[p] += frames[i].light(p)
		}
	}
	var dark answer
	for i := range steps {
		if steps[i].n == 0 {
			return f, false
		}
		for p := range Places {
			steps[i].light[p] /= float64(steps[i].n)
		}
		if c.Steps[i].Cue == Dark {
			dark.n++
			for p := range Places {
				dark.light[p] += steps[i].light[p]
			}
		}
	}
	for p := range Places {
		dark.light[p] /= float64(max(1, dark.n))
	}
	if dark.n == 0 || !(dark.light[leftCheek] > 0) || !(dark.light[rightCheek] > 0) {
		return f, false
	}
	// The rise of a place over its own dark light, which takes its colour out.
	rise := func(k, p int) float64 { return steps[k].light[p]/dark.light[p] - 1 }
	var shown, seen, lit, tilt []float64
	var full, halves, difference, behindRise float64
	var fulls, sides, behinds float64
	for k, s := range c.Steps {
		l, r := rise(k, leftCheek), rise(k, rightCheek)
		mean := (l + r) / 2
		share, side := 0.5, 0.0
		switch s.Cue {
		case Dark:
			share = 0
		case Full:
			share = 1
			full += mean
			fulls++
			for _, p := range [...]int{leftBackground, rightBackground} {
				if b := rise(k, p); !math.IsNaN(b) {
					behindRise += b
					behinds++
				}
			}
		case LightLeft: // the person's left is at the right of the image
			side = -1
		case LightRite:
			side = 1
		}
		if side != 0 {
			difference += side * (l - r)
			halves += mean
			sides++
		}
		shown, seen = append(shown, share), append(seen, mean)
		lit, tilt = append(lit, side), append(tilt, l-r)
	}
	if fulls == 0 || sides == 0 {
		return f, false
	}
	f.response = full / fulls
	f.follow = correlation(shown, seen)
	f.side = correlation(lit, tilt)
	if halves > 0 {
		f.shading = difference / halves
	}
	if behinds > 0 && f.response > 0 {
		f.behind = behindRise / behinds / f.response
	}
	return f, true
}

// correlation is Pearson's, 0 where one side does not move.
func correlation(x, y []float64) float64 {
	n := float64(len(x))
	var mx, my float64
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	var sxy, sxx, syy float64
	for i := range x {
		sxy += (x[i] - mx) * (y[i] - my)
		sxx += (x[i] - mx) * (x[i] - mx)
		syy += (y[i] - my) * (y[i] - my)
	}
	if !(sxx > 0) || !(syy > 0) {
		return 0
	}
	return sxy / math.Sqrt(sxx*syy)
}
