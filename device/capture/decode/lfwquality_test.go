package decode_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture/decode"
	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/decode/image"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// qualityInput is what the process hands to package quality.
func qualityInput(r face.Raster, t face.Template) quality.FaceInput {
	l, e := t.Chosen.EyeCentres()
	return quality.FaceInput{
		Pix: r.Pix, Width: r.Width, Height: r.Height, Stride: r.Stride, Box: t.Chosen.Box, Faces: t.Faces, HasEyes: true,
		LeftEye: quality.Point(l), RightEye: quality.Point(e),
		HasNose: true, Nose: quality.Point(t.Chosen.Points[face.NoseBase]), MirrorAgreement: t.MirrorAgreement,
	}
}

// lfwEngine is the default engine; with data set, it must be there.
func lfwEngine(t *testing.T) *face.Pool {
	t.Helper()
	models, err := face.LoadModels(face.ModelDir())
	if err != nil {
		t.Fatal(err)
	}
	pool := decode.Engines(models, 2)[decodev1.FaceEngine_FACE_ENGINE_DLIB].Pool
	t.Cleanup(func() { pool.Close() })
	return pool
}

// look decodes a file and computes its template.
func look(t *testing.T, pool *face.Pool, file string) (face.Raster, face.Template) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pixels, err := image.DecodeRGB(b)
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(file), err)
	}
	return pixels, templateOf(t, pool, pixels)
}

func templateOf(t *testing.T, pool *face.Pool, pixels face.Raster) (out face.Template) {
	t.Helper()
	err := pool.Use(context.Background(), func(e face.Engine) (err error) {
		out, err = e.Template(context.Background(), pixels, face.Still)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// changed is a raster with every value put through f.
func changed(r face.Raster, f func(v float64) float64) face.Raster {
	out := r
	out.Pix = make([]byte, len(r.Pix))
	for i, v := range r.Pix {
		out.Pix[i] = byte(max(0, min(255, math.Round(f(float64(v))))))
	}
	return out
}

// smoothed is a raster averaged over squares of side 2n+1.
func smoothed(r face.Raster, n int) face.Raster {
	out := r
	out.Pix = make([]byte, len(r.Pix))
	for y := range r.Height {
		for x := range r.Width {
			for c := range 3 {
				sum, k := 0, 0
				for v := max(0, y-n); v <= min(r.Height-1, y+n); v++ {
					for u := max(0, x-n); u <= min(r.Width-1, x+n); u++ {
						sum += int(r.Pix[v*r.Stride+3*u+c])
						k++
					}
				}
				out.Pix[y*r.Stride+3*x+c] = byte(sum / k)
			}
		}
	}
	return out
}

// Blur, darkness and glare move their measure on real faces too, each step
// further.
func TestLFWQualityMoves(t *testing.T) {
	folds := lfwFolds(t)
	pool := lfwEngine(t)
	for i := 0; i < 300; i += 30 {
		pixels, found := look(t, pool, folds[0][i].a)
		for measure, steps := range map[string][]face.Raster{
			"sharpness":                 {pixels, smoothed(pixels, 1), smoothed(pixels, 2), smoothed(pixels, 4)},
			"luminance_mean":            {changed(pixels, func(v float64) float64 { return v * 0.6 }), changed(pixels, func(v float64) float64 { return v * 0.35 }), changed(pixels, func(v float64) float64 { return v * 0.15 })},
			"under_exposure_prevention": {pixels, changed(pixels, func(v float64) float64 { return v * 0.5 }), changed(pixels, func(v float64) float64 { return v * 0.1 })},
			"over_exposure_prevention":  {pixels, changed(pixels, func(v float64) float64 { return v + 90 }), changed(pixels, func(v float64) float64 { return v + 200 })},
		} {
			var first, before float64
			for k, r := range steps {
				value := -1.0
				for _, m := range quality.Face(qualityInput(r, found)).Measures {
					if m.Name == measure {
						value = m.Value
					}
				}
				switch {
				case value < 0:
					t.Fatalf("%s is absent", measure)
				case k == 0:
					first = value
				case value > before || k == len(steps)-1 && value >= first && first > 0:
					t.Errorf("pair %d: %s is %v after %v, step %d", i, measure, value, before, k)
				}
				before = value
			}
		}
	}
}

// TestSoakLFWDiscard prints the error-versus-discard curve: the FNMR at the
// threshold of FMR 1e-3 over all pictures, as the share of worst pictures that
// is left out grows. A mated pair goes with its worse picture.
func TestSoakLFWDiscard(t *testing.T) {
	folds := lfwFolds(t)
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: make soak runs the whole measurement")
	}
	pool := lfwEngine(t)
	var files []string
	for _, p := range slices.Concat(folds[0], folds[1]) {
		files = append(files, p.a, p.b)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	faces := make([]template.Face, len(files))
	worth := make([]float64, len(files))
	for i, f := range files {
		pixels, found := look(t, pool, f)
		faces[i] = template.Face{Model: found.Model.Name, Version: found.Model.Version, Images: 1, Vector: found.Vector}
		worth[i] = quality.Face(qualityInput(pixels, found)).Unified
	}
	type mate struct{ score, worth float64 }
	var mated []mate
	var others []float64
	for i := range files {
		for j := i + 1; j < len(files); j++ {
			s, err := template.Cosine(&faces[i], &faces[j])
			if err != nil {
				t.Fatal(err)
			}
			if person(files[i]) == person(files[j]) {
				mated = append(mated, mate{s, min(worth[i], worth[j])})
			} else {
				others = append(others, s)
			}
		}
	}
	slices.Sort(others)
	threshold := others[len(others)-1-len(others)/1000]
	slices.SortFunc(mated, func(a, b mate) int {
		switch {
		case a.worth < b.worth:
			return -1
		case a.worth > b.worth:
			return 1
		}
		return 0
	})
	rate := func(m []mate) float64 {
		misses := 0
		for _, x := range m {
			if x.score <= threshold {
				misses++
			}
		}
		return float64(misses) / float64(len(m))
	}
	t.Logf("threshold %.4f at FMR 1e-3; %d mated pairs", threshold, len(mated))
	all := rate(mated)
	for _, discard := range []float64{0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5} {
		kept := mated[int(discard*float64(len(mated))):]
		t.Logf("discarded %4.0f %%: FNMR %.2f %% of %d", 100*discard, 100*rate(kept), len(kept))
		if discard == 0.1 && rate(kept) >= all || discard == 0.3 && rate(kept) >= 0.9*all {
			t.Errorf("leaving out the worst %v does not help: %.4f, was %.4f", discard, rate(kept), all)
		}
	}
}
