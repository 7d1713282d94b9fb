package pad

import "github.com/watchpost/watchpost/device/biometric/patch"

// Result is a finding. The numbers are published; zero lets nobody through.
type Result uint8

// Results.
const (
	Unknown       Result = 0
	Pass          Result = 1
	Fail          Result = 2
	NotAssessable Result = 3
)

var resultWords = [...]string{"unknown", "pass", "fail", "not-assessable"}

func (r Result) String() string {
	if int(r) < len(resultWords) {
		return resultWords[r]
	}
	return resultWords[0]
}

// Reasons. They are text keys.
const (
	ReasonFewFrames  = "few_frames"       // too few frames, or no face in too many
	ReasonNoAnswer   = "no_response"      // the light of the screen does not show on the face
	ReasonOther      = "not_followed"     // what was seen is not what was asked for
	ReasonFlat       = "flat"             // shaded, or moving, like something flat
	ReasonChanged    = "identity_changed" // not one person through the challenge
	ReasonNoIdentity = "identity_unknown" // too few templates to say that it is one person
	ReasonUnclear    = "unclear"          // neither flat nor solid explains it
	ReasonSimulated  = "simulated"        // a pass that only simulation speaks for
)

// Verdict is what came of a challenge.
type Verdict struct {
	Result Result
	Reason string             // "" for a plain pass
	Scores map[string]float64 // what it rests on, by name
}

// Judged is what may be made of a verdict: error rates of these challenges are
// known from simulation only (hwtest pad), so a pass is not assessable unless a
// bench with real instruments vouches for the kind of challenge.
func Judged(v Verdict, benched bool) Verdict {
	if !benched && v.Result == Pass {
		v.Result, v.Reason = NotAssessable, ReasonSimulated
	}
	return v
}

// Places that a frame is sampled at, in the order of Samples.
const (
	forehead = iota
	leftCheek
	rightCheek
	nose
	chin
	leftBackground
	rightBackground
	leftEye
	rightEye
	// Places is how many there are.
	Places
)

var places = [Places]patch.Region{
	patch.Forehead, patch.LeftCheek, patch.RightCheek, patch.Nose, patch.Chin,
	patch.LeftBackground, patch.RightBackground, patch.LeftEye, patch.RightEye,
}

// Samples are mean colours of places of a face, red, green, blue, 0 to 255 as
// the picture codes them; a negative value marks a place that is not in the
// picture.
type Samples [Places]patch.Colour

// Sample reads the places of a face with the eye centres left and right; ok is
// false where they give no axes.
func Sample(p patch.Picture, left, right patch.Point) (s Samples, ok bool) {
	axes, ok := patch.AxesOf(left, right)
	if !ok {
		return s, false
	}
	for i, r := range places {
		c, seen := p.Mean(axes, r)
		if !seen {
			c = patch.Colour{-1, -1, -1}
		}
		s[i] = c
	}
	return s, true
}
