package decode

import (
	"context"
	"image"
	"math"

	"github.com/watchpost/watchpost/device/capture/decode/face"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// TemplateRaster returns the template of the largest face in pixels that were
// never an outside image: a frame of the process's own camera, in the devices
// role. Errors are coded, face.none among them.
func (s *Server) TemplateRaster(ctx context.Context, pixels face.Raster, effort face.Effort) (*decodev1.TemplateFaceResponse, error) {
	if err := pixels.Check(); err != nil {
		return nil, err
	}
	e, err := s.engine(decodev1.FaceEngine_FACE_ENGINE_UNSPECIFIED)
	if err != nil {
		return nil, err
	}
	return e.template(ctx, pixels, effort)
}

// liveSide is the longest side on which a live frame is searched for faces:
// person and camera are near, and the next frame comes soon.
const liveSide = 640

// LiveRaster looks for a face in a live frame with the fast detector alone; the
// answer has no template unless one is asked for. Errors as of TemplateRaster.
func (s *Server) LiveRaster(ctx context.Context, pixels face.Raster, withTemplate bool) (*decodev1.TemplateFaceResponse, error) {
	if err := pixels.Check(); err != nil {
		return nil, err
	}
	e, err := s.engine(decodev1.FaceEngine_FACE_ENGINE_UNSPECIFIED)
	if err != nil {
		return nil, err
	}
	small, k := pixels, 1
	for max(small.Width, small.Height) > liveSide {
		small, k = small.Half(), 2*k
	}
	t := face.Template{MirrorAgreement: math.NaN()}
	err = e.Pool.Use(ctx, func(f face.Engine) (err error) {
		finder, can := f.(face.Finder)
		if withTemplate || !can {
			t, err = f.Template(ctx, small, face.Live)
			return err
		}
		found, err := finder.Find(ctx, small, face.Live)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return face.ErrNone
		}
		t.Faces, t.Chosen = len(found), found[0]
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.Chosen = enlarged(t.Chosen, k)
	out := answer(pixels, t)
	if !withTemplate {
		out.Template = nil
	}
	return out, nil
}

// enlarged is a detection in pixels of an image k times as large.
func enlarged(d face.Detection, k int) face.Detection {
	d.Box = image.Rectangle{Min: d.Box.Min.Mul(k), Max: d.Box.Max.Mul(k)}
	for i := range d.Points {
		d.Points[i].X *= float64(k)
		d.Points[i].Y *= float64(k)
	}
	return d
}
