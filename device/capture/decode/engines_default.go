//go:build !goface

package decode

import (
	"github.com/watchpost/watchpost/device/capture/decode/face"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// addCompared adds nothing: go-face compiles for the building machine's own
// processor (-march=native) and is left out of what ships.
func addCompared(map[decodev1.FaceEngine]Engine, face.Models) {}
