//go:build goface

package decode_test

import (
	"os"
	"slices"
	"testing"

	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// TestSoakLFWGoFace measures go-face beside the default engine:
// go test -tags goface -run SoakLFW -v ./device/capture/decode
func TestSoakLFWGoFace(t *testing.T) {
	folds := lfwFolds(t)
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: make soak runs the whole measurement")
	}
	e := enrol(t, decodev1.FaceEngine_FACE_ENGINE_GO_FACE, slices.Concat(folds[0], folds[1]))
	if got := measure(t, e, folds); got.accuracy < 0.97 {
		t.Errorf("mean accuracy %.2f %%: the comparison itself is broken", 100*got.accuracy)
	}
}
