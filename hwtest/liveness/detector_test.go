package liveness

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // portraits
	_ "image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// detector is the product's own, with its net.
type detector struct {
	t *testing.T
	c decodev1.DecodeServiceClient
}

// newDetector starts it. WATCHPOST_CAPTURE names the capture program; portraits
// and models are those of make deps.
func newDetector(t *testing.T) detector {
	t.Helper()
	program := os.Getenv("WATCHPOST_CAPTURE")
	if os.Getenv("WATCHPOST_SOAK") == "" || program == "" {
		t.Skip("SKIPPED: WATCHPOST_SOAK and WATCHPOST_CAPTURE are not set: nothing is shown to the real detector")
	}
	client, err := capture.Start(t.Context(), capture.Options{Role: capture.Decode, Binary: program, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return detector{t, decodev1.NewDecodeServiceClient(client.Conn())}
}

// sitter is a person made of a portrait, whose eyes are where the detector has them.
func (d detector) sitter(name string) *Sitter {
	d.t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		d.t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(cache, "watchpost/portraits", name))
	if err != nil {
		d.t.Fatal(err)
	}
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		d.t.Fatal(err)
	}
	f, _ := d.look(raw)
	if !f.Face {
		d.t.Fatalf("no face in %s", name)
	}
	left, right := eyesOf(f)
	s, err := NewSitter(picture, left, right)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// eyesOf are the eye centres at the left and the right of the image.
func eyesOf(f pad.Frame) (left, right patch.Point) {
	mid := func(a, b patch.Point) patch.Point { return patch.Point{X: (a.X + b.X) / 2, Y: (a.Y + b.Y) / 2} }
	return mid(f.Points[2], f.Points[3]), mid(f.Points[0], f.Points[1])
}

// look is what a post would know of a picture, with its template. No face is an
// answer, too.
func (d detector) look(raw []byte) (f pad.Frame, of template.Face) {
	d.t.Helper()
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		d.t.Fatal(err)
	}
	size := picture.Bounds().Size()
	f = pad.Frame{Width: size.X, Height: size.Y, Same: 0.98}
	got, err := d.c.TemplateFace(d.t.Context(), &decodev1.TemplateFaceRequest{Image: raw})
	if err != nil || len(got.GetFace().GetPoints()) != len(f.Points) {
		return f, of
	}
	for i, p := range got.GetFace().GetPoints() {
		f.Points[i] = patch.Point{X: p.GetX(), Y: p.GetY()}
	}
	p := patch.Picture{Pix: make([]byte, 0, 3*size.X*size.Y), Width: size.X, Height: size.Y, Stride: 3 * size.X}
	for y := range size.Y {
		for x := range size.X {
			r, g, b, _ := picture.At(x, y).RGBA()
			p.Pix = append(p.Pix, byte(r>>8), byte(g>>8), byte(b>>8))
		}
	}
	left, right := eyesOf(f)
	f.Samples, f.Face = pad.Sample(p, left, right)
	of = template.Face{Model: got.GetTemplate().GetModel().GetName(), Version: got.GetTemplate().GetModel().GetVersion()}
	copy(of.Vector[:], got.GetTemplate().GetVector())
	return f, of
}

// moments looks at n pictures of a moment, which differ by the sensor's noise; Same is
// compared with first, or with the first of them where that is nil.
func (d detector) moments(s *Sitter, m Moment, n int, first *template.Face) ([]pad.Frame, *template.Face) {
	d.t.Helper()
	raw, err := s.Frames(m, n, 1)
	if err != nil {
		d.t.Fatal(err)
	}
	var out []pad.Frame
	for i := range raw {
		f, of := d.look(raw[i])
		if f.Face {
			if first == nil {
				first = &of
			}
			if f.Same, err = template.Cosine(first, &of); err != nil {
				d.t.Fatal(err)
			}
		}
		out = append(out, f)
	}
	return out, first
}

