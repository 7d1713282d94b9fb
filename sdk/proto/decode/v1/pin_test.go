package decodev1_test

import (
	"maps"
	"testing"

	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// Published numbers keep their meaning; a retired one is never used again.
func TestPublishedNumbers(t *testing.T) {
	for name, c := range map[string]struct{ got, want map[string]int32 }{
		"PixelFormat": {decodev1.PixelFormat_value, map[string]int32{"PIXEL_FORMAT_UNSPECIFIED": 0, "PIXEL_FORMAT_GREY8": 1, "PIXEL_FORMAT_RGB8": 2}},
		"ImageFormat": {decodev1.ImageFormat_value, map[string]int32{
			"IMAGE_FORMAT_UNSPECIFIED": 0, "IMAGE_FORMAT_JPEG": 1, "IMAGE_FORMAT_PNG": 2, "IMAGE_FORMAT_JP2": 3,
			"IMAGE_FORMAT_J2K": 4, "IMAGE_FORMAT_PGM": 5, "IMAGE_FORMAT_TIFF": 6, "IMAGE_FORMAT_WSQ": 7}},
		"FaceEngine": {decodev1.FaceEngine_value, map[string]int32{"FACE_ENGINE_UNSPECIFIED": 0, "FACE_ENGINE_DLIB": 1, "FACE_ENGINE_GO_FACE": 2}},
		"FaceDetector": {decodev1.FaceDetector_value, map[string]int32{
			"FACE_DETECTOR_UNSPECIFIED": 0, "FACE_DETECTOR_HOG": 1, "FACE_DETECTOR_HOG_RELAXED": 2, "FACE_DETECTOR_CNN": 3}},
	} {
		if !maps.Equal(c.got, c.want) {
			t.Errorf("%s: %v, published %v", name, c.got, c.want)
		}
	}
}
