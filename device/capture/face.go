package capture

import (
	"context"

	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
	facev1 "github.com/watchpost/watchpost/sdk/proto/face/v1"
)

// FrameFace is what the face engine found in one kept frame.
type FrameFace struct {
	Frame int   // index in the burst
	Face  Face  // valid when Err is nil
	Err   error // face.none and others of this frame
}

// FaceTemplates computes templates of kept frames (all, where none is named) in
// the process that took them. Errors: capture.expired, models.missing,
// models.corrupt, device.unsupported (no engine there), capture.lost; a frame
// without a face is told in its result.
func (c *Client) FaceTemplates(ctx context.Context, burst string, frames ...int) ([]FrameFace, error) {
	request := &facev1.TemplateCaptureRequest{CaptureId: burst}
	for _, f := range frames {
		if f < 0 || f >= maxBurst {
			return nil, fault.New("call.invalid", "no frame %d", f)
		}
		request.Frames = append(request.Frames, uint32(f))
	}
	answer, err := c.face.TemplateCapture(ctx, request)
	if err != nil {
		return nil, fail(err)
	}
	if len(answer.GetFrames()) > maxBurst || len(frames) > 0 && len(answer.GetFrames()) != len(frames) {
		return nil, fault.New(ErrAnswer.Code, "templates of %d frames", len(answer.GetFrames()))
	}
	results := make([]FrameFace, 0, len(answer.GetFrames()))
	for _, f := range answer.GetFrames() {
		result := FrameFace{Frame: int(f.GetFrame())}
		if code := f.GetCode(); code != "" {
			result.Err = fault.New(fault.Code(code), "frame %d", f.GetFrame())
		} else {
			result.Face, result.Err = faceOf(&decodev1.TemplateFaceResponse{
				Faces: f.GetFaces(), Face: f.GetFace(), Template: f.GetTemplate(), Quality: f.GetQuality(), Micros: f.GetMicros(),
			})
		}
		results = append(results, result)
	}
	return results, nil
}
