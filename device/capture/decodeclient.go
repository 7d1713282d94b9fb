package capture

import (
	"context"
	"errors"
	"image"
	"io"
	"log/slog"
	"math"
	"time"

	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// Limits on what is sent to and taken from a decode process. The process has
// limits of its own; what it answers is checked here again, since it runs C
// on outside bytes.
const (
	MaxImageBytes  = 32<<20 - 64<<10 // encoded image, fits one message
	maxImageSide   = 1 << 16
	maxImagePixels = 64_000_000
	maxConverted   = 6*maxImagePixels + 1<<20 // 16-bit colour, uncompressed
)

// ErrImageTooLarge is also what the decode process answers.
var ErrImageTooLarge = &fault.Error{Code: "image.too_large"}

// DecodeClient asks a decode process. It is safe for concurrent use.
type DecodeClient struct{ c decodev1.DecodeServiceClient }

// NewDecodeClient returns a client over conn, which the caller closes. conn
// must take messages of 32 MiB.
func NewDecodeClient(conn grpc.ClientConnInterface) *DecodeClient {
	return &DecodeClient{decodev1.NewDecodeServiceClient(conn)}
}

// Face is what a decode process found in an image. It is personal data.
type Face struct {
	Template   template.Face
	Faces      int             // seen in the image; Template is of the largest
	Box        image.Rectangle // in pixels of the upright image, may reach over its edge
	Score      float64         // of the detector, on its own scale
	Detector   string          // "hog", "hog-relaxed" or "cnn"
	Quality    float64         // 0 to 100
	Components []quality.Measure
	Took       time.Duration // detection to template, without decoding the image
}

// LogValue keeps templates and portraits' measures out of logs.
func (Face) LogValue() slog.Value { return slog.StringValue("face (redacted)") }

// String keeps them out of the fmt verbs.
func (Face) String() string { return "face (redacted)" }

// DecodeInfo describes what a decode process can do.
type DecodeInfo struct {
	Model, Version string
	BLAS           string // empty for a library other than OpenBLAS
	Parallel       int    // templates computed at the same time
}

// Describe loads the face models and tells what engine answers.
func (d *DecodeClient) Describe(ctx context.Context, engine decodev1.FaceEngine) (DecodeInfo, error) {
	a, err := d.c.Describe(ctx, &decodev1.DescribeRequest{Engine: engine})
	if err != nil {
		return DecodeInfo{}, fail(err)
	}
	return DecodeInfo{
		Model: a.GetModel().GetName(), Version: a.GetModel().GetVersion(),
		BLAS: a.GetBlas(), Parallel: int(min(max(a.GetParallel(), 1), 1024)),
	}, nil
}

// FaceTemplate returns the template of the largest face in an encoded image.
// Errors carry the process's codes: image.format, image.truncated,
// image.too_large, image.unsupported, face.none, models.missing and others.
func (d *DecodeClient) FaceTemplate(ctx context.Context, img []byte, engine decodev1.FaceEngine) (Face, error) {
	if len(img) > MaxImageBytes {
		return Face{}, tooLarge(len(img))
	}
	a, err := d.c.TemplateFace(ctx, &decodev1.TemplateFaceRequest{Image: img, Engine: engine})
	if err != nil {
		return Face{}, fail(err)
	}
	return faceOf(a)
}

// faceOf checks an answer and gives it the form of this side.
func faceOf(a *decodev1.TemplateFaceResponse) (Face, error) {
	f := Face{
		Template: template.Face{Model: a.GetTemplate().GetModel().GetName(), Version: a.GetTemplate().GetModel().GetVersion(), Images: 1},
		Faces:    int(a.GetFaces()),
		Score:    a.GetFace().GetScore(),
		Detector: detectorNames[a.GetFace().GetDetector()],
		Quality:  a.GetQuality().GetUnified(),
		Took:     time.Duration(a.GetMicros()) * time.Microsecond,
	}
	v := a.GetTemplate().GetVector()
	if len(v) != len(f.Template.Vector) {
		return Face{}, fault.New("decode.answer", "a face vector of %d components", len(v))
	}
	copy(f.Template.Vector[:], v)
	if err := f.Template.Check(); err != nil {
		return Face{}, fault.Wrap("decode.answer", err)
	}
	b := a.GetFace()
	f.Box = image.Rect(int(b.GetX()), int(b.GetY()), int(b.GetX())+int(b.GetWidth()), int(b.GetY())+int(b.GetHeight()))
	if f.Faces < 1 || f.Detector == "" || !percent(f.Quality) || math.IsNaN(f.Score) || math.IsInf(f.Score, 0) {
		return Face{}, fault.New("decode.answer", "a face with values out of range")
	}
	var err error
	f.Components, err = measuresOf(a.GetQuality())
	return f, err
}

var detectorNames = map[decodev1.FaceDetector]string{
	decodev1.FaceDetector_FACE_DETECTOR_HOG:         "hog",
	decodev1.FaceDetector_FACE_DETECTOR_HOG_RELAXED: "hog-relaxed",
	decodev1.FaceDetector_FACE_DETECTOR_CNN:         "cnn",
}

func percent(v float64) bool { return v >= 0 && v <= 100 }

// Pixels is a raw image without gaps between its rows, 8 bits a sample.
type Pixels struct {
	Pix           []byte
	Width, Height int
	Channels      int     // 1 grey, 3 RGB
	DPI           float64 // as the file states, 0 where it does not
}

// DecodeGrey returns an encoded image as upright 8-bit grey pixels.
func (d *DecodeClient) DecodeGrey(ctx context.Context, img []byte) (Pixels, error) {
	return d.decode(ctx, img, decodev1.PixelFormat_PIXEL_FORMAT_GREY8, 1, maxImagePixels)
}

// DecodeRGB returns an encoded image as upright 8-bit RGB pixels.
func (d *DecodeClient) DecodeRGB(ctx context.Context, img []byte) (Pixels, error) {
	return d.decode(ctx, img, decodev1.PixelFormat_PIXEL_FORMAT_RGB8, 3, maxImagePixels)
}

// DecodeRGBWithin is DecodeRGB for an image that has no business being larger
// than so many pixels: image.too_large before any of them is taken.
func (d *DecodeClient) DecodeRGBWithin(ctx context.Context, img []byte, pixels int) (Pixels, error) {
	return d.decode(ctx, img, decodev1.PixelFormat_PIXEL_FORMAT_RGB8, 3, pixels)
}

func (d *DecodeClient) decode(ctx context.Context, img []byte, format decodev1.PixelFormat, channels, most int) (Pixels, error) {
	if len(img) > MaxImageBytes {
		return Pixels{}, tooLarge(len(img))
	}
	ctx, cancel := context.WithCancel(ctx) // ends the stream on every way out
	defer cancel()
	stream, err := d.c.DecodeImage(ctx, &decodev1.DecodeImageRequest{Image: img, Format: format})
	if err != nil {
		return Pixels{}, fail(err)
	}
	first, err := stream.Recv()
	if err != nil {
		return Pixels{}, fail(err)
	}
	h := first.GetHeader()
	p := Pixels{Width: int(h.GetWidth()), Height: int(h.GetHeight()), Channels: channels, DPI: h.GetDpi()}
	if h.GetFormat() != format || p.Width < 1 || p.Height < 1 || p.Width > maxImageSide || p.Height > maxImageSide ||
		p.Width*p.Height > maxImagePixels || math.IsNaN(p.DPI) || math.IsInf(p.DPI, 0) || p.DPI < 0 {
		return Pixels{}, fault.New("decode.answer", "pixels of %dx%d, format %d", p.Width, p.Height, h.GetFormat())
	}
	if p.Width*p.Height > most {
		return Pixels{}, fault.New(ErrImageTooLarge.Code, "%d by %d pixels, at most %d are taken here", p.Width, p.Height, most)
	}
	want := p.Width * p.Height * channels
	p.Pix, err = gather(want, func() ([]byte, error) { m, err := stream.Recv(); return m.GetChunk(), err })
	if err == nil && len(p.Pix) != want {
		err = fault.New("decode.answer", "%d bytes of pixels, %d announced", len(p.Pix), want)
	}
	if err != nil {
		return Pixels{}, err
	}
	return p, nil
}

// Convert returns an encoded image in another format.
func (d *DecodeClient) Convert(ctx context.Context, img []byte, to decodev1.ImageFormat) ([]byte, error) {
	if len(img) > MaxImageBytes {
		return nil, tooLarge(len(img))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.c.ConvertImage(ctx, &decodev1.ConvertImageRequest{Image: img, To: to})
	if err != nil {
		return nil, fail(err)
	}
	return gather(maxConverted, func() ([]byte, error) { m, err := stream.Recv(); return m.GetChunk(), err })
}

// gather joins the chunks that next returns until io.EOF, at most limit bytes.
func gather(limit int, next func() ([]byte, error)) ([]byte, error) {
	var all []byte
	for {
		c, err := next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fail(err)
		}
		if len(c) == 0 || len(c) > limit-len(all) {
			return nil, fault.New("decode.answer", "a chunk of %d bytes after %d", len(c), len(all))
		}
		all = append(all, c...)
	}
}

func tooLarge(n int) error {
	return fault.New(ErrImageTooLarge.Code, "%d bytes, at most %d are read", n, MaxImageBytes)
}
