package capture

import (
	"context"
	"iter"
	"math"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
	facev1 "github.com/watchpost/watchpost/sdk/proto/face/v1"
)

// WatchOptions say what is looked for in live frames.
type WatchOptions struct {
	Camera             string  // device ID, "" = the only one
	MaxFramesPerSecond float64 // 0 = as many as can be looked at
	Templates          bool
	Colours            bool
}

// LiveFace is what was seen in one live frame. It is personal data.
type LiveFace struct {
	Monotonic     time.Duration // of the frame
	Width, Height int           // pixels
	Faces         int           // the rest is of the largest
	HasPoints     bool
	Points        [5]patch.Point
	Measures      []quality.Measure
	Template      *template.Face // where asked for
	HasColours    bool
	Colours       pad.Samples
}

// FaceWatch yields what is seen in live frames until the loop is left or ctx
// ends; times may come out of order. The last pair carries the error:
// camera.none, device.lost, models.missing, capture.lost.
func (c *Client) FaceWatch(ctx context.Context, o WatchOptions) iter.Seq2[LiveFace, error] {
	return func(yield func(LiveFace, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.face.Watch(ctx, &facev1.WatchRequest{
			DeviceId: o.Camera, MaxFramesPerSecond: o.MaxFramesPerSecond, Templates: o.Templates, Colours: o.Colours,
		})
		if err != nil {
			yield(LiveFace{}, fail(err))
			return
		}
		for {
			message, err := stream.Recv()
			if err != nil {
				yield(LiveFace{}, fail(err))
				return
			}
			live, err := liveOf(message, o)
			if !yield(live, err) || err != nil {
				return
			}
		}
	}
}

// liveOf checks a message and gives it the form of this side.
func liveOf(m *facev1.WatchResponse, o WatchOptions) (LiveFace, error) {
	out := LiveFace{Monotonic: time.Duration(m.GetMonotonicNs()), Width: int(m.GetWidth()), Height: int(m.GetHeight()), Faces: int(m.GetFaces())}
	if out.Width < 1 || out.Height < 1 || out.Width > maxImageSide || out.Height > maxImageSide || out.Faces > maxFaces {
		return LiveFace{}, fault.New(ErrAnswer.Code, "a live frame of %dx%d with %d faces", out.Width, out.Height, out.Faces)
	}
	if out.Faces == 0 {
		return out, nil
	}
	points := m.GetFace().GetPoints()
	out.HasPoints = len(points) == len(out.Points)
	for i, p := range points {
		if !out.HasPoints {
			break
		}
		if !finite(p.GetX()) || !finite(p.GetY()) {
			return LiveFace{}, fault.New(ErrAnswer.Code, "a point that is no place")
		}
		out.Points[i] = patch.Point{X: p.GetX(), Y: p.GetY()}
	}
	var err error
	if out.Measures, err = measuresOf(m.GetQuality()); err != nil {
		return LiveFace{}, err
	}
	if o.Templates {
		f, err := faceOf(&decodev1.TemplateFaceResponse{Faces: m.GetFaces(), Face: m.GetFace(), Template: m.GetTemplate(), Quality: m.GetQuality()})
		if err != nil {
			return LiveFace{}, err
		}
		out.Template = &f.Template
	}
	if colours := m.GetColours(); o.Colours && len(colours) > 0 {
		if len(colours) != 3*len(out.Colours) {
			return LiveFace{}, fault.New(ErrAnswer.Code, "%d colours", len(colours))
		}
		for i, v := range colours {
			if !(v >= -1 && v <= 255) {
				return LiveFace{}, fault.New(ErrAnswer.Code, "a colour out of range")
			}
			out.Colours[i/3][i%3] = v
		}
		out.HasColours = true
	}
	return out, nil
}

// maxFaces bounds the faces that one frame is believed to show.
const maxFaces = 1024

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// measuresOf checks the measures of an answer.
func measuresOf(q *decodev1.FaceQuality) ([]quality.Measure, error) {
	var out []quality.Measure
	for _, c := range q.GetComponents() {
		if !percent(c.GetValue()) || !finite(c.GetNative()) {
			return nil, fault.New("decode.answer", "a quality component out of range")
		}
		out = append(out, quality.Measure{Name: c.GetName(), Value: c.GetValue(), Native: c.GetNative(), Unit: c.GetUnit()})
	}
	return out, nil
}
