package capture

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// goodAnswer is an answer that is accepted.
func goodAnswer() *decodev1.TemplateFaceResponse {
	v := make([]float32, 128)
	v[7] = 1
	return &decodev1.TemplateFaceResponse{
		Faces:    1,
		Face:     &decodev1.FaceDetection{X: -3, Y: 4, Width: 50, Height: 60, Score: 1.5, Detector: decodev1.FaceDetector_FACE_DETECTOR_HOG},
		Template: &decodev1.FaceTemplate{Model: &decodev1.FaceModel{Name: "m", Version: "1"}, Vector: v},
		Quality:  &decodev1.FaceQuality{Unified: 50, Components: []*decodev1.QualityComponent{{Name: "sharpness", Value: 10, Native: 3}}},
	}
}

func TestFaceOf(t *testing.T) {
	f, err := faceOf(goodAnswer())
	if err != nil || f.Box.Min.X != -3 || f.Box.Max.Y != 64 || f.Detector != "hog" || f.Template.Images != 1 {
		t.Fatalf("%#v, %v", f.Box, err)
	}
	if s := fmt.Sprintf("%v %+v", f, f); strings.ContainsAny(s, "0123456789") {
		t.Errorf("a face prints as %q", s)
	}
}

// The process runs C on outside bytes: nothing it says is taken unseen.
func TestFaceOfRefuses(t *testing.T) {
	nan := math.NaN()
	for name, change := range map[string]func(*decodev1.TemplateFaceResponse){
		"no template":   func(a *decodev1.TemplateFaceResponse) { a.Template = nil },
		"short vector":  func(a *decodev1.TemplateFaceResponse) { a.Template.Vector = a.Template.Vector[:127] },
		"long vector":   func(a *decodev1.TemplateFaceResponse) { a.Template.Vector = append(a.Template.Vector, 0) },
		"not unit":      func(a *decodev1.TemplateFaceResponse) { a.Template.Vector[7] = 1.1 },
		"nan vector":    func(a *decodev1.TemplateFaceResponse) { a.Template.Vector[0] = float32(nan) },
		"no model":      func(a *decodev1.TemplateFaceResponse) { a.Template.Model = nil },
		"no faces":      func(a *decodev1.TemplateFaceResponse) { a.Faces = 0 },
		"no detection":  func(a *decodev1.TemplateFaceResponse) { a.Face = nil },
		"no detector":   func(a *decodev1.TemplateFaceResponse) { a.Face.Detector = 99 },
		"score":         func(a *decodev1.TemplateFaceResponse) { a.Face.Score = math.Inf(1) },
		"quality":       func(a *decodev1.TemplateFaceResponse) { a.Quality.Unified = 101 },
		"quality nan":   func(a *decodev1.TemplateFaceResponse) { a.Quality.Unified = nan },
		"component":     func(a *decodev1.TemplateFaceResponse) { a.Quality.Components[0].Value = -1 },
		"component nan": func(a *decodev1.TemplateFaceResponse) { a.Quality.Components[0].Native = nan },
	} {
		a := goodAnswer()
		change(a)
		if _, err := faceOf(a); fault.CodeOf(err) != "decode.answer" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGatherStopsAtTheLimit(t *testing.T) {
	endless := func() ([]byte, error) { return make([]byte, 10), nil }
	if b, err := gather(35, endless); fault.CodeOf(err) != "decode.answer" {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, err := gather(35, func() ([]byte, error) { return nil, nil }); fault.CodeOf(err) != "decode.answer" {
		t.Errorf("empty chunks for ever: %v", err)
	}
}
