//go:build goface

package goface

import (
	"bytes"
	"context"
	stdimage "image"
	"image/jpeg"
	"math"

	goface "github.com/Kagami/go-face"

	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/fault"
)

var model = face.Model{Name: "dlib-resnet-v1", Version: "go-face"}

// Engine wraps one recogniser. It is for one goroutine at a time.
type Engine struct{ r *goface.Recognizer }

var _ face.Engine = (*Engine)(nil)

// Open loads the models from dir, which the caller has verified.
func Open(dir string) (*Engine, error) {
	r, err := goface.NewRecognizer(dir)
	if err != nil {
		return nil, fault.Wrap(face.ErrModelCorrupt.Code, err)
	}
	return &Engine{r}, nil
}

// Template implements face.Engine. The raster is written as a colour JPEG of
// quality 95, the only thing go-face takes.
func (e *Engine) Template(_ context.Context, img face.Raster, _ face.Effort) (face.Template, error) {
	if err := img.Check(); err != nil {
		return face.Template{}, err
	}
	rgba := stdimage.NewRGBA(stdimage.Rect(0, 0, img.Width, img.Height))
	for y := range img.Height {
		for x := range img.Width {
			copy(rgba.Pix[y*rgba.Stride+4*x:], img.Pix[y*img.Stride+3*x:y*img.Stride+3*x+3])
			rgba.Pix[y*rgba.Stride+4*x+3] = 255
		}
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, rgba, &jpeg.Options{Quality: 95}); err != nil {
		return face.Template{}, fault.Wrap("face.engine", err)
	}
	faces, err := e.r.Recognize(buf.Bytes())
	if err != nil {
		return face.Template{}, fault.Wrap("face.engine", err)
	}
	if len(faces) == 0 {
		return face.Template{}, face.ErrNone
	}
	best := faces[0]
	for _, f := range faces[1:] {
		if area(f.Rectangle) > area(best.Rectangle) {
			best = f
		}
	}
	t := face.Template{Faces: len(faces), Model: model, MirrorAgreement: math.NaN()}
	t.Chosen = face.Detection{Box: best.Rectangle, Detector: face.DetectorHOG, HasPoints: len(best.Shapes) == 5}
	for i, p := range best.Shapes[:min(5, len(best.Shapes))] {
		t.Chosen.Points[i] = face.Point{X: float64(p.X), Y: float64(p.Y)}
	}
	t.Vector = best.Descriptor
	return t, face.Unit(&t.Vector)
}

func area(r stdimage.Rectangle) int { return r.Dx() * r.Dy() }

// Model returns the name of the weights and the version of the recipe.
func (e *Engine) Model() face.Model { return model }

// Close frees the recogniser.
func (e *Engine) Close() error { e.r.Close(); return nil }
