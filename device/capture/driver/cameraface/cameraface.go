// Package cameraface serves sdk/proto/face/v1 in the devices role: templates of
// the frames that the process's own camera took, so that pixels of a person
// need not leave it.
package cameraface

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/driver/camera"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/driver"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
	facev1 "github.com/watchpost/watchpost/sdk/proto/face/v1"
)

// Camera keeps frames and shows the newest (camera.Driver).
type Camera interface {
	Watch(ctx context.Context, id string, fps float64, see func(camera.Pixels) error) error
	Kept(id string) ([]camera.Pixels, error)
	Drop(id string)
}

// Engine finds faces in pixels and computes templates (decode.Server).
type Engine interface {
	LiveRaster(ctx context.Context, pixels face.Raster, withTemplate bool) (*decodev1.TemplateFaceResponse, error)
	TemplateRaster(ctx context.Context, pixels face.Raster, effort face.Effort) (*decodev1.TemplateFaceResponse, error)
}

// Service answers FaceService. It is safe for concurrent use.
type Service struct {
	facev1.UnimplementedFaceServiceServer
	Camera Camera
	Engine Engine
}

// TemplateCapture implements the contract. Frames are worked on at the same
// time, one a core.
func (s *Service) TemplateCapture(ctx context.Context, request *facev1.TemplateCaptureRequest) (*facev1.TemplateCaptureResponse, error) {
	kept, err := s.Camera.Kept(request.GetCaptureId())
	if err != nil {
		return nil, err
	}
	if request.GetRelease() {
		defer s.Camera.Drop(request.GetCaptureId())
	}
	indices := request.GetFrames()
	if len(indices) == 0 {
		for i := range kept {
			indices = append(indices, uint32(i))
		}
	}
	if len(indices) > len(kept) {
		return nil, driver.Errorf(driver.CallInvalid, "%d frames asked for, %d are kept", len(indices), len(kept))
	}
	response := &facev1.TemplateCaptureResponse{Frames: make([]*facev1.FrameTemplate, len(indices))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, index := range indices {
		if int(index) >= len(kept) {
			return nil, driver.Errorf(driver.CallInvalid, "no frame %d", index)
		}
		group.Go(func() error {
			result, err := s.one(ctx, index, kept[index])
			response.Frames[i] = result
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return response, nil
}

// one answers for one frame: a face that is not there is a result, an engine
// that does not work is an error.
func (s *Service) one(ctx context.Context, index uint32, p camera.Pixels) (*facev1.FrameTemplate, error) {
	raster := rasterOf(p)
	out := &facev1.FrameTemplate{Frame: index}
	got, err := s.Engine.TemplateRaster(ctx, raster, face.Still)
	switch {
	case errors.Is(err, face.ErrNone):
		out.Code = string(face.ErrNone.Code)
		return out, nil
	case err != nil:
		return nil, &driver.Error{Code: string(fault.CodeOf(err)), Text: err.Error(), Hint: fault.HintOf(err), Retryable: fault.IsRetryable(err)}
	}
	out.Faces, out.Face, out.Template, out.Quality, out.Micros = got.GetFaces(), got.GetFace(), got.GetTemplate(), got.GetQuality(), got.GetMicros()
	return out, nil
}

// rasterOf copies a frame with its channels in the engine's order.
func rasterOf(p camera.Pixels) face.Raster {
	raster := face.Raster{Pix: make([]byte, len(p.BGR)), Width: p.Width, Height: p.Height, Stride: 3 * p.Width}
	for i := 0; i+2 < len(p.BGR); i += 3 {
		raster.Pix[i], raster.Pix[i+1], raster.Pix[i+2] = p.BGR[i+2], p.BGR[i+1], p.BGR[i]
	}
	return raster
}
