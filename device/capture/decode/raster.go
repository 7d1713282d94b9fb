package decode

import (
	"context"

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