// TestSoakEyesBeforeDetector shows three portraits with eyes open and with lids painted
// shut to the product's own detector and net, 5 and 8 times a second, each as the whole
// answer: who shuts them when told passes, who does at other times, never or by halves
// of the challenge does not.
func TestSoakEyesBeforeDetector(t *testing.T) {
	d := newDetector(t)
	c := pad.Challenge{Kind: pad.Blink, Steps: []pad.Step{
		{Cue: pad.Ahead, Millis: 1300}, {Cue: pad.EyesShut, Millis: 900}, {Cue: pad.EyesOpen, Millis: 1650}, {Cue: pad.EyesShut, Millis: 1550}, {Cue: pad.EyesOpen, Millis: 1400},
	}}
	swapped := pad.Challenge{Kind: pad.Blink, Steps: []pad.Step{c.Steps[0], c.Steps[3], c.Steps[2], c.Steps[1], c.Steps[4]}}
	for _, name := range []string{"astronaut.png", "face.jpg", "face-detect.jpg"} {
		s := d.sitter(name)
		open, first := d.moments(s, Moment{}, 8, nil)
		shut, _ := d.moments(s, Moment{Shut: true}, 8, first)
		for _, apart := range []time.Duration{200 * time.Millisecond, 125 * time.Millisecond} {
			for answer, a := range map[string]struct {
				to    pad.Challenge
				delay float64
				want  pad.Result
			}{
				"told at once":          {c, 0.3, pad.Pass},
				"told late":             {c, 1.2, pad.Pass},
				"another's times":       {swapped, 0.6, pad.NotAssessable},
				"shut before the sign":  {c, -0.4, pad.NotAssessable},
				"a print held still":    {pad.Challenge{}, 0, pad.Fail},
				"shut the second alone": {pad.Challenge{Steps: []pad.Step{{Cue: pad.Ahead, Millis: 3850}, c.Steps[3]}}, 0.6, pad.Fail},
			} {
				does := answers(a.to, a.delay, 0)
				var frames []pad.Frame
				for at := time.Duration(0); at < c.Length(); at += apart {
					f := open[len(frames)%len(open)]
					if does.shut(at) > 0 {
						f = shut[len(frames)%len(shut)]
					}
					f.At = at
					frames = append(frames, f)
				}
				v := pad.Judge(c, frames, sameCosine)
				told := fmt.Sprintf("simulated, real detector: %s, %s, a frame every %v: %v %s %v", name, answer, apart, v.Result, v.Reason, v.Scores)
				t.Log(told)
				if v.Result != a.want {
					t.Error(told)
				}
			}
		}
	}
}

// laidOut gives a frame at each 125 ms of a challenge: those of the cue that is
// shown, one after the other.
func laidOut(c pad.Challenge, of map[pad.Cue][]pad.Frame) (frames []pad.Frame) {
	for at := time.Duration(0); at < c.Length(); at += 125 * time.Millisecond {
		from := of[cueAt(c, at)]
		f := from[len(frames)%len(from)]
		f.At = at
		frames = append(frames, f)
	}
	return frames
}

// TestSoakTurnBeforeDetector turns one portrait with a face's relief, and
// prints of it, before the product's own detector: a head is never called flat,
// and no print passes.
func TestSoakTurnBeforeDetector(t *testing.T) {
	d := newDetector(t)
	s := d.sitter("astronaut.png")
	look := func(m Moment) pad.Frame {
		frames, _ := d.moments(s, m, 1, nil)
		frames[0].Same = 0.98 // another test's
		return frames[0]
	}
	c := pad.Challenge{Kind: pad.Turn, Steps: []pad.Step{
		{Cue: pad.Ahead, Millis: 800}, {Cue: pad.TurnLeft, Millis: 1500}, {Cue: pad.TurnRite, Millis: 1500}, {Cue: pad.Ahead, Millis: 1500}, {Cue: pad.TurnLeft, Millis: 1500},
	}}
	for name, held := range map[string]struct{ left, right Sheet }{
		"head":                     {},
		"flat print":               {Sheet{Held: true}, Sheet{Held: true}},
		"slanted print":            {Sheet{Held: true, Slant: 0.75}, Sheet{Held: true, Slant: 0.75}},
		"print, slanted each side": {Sheet{Held: true, Slant: 0.75}, Sheet{Held: true, Slant: -0.75}},
		"bent print":               {Sheet{Held: true, Bend: 2.5}, Sheet{Held: true, Bend: 2.5}},
	} {
		ahead := look(Moment{Sheet: held.left})
		for _, degrees := range []float64{20, 28, 35} {
			yaw := degrees * math.Pi / 180
			left, right := look(Moment{Yaw: yaw, Sheet: held.left}), look(Moment{Yaw: -yaw, Sheet: held.right})
			v := pad.Judge(c, laidOut(c, map[pad.Cue][]pad.Frame{pad.Ahead: {ahead}, pad.TurnLeft: {left}, pad.TurnRite: {right}}), sameCosine)
			told := fmt.Sprintf("simulated, real detector: %s turned %.0f degrees: %v %s %v", name, degrees, v.Result, v.Reason, v.Scores)
			t.Log(told)
			if head := name == "head"; head && v.Reason == pad.ReasonFlat || !head && v.Result == pad.Pass {
				t.Error(told)
			}
		}
	}
}
