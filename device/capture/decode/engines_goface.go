//go:build goface

package decode

import (
	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/decode/face/goface"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// addCompared offers go-face beside the default, one copy: its net stands
// behind one lock.
func addCompared(all map[decodev1.FaceEngine]Engine, models face.Models) {
	all[decodev1.FaceEngine_FACE_ENGINE_GO_FACE] = Engine{
		Pool: face.NewPool(1, func() (face.Engine, error) { return goface.Open(models.Dir) }), Parallel: 1,
	}
}
