// Package quality measures how usable a face picture is, after ISO/IEC
// 29794-5:2025 as far as five points and the pixels allow. Names are the
// standard's; where its mapping from native value to 0-100 is known to us
// (measures.go says so at each) it is used, over regions that five points give
// instead of face parsing. Nothing here was conformance-tested. A measure that
// cannot be assessed is absent from a report: it is never given as a number,
// and NotAssessed tells why.
package quality

import (
	"image"
	"math"

	"github.com/watchpost/watchpost/device/biometric/patch"
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
	LeftEye, RightEye     Point // centres, at the left and right of the image
	HasNose               bool
	Nose                  Point   // its base
	MirrorAgreement       float64 // cosine of plain and mirrored view, NaN if unknown
}

// Face measures one face. Unified is our own: the geometric mean of inter-eye
// distance, sharpness, exposure and, where known, the agreement of the
// template with that of the mirrored picture, which needs no model of quality
// and falls when the template is unsure. It orders pictures; it is not the
// standard's UnifiedQualityScore, which is a trained network's.
func Face(in FaceInput) Report {
	var r Report
	unified := geometric{}
	add := func(name string, value, native float64, unit string) {
		r.Measures = append(r.Measures, Measure{name, math.Round(10*max(0, min(100, value))) / 10, native, unit})
	}
	if in.Faces > 0 {
		add("single_face_present", 100/float64(in.Faces), float64(in.Faces), "faces")
	}
	picture := patch.Picture{Pix: in.Pix, Width: in.Width, Height: in.Height, Stride: in.Stride}
	axes, hasAxes := patch.AxesOf(patch.Point(in.LeftEye), patch.Point(in.RightEye))
	hasAxes = hasAxes && in.HasEyes
	if in.HasEyes {
		eyes := math.Hypot(in.RightEye.X-in.LeftEye.X, in.RightEye.Y-in.LeftEye.Y)
		add("inter_eye_distance", 100*logistic(eyes, 70, 20), eyes, "px")
		unified.add(ramp(eyes, 10, 90)) // the net sees about 38 px between the eyes
	}
	if hasAxes {
		in.place(axes, add)
	}
	if g, ok := greyOf(in); ok {
		// Products of two logistic curves, as the standard maps the mean.
		add("luminance_mean", 100*logistic(g.mean, 0.2, 0.05)*logistic(-g.mean, -0.8, 0.05), g.mean, "ratio")
		add("luminance_variance", ramp(g.variance, 0, 0.02), g.variance, "ratio")
		under, over := ramp(0.3-g.dark, 0, 0.3), ramp(0.3-g.bright, 0, 0.3)
		add("under_exposure_prevention", under, g.dark, "ratio")
		add("over_exposure_prevention", over, g.bright, "ratio")
		unified.add(min(under, over))
		add("dynamic_range", 12.5*g.entropy, g.entropy, "bit")
		sharp := ramp(math.Log2(1+g.gradient), 0.5, 4)
		add("sharpness", sharp, g.gradient, "grey")
		unified.add(sharp)
		if step, ok := blockiness(picture); ok {
			add("compression_artifacts", ramp(-math.Log2(step), -2.3, -0.1), step, "ratio")
		}
	}
	if hasAxes && picture.Valid() {
		surface(picture, axes, add)
	}
	if !math.IsNaN(in.MirrorAgreement) {
		unified.add(ramp(in.MirrorAgreement, 0.9, 1))
	}
	r.Unified = math.Round(unified.mean()*10) / 10
	return r
}

// adder puts one measure into a report; value is held within 0 to 100.
type adder func(name string, value, native float64, unit string)

// ramp maps lo and below to 0, hi and above to 100, linearly between.
func ramp(x, lo, hi float64) float64 {
	return 100 * max(0, min(1, (x-lo)/(hi-lo)))
}

// logistic is 1/(1+exp((x0-x)/w)), 0 to 1.
func logistic(x, x0, w float64) float64 { return 1 / (1 + math.Exp((x0-x)/w)) }

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
