// Package quality measures how usable a biometric sample is. Face measures
// carry the names of ISO/IEC 29794-5 and are computed where five points and
// the pixels suffice; the mappings to 0-100 are ours, stated beside each, and
// not conformance-tested. A measure that cannot be assessed is absent: it is
// never reported as a number.
package quality

import (
	"image"
	"math"
)

// Measure is one quality component.
type Measure struct {
	Name   string  // ISO/IEC 29794-5's name, lower case with underscores
	Value  float64 // 0 to 100, higher is better
	Native float64 // in Unit
	Unit   string  // "px", "degree", "ratio", "bit", "grey"
}

// Report is the quality of one face.
type Report struct {
	Unified  float64 // 0 to 100; see Face
	Measures []Measure
}

// Point is a position in pixels.
type Point struct{ X, Y float64 }

// FaceInput is what a face engine knows. Pix is 8-bit RGB, read only.
type FaceInput struct {
	Pix                   []byte
	Width, Height, Stride int
	Box                   image.Rectangle
	Faces                 int
	HasEyes               bool
	LeftEye, RightEye     Point   // centres, at the left and right of the image
	MirrorAgreement       float64 // cosine of plain and mirrored view, NaN if unknown
}

// Face measures one face. Unified is the geometric mean of inter-eye
// distance, sharpness, exposure and, where known, the agreement of the
// template with that of the mirrored picture, which needs no model of quality
// and falls when the template is unsure. It orders pictures; its numbers are
// not those of a trained unified score.
func Face(in FaceInput) Report {
	var r Report
	unified := geometric{}
	add := func(name string, value, native float64, unit string, counts bool) {
		value = math.Round(value*10) / 10
		r.Measures = append(r.Measures, Measure{name, value, native, unit})
		if counts {
			unified.add(value)
		}
	}
	if in.Faces > 0 {
		add("single_face_present", 100/float64(in.Faces), float64(in.Faces), "faces", false)
	}
	if in.HasEyes {
		dx, dy := in.RightEye.X-in.LeftEye.X, in.RightEye.Y-in.LeftEye.Y
		eyes := math.Hypot(dx, dy)
		// The net sees about 38 px between the eyes; ISO/IEC 39794-5 asks for
		// 90 px in a document's portrait.
		add("inter_eye_distance", ramp(eyes, 10, 90), eyes, "px", true)
		if eyes > 0 {
			roll := math.Abs(math.Atan2(dy, dx)) * 180 / math.Pi
			add("head_pose_roll", 100*math.Pow(math.Cos(min(roll, 90)*math.Pi/180), 2), roll, "degree", false)
		}
		if in.Height > 0 {
			// ISO/IEC 39794-5: the head takes 60 to 90 % of a portrait's
			// height; eye distance is about a quarter of the head.
			head := 4 * eyes / float64(in.Height)
			add("head_size", min(ramp(head, 0.1, 0.6), ramp(1.4-head, 0, 0.5)), head, "ratio", false)
		}
	}
	if g, ok := greyOf(in); ok {
		add("luminance_mean", min(ramp(g.mean, 0.1, 0.3), ramp(1-g.mean, 0.1, 0.3)), g.mean, "ratio", false)
		add("luminance_variance", ramp(g.variance, 0, 0.02), g.variance, "ratio", false)
		under, over := ramp(0.3-g.dark, 0, 0.3), ramp(0.3-g.bright, 0, 0.3)
		add("under_exposure_prevention", under, g.dark, "ratio", false)
		add("over_exposure_prevention", over, g.bright, "ratio", false)
		unified.add(min(under, over))
		add("dynamic_range", ramp(g.entropy, 3, 7), g.entropy, "bit", false)
		add("sharpness", ramp(math.Log2(1+g.gradient), 0.5, 4), g.gradient, "grey", true)
	}
	if !math.IsNaN(in.MirrorAgreement) {
		unified.add(ramp(in.MirrorAgreement, 0.9, 1))
	}
	r.Unified = math.Round(unified.mean()*10) / 10
	return r
}

// ramp maps lo and below to 0, hi and above to 100, linearly between.
func ramp(x, lo, hi float64) float64 {
	return 100 * max(0, min(1, (x-lo)/(hi-lo)))
}

// geometric is a geometric mean of values from 0 to 100. One that is nearly 0
// pulls the mean down without erasing the rest.
type geometric struct {
	logs float64
	n    int
}

func (g *geometric) add(v float64) { g.logs += math.Log(max(v, 1)); g.n++ }

func (g *geometric) mean() float64 {
	if g.n == 0 {
		return 0
	}
	return math.Exp(g.logs / float64(g.n))
}
