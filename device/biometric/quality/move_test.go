package quality

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"
)

// drawn is a face of plain shapes on a wall: enough skin, edges and colour for
// the measures, and nobody. size is the eye distance in pixels; turn is in
// degrees; shift moves it by pixels.
func drawn(size, turn float64, shiftX, shiftY float64) FaceInput {
	const w, h = 320, 400
	size, shiftX, shiftY = size*2/3, shiftX*2/3, shiftY*2/3 // as if on 480x600
	in := FaceInput{Width: w, Height: h, Stride: 3 * w, Pix: make([]byte, 3*w*h), Faces: 1, HasEyes: true, HasNose: true, MirrorAgreement: 0.99}
	sin, cos := math.Sincos(turn * math.Pi / 180)
	cx, cy := w/2+shiftX, 0.45*h+shiftY
	at := func(u, v float64) Point { return Point{cx + size*(u*cos-v*sin), cy + size*(u*sin+v*cos)} }
	in.LeftEye, in.RightEye, in.Nose = at(-0.5, 0), at(0.5, 0), at(0, 0.7)
	r := int(1.3 * size)
	middle := at(0, 0.6)
	in.Box = image.Rect(int(middle.X)-r, int(middle.Y)-r, int(middle.X)+r, int(middle.Y)+r)
	for y := range h {
		for x := range w {
			dx, dy := (float64(x)-cx)/size, (float64(y)-cy)/size
			u, v := dx*cos+dy*sin, -dx*sin+dy*cos
			// Skin with fine texture and some shading down the face.
			c := [3]float64{205, 150, 125}
			fine := 12*math.Sin(37*u)*math.Cos(31*v) - 8*v
			switch {
			case u*u/1.21+(v-0.4)*(v-0.4)/3.2 > 1: // wall
				c, fine = [3]float64{170, 175, 180}, 0
			case v < -0.75 || math.Hypot(math.Abs(u)-0.5, v) < 0.13: // hair, eyes
				c = [3]float64{45, 35, 30}
			case math.Abs(u) < 0.4 && math.Abs(v-1.15) < 0.08: // mouth
				c = [3]float64{150, 70, 70}
			case math.Hypot(math.Abs(u)-0.12, v-0.68) < 0.06: // nostrils
				c = [3]float64{70, 45, 40}
			}
			for k := range 3 {
				in.Pix[3*(y*w+x)+k] = byte(max(0, min(255, c[k]+fine)))
			}
		}
	}
	return in
}

// painted returns the face with every pixel changed.
func painted(in FaceInput, f func(x, y int, c [3]float64) [3]float64) FaceInput {
	out := in
	out.Pix = make([]byte, len(in.Pix))
	for y := range in.Height {
		for x := range in.Width {
			i := y*in.Stride + 3*x
			c := f(x, y, [3]float64{float64(in.Pix[i]), float64(in.Pix[i+1]), float64(in.Pix[i+2])})
			for k := range 3 {
				out.Pix[i+k] = byte(max(0, min(255, math.Round(c[k]))))
			}
		}
	}
	return out
}

// smeared is a box blur of radius r, both ways.
func smeared(in FaceInput, r int) FaceInput {
	pass := func(in FaceInput, dx, dy int) FaceInput {
		return painted(in, func(x, y int, _ [3]float64) (c [3]float64) {
			n := 0.0
			for k := -r; k <= r; k++ {
				px, py := x+k*dx, y+k*dy
				if px < 0 || py < 0 || px >= in.Width || py >= in.Height {
					continue
				}
				for b := range 3 {
					c[b] += float64(in.Pix[py*in.Stride+3*px+b])
				}
				n++
			}
			return [3]float64{c[0] / n, c[1] / n, c[2] / n}
		})
	}
	return pass(pass(in, 1, 0), 0, 1)
}

