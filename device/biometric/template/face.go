// Package template holds the values that stand for a person's biometrics in
// comparisons: face vectors now, minutiae with the finger engine. Templates
// are personal data of a special category; they log as nothing.
package template

import (
	"log/slog"
	"math"

	"github.com/watchpost/watchpost/device/fault"
)

// FaceDimensions is the length of a face vector (dlib's recognition net of
// 2017 gives 128).
const FaceDimensions = 128

// Face is a face template: the direction of a face in the feature space of one
// version of one model. Only templates of the same model and version may be
// compared.
type Face struct {
	Model   string                  `json:"model"`
	Version string                  `json:"version"`
	Images  int                     `json:"images"` // how many pictures were averaged, from 1
	Vector  [FaceDimensions]float32 `json:"vector"` // unit length
	// Agreement is the mean cosine among the pictures averaged, each with
	// itself too, 1 for one; 0 where whoever averaged them does not say.
	Agreement float64 `json:"agreement,omitempty"`
}

// LogValue keeps templates out of logs.
func (Face) LogValue() slog.Value { return slog.StringValue("face template (redacted)") }

// String keeps templates out of the fmt verbs.
func (Face) String() string { return "face template (redacted)" }

// Errors of comparing and averaging.
var (
	ErrModel = &fault.Error{Code: "template.model", Hint: "the templates come from different models: make them anew with one"}
	ErrEmpty = &fault.Error{Code: "template.empty"}
)

// unitSlack is how far the squared length of a float32 unit vector of 128
// elements may be from 1: 128 roundings of 2^-24 each, with room.
const unitSlack = 1e-4

// Check reports whether f is a template that may be compared: a named model
// and a finite vector of unit length.
func (f *Face) Check() error {
	if f.Model == "" || f.Version == "" || f.Images < 1 {
		return fault.New("template.unnamed", "a face template without model, version or number of images")
	}
	sum := 0.0
	for _, v := range f.Vector {
		sum += float64(v) * float64(v)
	}
	if math.IsNaN(sum) || math.Abs(sum-1) > unitSlack {
		return fault.New("template.length", "a face template is not of unit length")
	}
	if !(f.Agreement >= 0 && f.Agreement <= 1+unitSlack) {
		return fault.New("template.agreement", "the pictures of a template agree by %v, 0 to 1 is possible", f.Agreement)
	}
	return nil
}

// Cosine returns the cosine of the angle between two templates, -1 to 1;
// higher is more alike. ErrModel if they are not of one model and version.
func Cosine(a, b *Face) (float64, error) {
	if a.Model != b.Model || a.Version != b.Version {
		return 0, ErrModel
	}
	sum := 0.0
	for i := range a.Vector {
		sum += float64(a.Vector[i]) * float64(b.Vector[i])
	}
	return max(-1, min(1, sum)), nil
}

// usual is the cosine of two photographs of one person on different days,
// taken for the pictures of a mean that does not tell how they agree (median
// of Labeled Faces in the Wild, rounded down).
const usual = 0.95

// length is that of the mean of the unit vectors of f's pictures.
func (f *Face) length() float64 {
	k := float64(max(1, f.Images))
	if f.Agreement > 0 {
		return math.Sqrt(min(1, f.Agreement))
	}
	return math.Sqrt((1 + (k-1)*usual) / k)
}

// Likeness is the score of two templates: the mean cosine between the pictures
// of one and those of the other. For one picture each it is the cosine.
//
// The cosine of two means is higher than that: averaging takes away what tells
// pictures of one person apart and, with it, some of what tells people apart,
// so that strangers' means match three to ten times as often at one threshold
// (measured on LFW: one picture against two, two against two). A mean of
// cosines scatters less than one cosine: the false match rate calibrated for
// single pictures is then a bound.
func Likeness(a, b *Face) (float64, error) {
	s, err := Cosine(a, b)
	if err != nil || s < 0 {
		return s, err
	}
	return s * a.length() * b.length(), nil
}

// Mean averages templates of one person and scales the result to unit length.
// A template that is itself a mean counts as often as it has images.
func Mean(all []Face) (Face, error) {
	if len(all) == 0 {
		return Face{}, ErrEmpty
	}
	var sum [FaceDimensions]float64
	out := Face{Model: all[0].Model, Version: all[0].Version}
	for i := range all {
		f := &all[i]
		if f.Model != out.Model || f.Version != out.Version {
			return Face{}, ErrModel
		}
		n := max(1, f.Images)
		out.Images += n
		weight := float64(n) * f.length()
		for k, v := range f.Vector {
			sum[k] += weight * float64(v)
		}
	}
	length := 0.0
	for _, v := range sum {
		length += v * v
	}
	if length = math.Sqrt(length); length < 1e-9 || math.IsNaN(length) {
		return Face{}, fault.New("template.length", "the templates cancel each other out")
	}
	for k, v := range sum {
		out.Vector[k] = float32(v / length)
	}
	out.Agreement = min(1, math.Pow(length/float64(out.Images), 2))
	return out, nil
}

// Of returns the template of model and version among all, nil where there is
// none.
func Of(all []Face, model, version string) *Face {
	for i := range all {
		if all[i].Model == model && all[i].Version == version {
			return &all[i]
		}
	}
	return nil
}

// Means averages templates that may come of two models, side by side during a
// change: one mean a model, in the order of their first templates.
func Means(all []Face) ([]Face, error) {
	var groups [][]Face
next:
	for _, f := range all {
		for i := range groups {
			if groups[i][0].Model == f.Model && groups[i][0].Version == f.Version {
				groups[i] = append(groups[i], f)
				continue next
			}
		}
		groups = append(groups, []Face{f})
	}
	if len(groups) == 0 {
		return nil, ErrEmpty
	}
	var out []Face
	for _, g := range groups {
		m, err := Mean(g)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}
