package dlib

import (
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/watchpost/watchpost/device/capture/decode/face"
)

// TestFrontal holds our search for frontal faces to libdlib's: the same boxes
// with the same scores, in the same order, from every kind of loop. On arm64
// the compiler fuses products and sums of both as it likes, so scores may
// differ by rounding.
func TestFrontal(t *testing.T) {
	const full = -2.0 // a threshold at which clutter is full of faces
	tolerance := 0.0
	if runtime.GOARCH != "amd64" {
		tolerance = 1e-4
	}
	models, err := face.LoadModels(face.ModelDir())
	if err != nil {
		t.Fatal(err)
	}
	pictures := made()
	if data := os.Getenv("WATCHPOST_DATA"); data != "" {
		pictures = append(pictures, faces(t, data)...)
	}
	var engines []*Engine
	for _, widest := range []int{4, 8} {
		e, err := open(models, widest)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		engines = append(engines, e)
	}
	seen := 0
	for i, img := range pictures {
		want, err := engines[0].frontal(img, full, true)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(want)
		for _, e := range engines {
			got, err := e.frontal(img, full, false)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("picture %d (%dx%d): %d faces, libdlib finds %d", i, img.Width, img.Height, len(got), len(want))
			}
			for k := range want {
				d := math.Abs(got[k].score - want[k].score)
				if got[k].score = want[k].score; !(d <= tolerance) || got[k] != want[k] {
					t.Fatalf("picture %d (%dx%d), face %d: %+v, libdlib has %+v, scores are %g apart", i, img.Width, img.Height, k, got[k], want[k], d)
				}
			}
		}
	}
	if seen < 5*len(pictures) {
		t.Fatalf("%d faces in %d pictures: too few to tell", seen, len(pictures))
	}
}

// made returns pictures of all remainders of sizes, smooth and rough, and some
// too small for any face.
func made() []face.Raster {
	r := rand.New(rand.NewPCG(3, 4))
	var out []face.Raster
	for i := range 24 {
		w, h := 150+i, 190-3*i
		if i >= 20 {
			w, h = 32+7*(i-20), 33+11*(i-20)
		}
		out = append(out, picture(r, w, h, 3*w+i%3))
	}
	return out
}

// picture draws waves and noise.
func picture(r *rand.Rand, w, h, stride int) face.Raster {
	img := face.Raster{Width: w, Height: h, Stride: stride, Pix: make([]byte, stride*h)}
	a, b, rough := 4+r.Float64()*12, 4+r.Float64()*12, r.Float64()*120
	for y := range h {
		for x := range w {
			for c := range 3 {
				v := 96 + 50*math.Sin(float64(x)/a+float64(c)) + 50*math.Cos(float64(y)/b-float64(x)/40) + (r.Float64()-0.5)*rough
				img.Pix[y*stride+3*x+c] = byte(min(max(v, 0), 255))
			}
		}
	}
	return img
}

// faces returns every 40th picture of the faces in data.
func faces(t *testing.T, data string) []face.Raster {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(data, "face", "lfw", "*", "*.jpg"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no pictures in %s (%v)", data, err)
	}
	var out []face.Raster
	for i := 0; i < len(names); i += 40 {
		f, err := os.Open(names[i])
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := jpeg.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		b := decoded.Bounds()
		img := face.Raster{Width: b.Dx(), Height: b.Dy(), Stride: 3 * b.Dx(), Pix: make([]byte, 3*b.Dx()*b.Dy())}
		for y := range b.Dy() {
			for x := range b.Dx() {
				red, green, blue, _ := decoded.At(b.Min.X+x, b.Min.Y+y).RGBA()
				copy(img.Pix[y*img.Stride+3*x:], []byte{byte(red >> 8), byte(green >> 8), byte(blue >> 8)})
			}
		}
		out = append(out, img)
	}
	return out
}

// BenchmarkFrontal is how long the search takes by each kind of loop and by
// libdlib's own, on pictures of 250 x 250.
func BenchmarkFrontal(b *testing.B) {
	models, err := face.LoadModels(face.ModelDir())
	if err != nil {
		b.Fatal(err)
	}
	img := picture(rand.New(rand.NewPCG(5, 6)), 250, 250, 750)
	for _, by := range []struct {
		name      string
		widest    int
		reference bool
	}{{"libdlib", 4, true}, {"any", 4, false}, {"avx2", 8, false}} {
		b.Run(by.name, func(b *testing.B) {
			e, err := open(models, by.widest)
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			if _, err := e.frontal(img, 0, by.reference); err != nil { // libdlib's detector is read once
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := e.frontal(img, 0, by.reference); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
