// Package decode is the service of the decode process: outside images in, raw
// pixels, converted images and face templates out (sdk/proto/decode/v1). It
// opens no file but the face models, which it reads once, and keeps nothing
// of a request.
package decode

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/decode/header"
	"github.com/watchpost/watchpost/device/capture/decode/image"
	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// MaxMessage is the largest gRPC message either way, in bytes.
const MaxMessage = 32 << 20

// chunk is the size of the pieces of a streamed answer, in bytes.
const chunk = 1 << 20

// Engine is a face engine on offer: its pool and how to describe it.
type Engine struct {
	Pool     *face.Pool
	BLAS     func() string
	Parallel int
}

// Server implements the decode service. It is safe for concurrent use; images
// are decoded at most as many at a time as there are cores, since each may
// take some 400 MB.
type Server struct {
	decodev1.UnimplementedDecodeServiceServer
	engines map[decodev1.FaceEngine]Engine
	slots   chan struct{}
}

// NewServer returns a service that decodes at most parallel images at a time
// and offers engines; the one under FACE_ENGINE_DLIB is the default.
func NewServer(parallel int, engines map[decodev1.FaceEngine]Engine) *Server {
	return &Server{engines: engines, slots: make(chan struct{}, max(parallel, 1))}
}

// Options are the gRPC server options that the service needs.
func Options() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage)}
}

// Register adds the service to s.
func (s *Server) Register(r grpc.ServiceRegistrar) { decodev1.RegisterDecodeServiceServer(r, s) }

// Close frees the engines after the calls under way.
func (s *Server) Close() error {
	for _, e := range s.engines {
		if err := e.Pool.Close(); err != nil {
			return fault.Wrap("face.close", err)
		}
	}
	return nil
}

func (s *Server) engine(which decodev1.FaceEngine) (Engine, error) {
	if which == decodev1.FaceEngine_FACE_ENGINE_UNSPECIFIED {
		which = decodev1.FaceEngine_FACE_ENGINE_DLIB
	}
	e, ok := s.engines[which]
	if !ok {
		return Engine{}, fault.New("face.engine", "%s is not in this build", which).
			WithHint("go-face is built for comparison only: go build -tags goface -o bin/watchpost-capture-goface ./device/cmd/watchpost-capture")
	}
	return e, nil
}

// turn waits for one of the places to decode.
func (s *Server) turn(ctx context.Context) (done func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, fault.Wrap("decode.deadline", ctx.Err())
	}
}

// Describe implements the service.
func (s *Server) Describe(ctx context.Context, req *decodev1.DescribeRequest) (*decodev1.DescribeResponse, error) {
	e, err := s.engine(req.GetEngine())
	if err != nil {
		return nil, toStatus(err)
	}
	out := &decodev1.DescribeResponse{Parallel: uint32(e.Parallel)}
	err = e.Pool.Use(ctx, func(f face.Engine) error {
		out.Model = modelOf(f.Model())
		if e.BLAS != nil {
			out.Blas = e.BLAS()
		}
		return nil
	})
	if err != nil {
		return nil, toStatus(err)
	}
	return out, nil
}

// DecodeImage implements the service.
func (s *Server) DecodeImage(req *decodev1.DecodeImageRequest, stream grpc.ServerStreamingServer[decodev1.DecodeImageResponse]) error {
	done, err := s.turn(stream.Context())
	if err != nil {
		return toStatus(err)
	}
	defer done()
	head := &decodev1.PixelHeader{Format: req.GetFormat()}
	var pixels []byte
	switch req.GetFormat() {
	case decodev1.PixelFormat_PIXEL_FORMAT_GREY8:
		g, err := image.DecodeGrey(req.GetImage())
		if err != nil {
			return toStatus(err)
		}
		pixels, head.Width, head.Height, head.Dpi = g.Pix, uint32(g.Width), uint32(g.Height), g.DPI
	case decodev1.PixelFormat_PIXEL_FORMAT_RGB8:
		r, err := image.DecodeRGB(req.GetImage())
		if err != nil {
			return toStatus(err)
		}
		pixels, head.Width, head.Height = r.Pix, uint32(r.Width), uint32(r.Height)
	default:
		return toStatus(fault.New("decode.request", "pixel format %d", req.GetFormat()))
	}
	if err := stream.Send(&decodev1.DecodeImageResponse{Part: &decodev1.DecodeImageResponse_Header{Header: head}}); err != nil {
		return err
	}
	return inChunks(pixels, func(c []byte) error {
		return stream.Send(&decodev1.DecodeImageResponse{Part: &decodev1.DecodeImageResponse_Chunk{Chunk: c}})
	})
}

// formats maps wire formats to those of package header.
var formats = map[decodev1.ImageFormat]header.Format{
	decodev1.ImageFormat_IMAGE_FORMAT_JPEG: header.JPEG,
	decodev1.ImageFormat_IMAGE_FORMAT_PNG:  header.PNG,
	decodev1.ImageFormat_IMAGE_FORMAT_JP2:  header.JP2,
	decodev1.ImageFormat_IMAGE_FORMAT_J2K:  header.J2K,
	decodev1.ImageFormat_IMAGE_FORMAT_PGM:  header.PNM,
	decodev1.ImageFormat_IMAGE_FORMAT_TIFF: header.TIFF,
	decodev1.ImageFormat_IMAGE_FORMAT_WSQ:  header.WSQ,
}

// ConvertImage implements the service.
func (s *Server) ConvertImage(req *decodev1.ConvertImageRequest, stream grpc.ServerStreamingServer[decodev1.ConvertImageResponse]) error {
	done, err := s.turn(stream.Context())
	if err != nil {
		return toStatus(err)
	}
	defer done()
	to, ok := formats[req.GetTo()]
	if !ok {
		return toStatus(fault.New("decode.request", "image format %d", req.GetTo()))
	}
	out, err := image.Convert(req.GetImage(), to)
	if err != nil {
		return toStatus(err)
	}
	return inChunks(out, func(c []byte) error {
		return stream.Send(&decodev1.ConvertImageResponse{Chunk: c})
	})
}

// inChunks calls send with successive pieces of b.
func inChunks(b []byte, send func([]byte) error) error {
	for len(b) > 0 {
		n := min(len(b), chunk)
		if err := send(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// TemplateFace implements the service.
func (s *Server) TemplateFace(ctx context.Context, req *decodev1.TemplateFaceRequest) (*decodev1.TemplateFaceResponse, error) {
	e, err := s.engine(req.GetEngine())
	if err != nil {
		return nil, toStatus(err)
	}
	done, err := s.turn(ctx)
	if err != nil {
		return nil, toStatus(err)
	}
	defer done()
	pixels, err := image.DecodeRGB(req.GetImage())
	if err != nil {
		return nil, toStatus(err)
	}
	out, err := e.template(ctx, pixels, face.Still)
	return out, toStatus(err)
}

// template computes the answer for decoded pixels.
func (e Engine) template(ctx context.Context, pixels face.Raster, effort face.Effort) (*decodev1.TemplateFaceResponse, error) {
	var t face.Template
	var took time.Duration
	err := e.Pool.Use(ctx, func(f face.Engine) error {
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
