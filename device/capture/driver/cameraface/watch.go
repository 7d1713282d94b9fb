package cameraface

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/driver/camera"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/driver"
	facev1 "github.com/watchpost/watchpost/sdk/proto/face/v1"
)

// Watch implements the contract. As many frames are worked on at a time as
// there are cores; what comes while all are busy is not looked at.
func (s *Service) Watch(request *facev1.WatchRequest, stream grpc.ServerStreamingServer[facev1.WatchResponse]) error {
	fps := request.GetMaxFramesPerSecond()
	if math.IsNaN(fps) || fps < 0 {
		return driver.Errorf(driver.CallInvalid, "a rate out of range")
	}
	group, ctx := errgroup.WithContext(stream.Context())
	frames := make(chan camera.Pixels)
	var sending sync.Mutex // a stream takes one message at a time
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for p := range frames {
				out, err := s.look(ctx, p, request)
				if err != nil {
					return err
				}
				sending.Lock()
				err = stream.Send(out)
				sending.Unlock()
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(frames)
		return s.Camera.Watch(ctx, request.GetDeviceId(), fps, func(p camera.Pixels) error {
			select {
			case frames <- p:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	})
	return group.Wait()
}

// look tells what is in one frame.
func (s *Service) look(ctx context.Context, p camera.Pixels, request *facev1.WatchRequest) (*facev1.WatchResponse, error) {
	out := &facev1.WatchResponse{MonotonicNs: p.Time, Width: uint32(p.Width), Height: uint32(p.Height)}
	if !p.Good {
		return out, nil
	}
	raster := rasterOf(p)
	got, err := s.Engine.LiveRaster(ctx, raster, request.GetTemplates())
	switch {
	case errors.Is(err, face.ErrNone):
		return out, nil
	case err != nil:
		return nil, &driver.Error{Code: string(fault.CodeOf(err)), Text: err.Error(), Hint: fault.HintOf(err), Retryable: fault.IsRetryable(err)}
	}
	out.Faces, out.Face, out.Template, out.Quality = got.GetFaces(), got.GetFace(), got.GetTemplate(), got.GetQuality()
	points := got.GetFace().GetPoints()
	if request.GetColours() && len(points) == 5 {
		middle := func(a, b int) patch.Point {
			return patch.Point{X: (points[a].GetX() + points[b].GetX()) / 2, Y: (points[a].GetY() + points[b].GetY()) / 2}
		}
		picture := patch.Picture{Pix: raster.Pix, Width: raster.Width, Height: raster.Height, Stride: raster.Stride}
		if samples, ok := pad.Sample(picture, middle(face.LeftEyeOuter, face.LeftEyeInner), middle(face.RightEyeOuter, face.RightEyeInner)); ok {
			for _, c := range samples {
				out.Colours = append(out.Colours, c[0], c[1], c[2])
			}
		}
	}
	return out, nil
}
