package decode

import (
	"context"
	"time"

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
	var t face.Template
	var took time.Duration
	err = e.Pool.Use(ctx, func(f face.Engine) error {
		start := time.Now()
		var err error
		t, err = f.Template(ctx, pixels, effort)
		took = time.Since(start)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := answer(pixels, t)
	out.Micros = uint32(min(took.Microseconds(), 1<<32-1))
	return out, nil
}
