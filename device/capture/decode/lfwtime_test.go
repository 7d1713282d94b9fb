package decode_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/capture/decode"
	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/decode/image"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// TestSoakFaceTime prints how long one core takes from the pixels of a picture
// of 250 x 250 to the template: the best of three for each of 100 people, one
// engine, one call at a time. It wants a quiet machine.
func TestSoakFaceTime(t *testing.T) {
	folds := lfwFolds(t)
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: make soak runs the whole measurement")
	}
	models, err := face.LoadModels(face.ModelDir())
	if err != nil {
		t.Fatal(err)
	}
	pool := decode.Engines(models, 1)[decodev1.FaceEngine_FACE_ENGINE_DLIB].Pool
	defer pool.Close()
	var best []time.Duration
	for _, p := range folds[0][300:400] {
		b, err := os.ReadFile(p.a)
		if err != nil {
			t.Fatal(err)
		}
		pixels, err := image.DecodeRGB(b)
		if err != nil {
			t.Fatal(err)
		}
		least := time.Hour
		for range 3 {
			err := pool.Use(context.Background(), func(e face.Engine) error {
				start := time.Now()
				_, err := e.Template(context.Background(), pixels, face.Still)
				least = min(least, time.Since(start))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		best = append(best, least)
	}
	slices.Sort(best)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	t.Logf("one face, one core, best of 3: p10 %.1f ms, p50 %.1f ms, p90 %.1f ms (%d pictures)",
		ms(best[len(best)/10]), ms(best[len(best)/2]), ms(best[len(best)*9/10]), len(best))
	if median := ms(best[len(best)/2]); median > 35 {
		t.Errorf("%.1f ms a face, at most 35 wanted", median)
	}
}
