package pad

import (
	"math"
	"time"

	"github.com/watchpost/watchpost/device/biometric/patch"
)

// Frame is what is known of one frame. Points are in the order of the face
// engine: outer and inner corner of the eye at the right of the image, outer
// and inner corner of the eye at its left, base of the nose.
type Frame struct {
	At            time.Duration // since the challenge began to be shown
	Width, Height int           // of the picture, pixels
	Face          bool          // a face was found; the rest is empty without
	Points        [5]patch.Point
	Samples       Samples
	Same          float64 // cosine of its template with that of the first frame, NaN unknown
}

// eyes returns the eye centres at the left and right of the image.
func (f *Frame) eyes() (left, right patch.Point) {
	mid := func(a, b patch.Point) patch.Point { return patch.Point{X: (a.X + b.X) / 2, Y: (a.Y + b.Y) / 2} }
	return mid(f.Points[2], f.Points[3]), mid(f.Points[0], f.Points[1])
}

// light is the linear light of a place, 0 to 1, NaN where it is not seen. Most
// of a picture's tone curve is sRGB's; what a camera's own does beyond that is
// taken up by comparing every place with itself.
func (f *Frame) light(place int) float64 {
	c := f.Samples[place]
	sum := 0.0
	for k, weight := range [3]float64{0.2126, 0.7152, 0.0722} {
		v := c[k] / 255
		if !(v >= 0) {
			return math.NaN()
		}
		if v > 0.04045 {
			v = math.Pow((v+0.055)/1.055, 2.4)
		} else {
			v /= 12.92
		}
		sum += weight * v
	}
	return sum
}

// usable frames have a face; ok is false where too few have.
func usable(frames []Frame, least int) (out []Frame, ok bool) {
	for _, f := range frames {
		if f.Face {
			out = append(out, f)
		}
	}
	return out, len(out) >= least && 4*len(out) >= 3*len(frames)
}

// Judge evaluates the frames of a challenge. same is the cosine from which two
// templates are taken for one person's.
func Judge(c Challenge, frames []Frame, same float64) Verdict {
	switch c.Kind {
	case Flash:
		return judgeFlash(c, frames, same)
	case Turn:
		return judgeTurn(c, frames, same)
	case Blink:
		return judgeBlink(c, frames, same)
	}
	return Verdict{Result: NotAssessable, Reason: ReasonUnclear}
}

// one tells whether the frames show one person: Pass, Fail, or NotAssessable
// where fewer than half of them have a template.
func one(frames []Frame, same float64) (r Result, lowest float64) {
	lowest, known, low := 1.0, 0, 0
	for i := range frames {
		if math.IsNaN(frames[i].Same) {
			continue
		}
		known++
		lowest = min(lowest, frames[i].Same)
		if frames[i].Same < same {
			low++
		}
	}
	switch {
	case 2*known < len(frames):
		return NotAssessable, lowest
	case 10*low > known: // one frame in ten may be a bad one
		return Fail, lowest
	}
	return Pass, lowest
}

// constant turns a pass into what identity says of it.
func constant(v Verdict, frames []Frame, same float64) Verdict {
	r, lowest := one(frames, same)
	v.Scores["identity"] = lowest
	switch {
	case r == Fail:
		v.Result, v.Reason = Fail, ReasonChanged
	case r == NotAssessable && v.Result == Pass:
		v.Result, v.Reason = NotAssessable, ReasonNoIdentity
	}
	return v
}
