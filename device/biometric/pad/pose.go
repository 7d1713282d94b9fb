package pad

import (
	"math"

	"github.com/watchpost/watchpost/device/biometric/patch"
)

// What five points tell of depth. A head that turns shows two things: the base
// of the nose moves aside, and the eye that comes nearer grows wider than the
// other, since its outer corner lies behind the inner one. A flat print that
// leans and turns moves its nose as well, but its eyes change by perspective alone; one
// bent about an upright axis changes its eyes and hardly moves its nose. So the
// quotient of the two is judged.
//
// The numbers are of the detector, not of a skull: it holds eyes together, and sees
// an outer corner 11 mm behind as if it were 4 mm. They were looked at in two sets of
// real people (LFW, ORL) and on three pictures given a relief; see the README.
const (
	// noseGain is how far the nose moves for a turn of one radian, eye distances.
	noseGain = 0.36
	// depthLeast parts flat from solid: change of the eyes for that of the nose,
	// perspective taken off. Turned heads gave 0.33 in the middle, prints 0 to 0.29.
	depthLeast = 0.2
	// depthMost parts solid from bent: prints bent by 10 to 16 cm gave 1.0 and more.
	depthMost = 0.85
	// eyesError and noseError are standard deviations of the two changes from pose to
	// pose of one person, for the mean of two sides; no number of frames makes them less.
	eyesError = 0.0175
	noseError = 0.028
	// taller is how much the nose's distance from the line of the eyes may grow,
	// in eye distances: a sheet turned so far that its nose moves for perspective alone.
	taller = 1.3
	// focal is the focal length taken for granted, in widths of the picture: most
	// built-in cameras see 55 to 75 degrees across.
	focal = 0.85
)

// pose is what a frame shows of a turn.
type pose struct {
	nose   float64 // the base of the nose beside the middle of the eyes, eye distances
	height float64 // and below their line
	eyes   float64 // how much wider the eye at the right of the image is, of both: -1 to 1
	size   float64 // of the eye distance in focal lengths: the inverse of how far the face is
}

// poseOf reads the five points; ok is false where they give no axes.
func poseOf(f *Frame) (p pose, ok bool) {
	left, right := f.eyes()
	a, ok := patch.AxesOf(left, right)
	if !ok || f.Width < 1 {
		return p, false
	}
	p.nose, p.height = a.Place(f.Points[4])
	width := func(i, j int) float64 {
		x, _ := a.Place(f.Points[i])
		y, _ := a.Place(f.Points[j])
		return x - y
	}
	wr, wl := width(0, 1), width(3, 2)
	if !(wr > 0.05) || !(wl > 0.05) {
		return p, false
	}
	p.eyes, p.size = (wr-wl)/(wr+wl), a.Distance/(focal*float64(f.Width))
	return p, true
}

// mean of poses; ok is false where there are none.
func mean(poses []pose) (m pose, ok bool) {
	n := float64(len(poses))
	for _, p := range poses {
		m.nose, m.height, m.eyes, m.size = m.nose+p.nose/n, m.height+p.height/n, m.eyes+p.eyes/n, m.size+p.size/n
	}
	return m, n > 0
}

// relief is how solid the two sides of a turn look.
type relief struct {
	depth float64 // change of the eyes for that of the nose, without perspective
	error float64 // one standard deviation of it
}

// reliefOf compares the face turned to both sides with itself ahead; ok is false
// where the nose does not stand to both sides, or grew as no head's does.
func reliefOf(ahead, left, right pose) (r relief, ok bool) {
	nose := (left.nose - right.nose) / 2
	if !(left.nose-ahead.nose > turnLeast/2) || !(ahead.nose-right.nose > turnLeast/2) {
		return r, false
	}
	if max(left.height, right.height) > taller*ahead.height {
		return r, false
	}
	// Perspective makes the nearer eye wider by half the turn's sine over the
	// distance; the person's left is at the right of the image, where the eye
	// gets farther away.
	size := (left.size + right.size) / 2
	eyes := (right.eyes-left.eyes)/2 - 0.5*math.Sin(min(1, nose/noseGain))*size
	r.depth = eyes / nose
	r.error = math.Hypot(eyesError, r.depth*noseError) / nose
	return r, !math.IsNaN(r.depth) && !math.IsInf(r.depth, 0)
}

// judge says what the relief is: Pass solid and Fail flat where it is two
// deviations off the other, NotAssessable where the errors of the points leave both,
// or where it is neither.
func (r relief) judge() (Result, string) {
	switch {
	case r.depth+2*r.error < depthLeast:
		return Fail, ReasonFlat
	case r.depth-2*r.error < depthLeast, r.depth > depthMost:
		return NotAssessable, ReasonUnclear
	}
	return Pass, ""
}