func coded(t *testing.T, in FaceInput, q int) FaceInput {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, in.Width, in.Height))
	for y := range in.Height {
		for x := range in.Width {
			p := in.Pix[y*in.Stride+3*x:]
			img.Set(x, y, color.RGBA{p[0], p[1], p[2], 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: q}); err != nil {
		t.Fatal(err)
	}
	back, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return painted(in, func(x, y int, _ [3]float64) [3]float64 {
		r, g, b, _ := back.At(x, y).RGBA()
		return [3]float64{float64(r >> 8), float64(g >> 8), float64(b >> 8)}
	})
}

// Each degradation, made stronger step by step, lowers the measure that is
// named after it step by step, and leaves alone those it does not touch.
func TestDegradationsMoveTheirMeasure(t *testing.T) {
	base := drawn(80, 0, 0, 0)
	times := func(f float64) FaceInput {
		return painted(base, func(_, _ int, c [3]float64) [3]float64 { return [3]float64{f * c[0], f * c[1], f * c[2]} })
	}
	plus := func(f float64) FaceInput {
		return painted(base, func(_, _ int, c [3]float64) [3]float64 { return [3]float64{c[0] + f, c[1] + f, c[2] + f} })
	}
	for name, c := range map[string]struct {
		measure string
		steps   []FaceInput
		same    string // a measure that must not move by more than 1
	}{
		"blur":        {"sharpness", []FaceInput{base, smeared(base, 1), smeared(base, 2), smeared(base, 4), smeared(base, 8)}, "inter_eye_distance"},
		"dark":        {"luminance_mean", []FaceInput{times(0.8), times(0.45), times(0.3), times(0.15)}, "head_size"},
		"under":       {"under_exposure_prevention", []FaceInput{times(0.8), times(0.18), times(0.165), times(0.1)}, "over_exposure_prevention"},
		"over":        {"over_exposure_prevention", []FaceInput{plus(0), plus(70), plus(80), plus(100)}, "head_pose_roll"},
		"size":        {"inter_eye_distance", []FaceInput{drawn(100, 0, 0, 0), drawn(80, 0, 0, 0), drawn(50, 0, 0, 0), drawn(25, 0, 0, 0)}, "head_pose_roll"},
		"small head":  {"head_size", []FaceInput{drawn(90, 0, 0, 0), drawn(60, 0, 0, 0), drawn(40, 0, 0, 0), drawn(20, 0, 0, 0)}, "head_pose_roll"},
		"tilt":        {"head_pose_roll", []FaceInput{drawn(60, 0, 0, 0), drawn(60, 10, 0, 0), drawn(60, 20, 0, 0), drawn(60, 40, 0, 0)}, "inter_eye_distance"},
		"crop left":   {"leftward_crop_of_the_face_image", []FaceInput{drawn(80, 0, -140, 0), drawn(80, 0, -160, 0), drawn(80, 0, -175, 0), drawn(80, 0, -200, 0)}, "head_size"},
		"crop right":  {"rightward_crop_of_the_face_image", []FaceInput{drawn(80, 0, 140, 0), drawn(80, 0, 160, 0), drawn(80, 0, 175, 0), drawn(80, 0, 200, 0)}, "head_size"},
		"crop top":    {"margin_above_of_the_face_image", []FaceInput{drawn(80, 0, 0, -40), drawn(80, 0, 0, -70), drawn(80, 0, 0, -100), drawn(80, 0, 0, -160)}, "head_size"},
		"crop bottom": {"margin_below_of_the_face_image", []FaceInput{drawn(80, 0, 0, 40), drawn(80, 0, 0, 60), drawn(80, 0, 0, 80), drawn(80, 0, 0, 120)}, "head_size"},
		"jpeg":        {"compression_artifacts", []FaceInput{base, coded(t, base, 50), coded(t, base, 20), coded(t, base, 5)}, "inter_eye_distance"},
		"side light":  {"illumination_uniformity", []FaceInput{base, sided(base, 0.3), sided(base, 0.6), sided(base, 0.9)}, "head_size"},
		"tint":        {"natural_colour", []FaceInput{base, tinted(base, 40), tinted(base, 80), tinted(base, 120)}, "head_size"},
		"wall":        {"background_uniformity", []FaceInput{base, striped(base, 20), striped(base, 50), striped(base, 100)}, "head_size"},
	} {
		var before, first, top Measure
		for i, in := range c.steps {
			r := Face(in)
			m, ok := r.get(c.measure)
			still, okStill := r.get(c.same)
			if !ok || !okStill {
				t.Errorf("%s, step %d: absent", name, i)
				break
			}
			if i == 0 {
				first, top = still, m
			} else if m.Value > before.Value || i == len(c.steps)-1 && m.Value >= top.Value {
				t.Errorf("%s, step %d: %v after %v", name, i, m, before)
			}
			if math.Abs(still.Value-first.Value) > 1 {
				t.Errorf("%s, step %d: %v moved from %v", name, i, still, first)
			}
			before = m
		}
	}
}

// sided darkens the right of the face by share.
func sided(in FaceInput, share float64) FaceInput {
	return painted(in, func(x, _ int, c [3]float64) [3]float64 {
		if x > in.Width/2 {
			for k := range c {
				c[k] *= 1 - share
			}
		}
		return c
	})
}

// tinted puts blue in and takes red out.
func tinted(in FaceInput, by float64) FaceInput {
	return painted(in, func(_, _ int, c [3]float64) [3]float64 { return [3]float64{c[0] - by, c[1], c[2] + by} })
}

// striped puts stripes on the wall.
func striped(in FaceInput, by float64) FaceInput {
	return painted(in, func(x, y int, c [3]float64) [3]float64 {
		if (x < 73 || x > 247) && (x/8)%2 == 0 {
			for k := range c {
				c[k] -= by
			}
		}
		return c
	})
}

// A nose that leaves the middle is a turned head, to the side it points to.
func TestYawFollowsTheNose(t *testing.T) {
	last := math.Inf(-1)
	for _, x := range []float64{-0.3, -0.1, 0, 0.1, 0.3} {
		in := drawn(80, 15, 0, 0)
		sin, cos := math.Sincos(15 * math.Pi / 180)
		in.Nose = Point{in.Nose.X + 80*x*cos, in.Nose.Y + 80*x*sin}
		m, ok := Face(in).get("head_pose_yaw")
		if !ok || m.Native <= last || (m.Native > 1e-9) != (x > 0) && x != 0 {
			t.Errorf("nose at %v: %+v after %v", x, m, last)
		}
		last = m.Native
	}
	in := drawn(80, 0, 0, 0)
	in.HasNose = false
	if _, ok := Face(in).get("head_pose_yaw"); ok {
		t.Error("a yaw without a nose")
	}
}

// Every measure is either in a report or not assessed, never both, and every
// name that a report gives has a rule.
func TestEveryMeasureIsAccountedFor(t *testing.T) {
	r := Face(drawn(80, 0, 0, 0))
	absent := NotAssessed(r.Measures)
	if len(r.Measures)+len(absent) != len(Rules()) {
		t.Errorf("%d measured and %d not, of %d", len(r.Measures), len(absent), len(Rules()))
	}
	for _, m := range r.Measures {
		rule, ok := RuleOf(m.Name)
		if !ok || rule.Standard == "" || !rule.Bounded || rule.Source == "" || rule.Advice == "" || rule.Low > rule.High {
			t.Errorf("%s: %+v", m.Name, rule)
		}
	}
	for _, rule := range absent {
		if rule.Needs == "" {
			t.Errorf("%s does not say why", rule.Name)
		}
	}
	for _, name := range live {
		if _, ok := RuleOf(name); !ok {
			t.Errorf("coaching knows no %s", name)
		}
	}
	if _, ok := RuleOf("beauty"); ok {
		t.Error("a measure of beauty")
	}
}

func TestCoach(t *testing.T) {
	for name, c := range map[string]struct {
		in   FaceInput
		want string
	}{
		"good":     {drawn(80, 0, 0, 0), ""},
		"far":      {drawn(25, 0, 0, 0), AdviceCloser},
		"tilted":   {drawn(80, 25, 0, 0), AdviceUpright},
		"at edge":  {drawn(80, 0, -180, 0), AdviceCentre},
		"one side": {sided(drawn(80, 0, 0, 0), 0.6), AdviceFront},
		"blurred":  {smeared(drawn(80, 0, 0, 0), 8), AdviceStill},
	} {
		if got := Coach(Face(c.in).Measures); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	two := drawn(80, 25, 0, 0)
	two.Faces = 2
	if got := Coach(Face(two).Measures); got != AdviceAlone {
		t.Errorf("two faces: %q", got)
	}
}

func TestBest(t *testing.T) {
	for name, c := range map[string]struct {
		in   []float64
		n    int
		want []int
	}{
		"all alike":    {[]float64{50, 50, 50}, 3, []int{0, 1, 2}},
		"best first":   {[]float64{50, 80, 60}, 3, []int{1, 2, 0}},
		"bad left out": {[]float64{20, 80, 60}, 3, []int{1, 2}},
		"at most":      {[]float64{70, 80, 60}, 1, []int{1}},
		"none":         {nil, 3, nil},
	} {
		got := Best(c.in, c.n)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}
