package liveness

import (
	"image"
	"image/color"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
)

// card is a picture with dark eyes 40 pixels apart and a bright nose.
func card() image.Image {
	img := image.NewRGBA(image.Rect(0, 0, 160, 160))
	for y := range 160 {
		for x := range 160 {
			c := color.RGBA{150, 120, 100, 255}
			switch {
			case (y-70)*(y-70) < 16 && ((x-60)*(x-60) < 64 || (x-100)*(x-100) < 64):
				c = color.RGBA{20, 20, 20, 255}
			case (y-98)*(y-98)+(x-80)*(x-80) < 16:
				c = color.RGBA{250, 250, 250, 255}
			}
			img.Set(x, y, c)
		}
	}
	return img
}

func sitter(t *testing.T) *Sitter {
	t.Helper()
	s, err := NewSitter(card(), patch.Point{X: 60, Y: 70}, patch.Point{X: 100, Y: 70})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// brightest is the column of the nose in a picture.
func brightest(s *Sitter, m Moment) int {
	pix := s.render(m)
	at, most := 0, float32(0)
	for i := 0; i < len(pix); i += 4 {
		if pix[i+2] > most {
			at, most = i/4%frameWidth, pix[i+2]
		}
	}
	return at
}

// The nose leaves the middle to the side that the head turns to.
func TestSitterTurns(t *testing.T) {
	s := sitter(t)
	left, ahead, right := brightest(s, Moment{Yaw: -playedYaw}), brightest(s, Moment{}), brightest(s, Moment{Yaw: playedYaw})
	if !(left < ahead-10 && ahead+10 < right) {
		t.Errorf("nose at %d, %d, %d", left, ahead, right)
	}
}

// Each half of the screen lights its own cheek more than the other; shut lids
// take the dark of the eyes away.
func TestSitterIsLitAndBlinks(t *testing.T) {
	s := sitter(t)
	made := make(map[Moment][]float32)
	at := func(m Moment, x, y float64) float32 {
		if made[m] == nil {
			made[m] = s.render(m)
		}
		u := frameWidth/2 + int(x*s.room.focal*frameWidth/s.room.distance)
		v := frameHeight/2 + int((y-0.3)*s.room.focal*frameWidth/s.room.distance)
		return made[m][4*(v*frameWidth+u)]
	}
	dark := Moment{}
	for cue, want := range map[pad.Cue]bool{pad.LightRite: true, pad.LightLeft: false} {
		m := Moment{light: lightOf(cue)}
		left, right := at(m, -0.5, 0.5)-at(dark, -0.5, 0.5), at(m, 0.5, 0.5)-at(dark, 0.5, 0.5)
		if left <= 0 || right <= 0 || (left > right) != want {
			t.Errorf("%s adds %v at the left, %v at the right", cue, left, right)
		}
	}
	if open, shut := at(dark, 0.5, 0), at(Moment{Shut: true}, 0.5, 0); shut < open+50 {
		t.Errorf("an eye is %v, shut %v", open, shut)
	}
	if _, err := NewSitter(card(), patch.Point{X: 60, Y: 70}, patch.Point{X: 61, Y: 70}); err == nil {
		t.Error("a face whose eyes are one pixel apart")
	}
}

// The camera's folder is never empty, and shows one moment when all is done.
func TestPlayer(t *testing.T) {
	camera := t.TempDir()
	p, err := newPlayer(sitter(t), camera, t.TempDir(), []Moment{{}, {Yaw: playedYaw}, {Yaw: -playedYaw}, {Shut: true}, {Cue: pad.LightLeft}, printAt(0), printAt(turnedPrint)})
	if err != nil {
		t.Fatal(err)
	}
	names := func() (out []string) {
		entries, err := os.ReadDir(camera)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	rest := names()
	if len(rest) != loop {
		t.Fatalf("%q", rest)
	}
	for _, m := range []Moment{{Yaw: playedYaw}, {Yaw: -0.001}, {Shut: true}, {Cue: pad.LightLeft}, {Cue: pad.Dark}, printAt(0.001), printAt(turnedPrint), {Yaw: -playedYaw}} {
		if err := p.show(m); err != nil {
			t.Fatal(err)
		}
		if n := names(); len(n) != loop {
			t.Errorf("%+v: %q", m, n)
		}
	}
	// A challenge that is over leaves the person as before.
	c := pad.Challenge{Kind: pad.Turn, Steps: []pad.Step{{Cue: pad.TurnLeft, Millis: 60}}}
	if err := p.Follow(t.Context(), time.Now(), c); err != nil {
		t.Fatal(err)
	}
	if n := names(); !slices.Equal(n, rest) {
		t.Errorf("%q, was %q", n, rest)
	}
	if err := p.HoldPrint(t.Context(), time.Now(), c); err != nil {
		t.Fatal(err)
	}
	if n := names(); !slices.Equal(n, rest) {
		t.Errorf("%q after a print, was %q", n, rest)
	}
	if err := p.TurnPrint(t.Context(), time.Now(), pad.Challenge{Kind: pad.Turn, Steps: []pad.Step{{Cue: pad.TurnRite, Millis: 60_000}}}); err == nil {
		t.Error("a print is turned through poses there are no pictures of")
	}
	if nameOf(printAt(0)) == nameOf(Moment{}) || nameOf(printAt(-yawStep)) == nameOf(printAt(yawStep)) {
		t.Error("different moments have one name")
	}
	if err := p.show(Moment{Yaw: 1}); err == nil {
		t.Error("a pose there are no pictures of")
	}
}
