package decode

import (
	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/capture/decode/face"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// answer puts a template, with the quality of the face it was made of, into
// the form of the wire.
func answer(pixels face.Raster, t face.Template) *decodev1.TemplateFaceResponse {
	box := t.Chosen.Box
	out := &decodev1.TemplateFaceResponse{
		Faces: uint32(t.Faces),
		Face: &decodev1.FaceDetection{
			X: int32(box.Min.X), Y: int32(box.Min.Y), Width: uint32(box.Dx()), Height: uint32(box.Dy()),
			Score: t.Chosen.Score, Detector: decodev1.FaceDetector(t.Chosen.Detector),
		},
		Template: &decodev1.FaceTemplate{Model: modelOf(t.Model), Vector: t.Vector[:]},
		Quality:  qualityOf(pixels, t),
		Width:    uint32(pixels.Width), Height: uint32(pixels.Height),
	}
	if t.Chosen.HasPoints {
		for _, p := range t.Chosen.Points {
			out.Face.Points = append(out.Face.Points, &decodev1.Point{X: p.X, Y: p.Y})
		}
	}
	return out
}

func modelOf(m face.Model) *decodev1.FaceModel {
	return &decodev1.FaceModel{Name: m.Name, Version: m.Version}
}

func qualityOf(pixels face.Raster, t face.Template) *decodev1.FaceQuality {
	in := quality.FaceInput{
		Pix: pixels.Pix, Width: pixels.Width, Height: pixels.Height, Stride: pixels.Stride,
		Box: t.Chosen.Box, Faces: t.Faces, HasEyes: t.Chosen.HasPoints, MirrorAgreement: t.MirrorAgreement,
	}
	if in.HasEyes {
		l, r := t.Chosen.EyeCentres()
		in.LeftEye, in.RightEye = quality.Point(l), quality.Point(r)
		in.HasNose, in.Nose = true, quality.Point(t.Chosen.Points[face.NoseBase])
	}
	report := quality.Face(in)
	out := &decodev1.FaceQuality{Unified: report.Unified}
	for _, m := range report.Measures {
		out.Components = append(out.Components, &decodev1.QualityComponent{Name: m.Name, Value: m.Value, Native: m.Native, Unit: m.Unit})
	}
	return out
}
