package dlib

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/watchpost/watchpost/device/capture/decode/face"
)

// TestVectors holds the net's loops for every kind of processor to each other:
// a person enrolled on one box is looked for on another.
func TestVectors(t *testing.T) {
	models, err := face.LoadModels(face.ModelDir())
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	img := face.Raster{Width: 200, Height: 220, Stride: 600, Pix: make([]byte, 600*220)}
	for y := range img.Height {
		for x := range img.Stride {
			img.Pix[y*img.Stride+x] = byte(96 + 64*math.Sin(float64(x)/41)*math.Cos(float64(y)/17) + r.Float64()*60)
		}
	}
	at := hit{left: 50, top: 60, right: 150, bottom: 160, points: [5]face.Point{{X: 128, Y: 85}, {X: 110, Y: 86}, {X: 72, Y: 85}, {X: 90, Y: 86}, {X: 100, Y: 120}}}
	var first [2][face.Dimensions]float32
	for i, widest := range []int{4, 8, 16, 0} {
		e, err := open(models, widest)
		if err != nil {
			t.Fatal(err)
		}
		var views [2][face.Dimensions]float32
		err = e.embed(img, at, &views[0], &views[1])
		e.Close()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if first = views; views[0] == views[1] || views[0] == [face.Dimensions]float32{} {
				t.Fatal("two views of one picture are the same, or nothing")
			}
			continue
		}
		for v := range views {
			for k := range views[v] {
				if d := math.Abs(float64(views[v][k] - first[v][k])); !(d < 1e-5) {
					t.Fatalf("at most %d floats, view %d: number %d is %g away from that of 4 floats", widest, v, k, d)
				}
			}
		}
	}
}
