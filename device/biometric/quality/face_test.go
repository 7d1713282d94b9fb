package quality

import (
	"image"
	"math"
	"testing"
)

// texture is a grey picture of 200x200 with detail in the box from 50 to 150.
func texture(level func(x, y int) float64) FaceInput {
	in := FaceInput{Width: 200, Height: 200, Stride: 600, Pix: make([]byte, 200*600), Box: image.Rect(50, 50, 150, 150),
		Faces: 1, HasEyes: true, LeftEye: Point{75, 90}, RightEye: Point{125, 90}, MirrorAgreement: 0.99}
	for y := range 200 {
		for x := range 200 {
			v := byte(max(0, min(255, math.Round(level(x, y)))))
			in.Pix[y*600+3*x], in.Pix[y*600+3*x+1], in.Pix[y*600+3*x+2] = v, v, v
		}
	}
	return in
}

func wave(period float64) func(x, y int) float64 {
	return func(x, y int) float64 {
		return 128 + 60*math.Sin(2*math.Pi*float64(x)/period)*math.Cos(2*math.Pi*float64(y)/period)
	}
}

func (r Report) get(name string) (Measure, bool) {
	for _, m := range r.Measures {
		if m.Name == name {
			return m, true
		}
	}
	return Measure{}, false
}

func TestMeasures(t *testing.T) {
	r := Face(texture(wave(8)))
	for name, want := range map[string]float64{"inter_eye_distance": 50, "head_pose_roll": 0, "single_face_present": 1, "head_size": 1} {
		if m, ok := r.get(name); !ok || math.Abs(m.Native-want) > 1e-9 {
			t.Errorf("%s: %+v, want native %v", name, m, want)
		}
	}
	if m, ok := r.get("luminance_mean"); !ok || math.Abs(m.Native-128.0/255) > 0.02 {
		t.Errorf("luminance_mean: %+v", m)
	}
	if r.Unified < 50 {
		t.Errorf("a good picture has %v", r.Unified)
	}
	for _, m := range r.Measures {
		if !(m.Value >= 0 && m.Value <= 100) || math.IsNaN(m.Native) {
			t.Errorf("%+v", m)
		}
	}
}

// Each damage lowers its own measure and the unified one.
func TestDamageShows(t *testing.T) {
	good := Face(texture(wave(8)))
	dark := texture(func(x, y int) float64 { return wave(8)(x, y) * 0.12 })
	bright := texture(func(x, y int) float64 { return 200 + wave(8)(x, y) })
	blurred := texture(wave(80))
	near := texture(wave(8))
	near.RightEye = Point{90, 90}
	unsure := texture(wave(8))
	unsure.MirrorAgreement = 0.92
	for name, c := range map[string]struct {
		in      FaceInput
		measure string
	}{
		"dark": {dark, "under_exposure_prevention"}, "bright": {bright, "over_exposure_prevention"},
		"blurred": {blurred, "sharpness"}, "small": {near, "inter_eye_distance"}, "unsure": {unsure, ""},
	} {
		r := Face(c.in)
		if r.Unified >= good.Unified {
			t.Errorf("%s: unified %v, the good one %v", name, r.Unified, good.Unified)
		}
		if c.measure == "" {
			continue
		}
		was, _ := good.get(c.measure)
		if m, ok := r.get(c.measure); !ok || m.Value >= was.Value {
			t.Errorf("%s: %+v, was %v", name, m, was.Value)
		}
	}
}

// What cannot be assessed is absent.
func TestAbsent(t *testing.T) {
	in := texture(wave(8))
	in.HasEyes, in.Box, in.MirrorAgreement = false, image.Rect(300, 300, 400, 400), math.NaN()
	r := Face(in)
	if len(r.Measures) != 1 || r.Measures[0].Name != "single_face_present" || r.Unified != 0 {
		t.Errorf("%+v", r)
	}
	for name, change := range map[string]func(*FaceInput){
		"stride": func(in *FaceInput) { in.Stride = 10 }, "pixels": func(in *FaceInput) { in.Pix = in.Pix[:100] },
		"box of nothing": func(in *FaceInput) { in.Box = image.Rectangle{} },
	} {
		in := texture(wave(8))
		change(&in)
		if _, ok := Face(in).get("sharpness"); ok {
			t.Errorf("%s: sharpness is told all the same", name)
		}
	}
	if r := Face(FaceInput{MirrorAgreement: math.NaN()}); len(r.Measures) != 0 {
		t.Errorf("nothing has %+v", r)
	}
}
