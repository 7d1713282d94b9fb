package liveness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
)

// Player puts a Sitter before the virtual camera: a folder of pictures that the
// capture process shows in a loop, and reads anew when one is gone. What the
// camera sees is simulated. One goroutine uses it.
type Player struct {
	sitter *Sitter
	camera string // folder
	made   string // folder of all pictures
	scenes map[string][]string
	now    string
}

const (
	// loop is how many pictures there are of each moment: a camera whose pictures
	// are all alike is frozen.
	loop = 2
	// tick is how often a Player looks what is to be shown.
	tick = 30 * time.Millisecond
	// yawStep is how far apart the poses are that pictures are made of, radians.
	yawStep = 3.5 * math.Pi / 180
	// playedYaw is how far a played head turns: as far as people do that are
	// asked to look aside, and a frontal detector still sees them.
	playedYaw = 21 * math.Pi / 180
	// turnedPrint is how far a print is turned by hand, and slanted how its axis leans,
	// to the other side with each side: so its nose moves most (README of package pad).
	turnedPrint = 28 * math.Pi / 180
	slanted     = 0.75
	// playedDelay is how long a played person takes to begin, seconds.
	playedDelay = 0.25
)

// NewPlayer makes the pictures of s that answers need, and shows the first in
// camera, which exists. dir takes the pictures; it is on the same file system.
func NewPlayer(s *Sitter, camera, dir string) (*Player, error) {
	moments := []Moment{{Shut: true}, {Cue: pad.Full}, {Cue: pad.LightLeft}, {Cue: pad.LightRite}}
	for k := -playedYaw; k < playedYaw+yawStep/2; k += yawStep {
		moments = append(moments, Moment{Yaw: k})
	}
	for k := -turnedPrint; k < turnedPrint+yawStep/2; k += yawStep {
		moments = append(moments, printAt(k))
	}
	return newPlayer(s, camera, dir, moments)
}

func newPlayer(s *Sitter, camera, dir string, moments []Moment) (*Player, error) {
	p := &Player{sitter: s, camera: camera, made: dir, scenes: make(map[string][]string)}
	for _, m := range moments {
		if err := p.make(m); err != nil {
			return nil, err
		}
	}
	return p, p.show(Moment{})
}

// printAt is a flat print that is turned by hand; at 0 it faces the camera.
func printAt(yaw float64) Moment {
	m := Moment{Yaw: yaw, Sheet: Sheet{Held: true}}
	if steps := math.Round(yaw / yawStep); steps != 0 {
		m.Sheet.Slant = math.Copysign(slanted, steps)
	}
	return m
}

// nameOf names the pictures of a moment.
func nameOf(m Moment) string {
	cue := m.Cue
	if lightOf(cue) == (light{}) {
		cue = pad.Dark
	}
	return fmt.Sprintf("%+03d-%s-%t-%t%+.2f", int(math.Round(m.Yaw/yawStep)), cue, m.Shut, m.Sheet.Held, m.Sheet.Slant)
}

func (p *Player) make(m Moment) error {
	name := nameOf(m)
	frames, err := p.sitter.Frames(m, loop, uint64(len(p.scenes)))
	if err != nil {
		return err
	}
	for i, raw := range frames {
		file := filepath.Join(p.made, fmt.Sprintf("%s-%d.jpg", name, i))
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			return fmt.Errorf("write a frame: %w", err)
		}
		p.scenes[name] = append(p.scenes[name], file)
	}
	return nil
}

// show puts a moment before the camera: first its pictures, then those of the
// one before go, so that the folder is never empty.
func (p *Player) show(m Moment) error {
	name := nameOf(m)
	files, ok := p.scenes[name]
	if !ok {
		return fmt.Errorf("no pictures of %s", name)
	}
	if name == p.now {
		return nil
	}
	for _, f := range files {
		if err := os.Link(f, filepath.Join(p.camera, filepath.Base(f))); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("show a moment: %w", err)
		}
	}
	for _, f := range p.scenes[p.now] {
		if err := os.Remove(filepath.Join(p.camera, filepath.Base(f))); err != nil {
			return fmt.Errorf("clear the camera: %w", err)
		}
	}
	p.now = name
	return nil
}

// Follow is a person who does what c asks for, from begin on, and is lit by
// what the screen shows meanwhile.
func (p *Player) Follow(ctx context.Context, begin time.Time, c pad.Challenge) error {
	return p.answer(ctx, begin, c, c)
}

// HoldPrint is somebody who holds a print of the person before the camera for
// the length of c, still.
func (p *Player) HoldPrint(ctx context.Context, begin time.Time, c pad.Challenge) error {
	return p.play(ctx, begin, c, func(time.Duration) Moment { return printAt(0) })
}

// TurnPrint holds it, too, and turns it by hand as c asks heads to turn.
func (p *Player) TurnPrint(ctx context.Context, begin time.Time, c pad.Challenge) error {
	does := answers(c, playedDelay, turnedPrint)
	return p.play(ctx, begin, c, func(at time.Duration) Moment { return printAt(does.yaw(at)) })
}

// Replay shows what was recorded under another challenge of the kind, which it
// draws; the recording is not lit by this one's screen.
func (p *Player) Replay(ctx context.Context, begin time.Time, c pad.Challenge) error {
	for random := pad.Unpredictable(); ; {
		other, err := pad.Draw(c.Kind, random)
		if err != nil {
			return err
		}
		if !slices.Equal(other.Steps, c.Steps) {
			return p.answer(ctx, begin, c, other)
		}
	}
}

// answer plays the answer to recorded while c is shown.
func (p *Player) answer(ctx context.Context, begin time.Time, c, recorded pad.Challenge) error {
	does := answers(recorded, playedDelay, playedYaw)
	return p.play(ctx, begin, c, func(at time.Duration) Moment {
		// Lids and lights are of a head that looks ahead: no challenge asks for both.
		switch recorded.Kind {
		case pad.Turn:
			return Moment{Yaw: does.yaw(at)}
		case pad.Blink:
			return Moment{Shut: does.shut(at) > 0.5}
		}
		return Moment{Cue: cueAt(recorded, at)}
	})
}

// play shows what is at each moment while c is shown, and the person when it is over.
func (p *Player) play(ctx context.Context, begin time.Time, c pad.Challenge, at func(time.Duration) Moment) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		now := time.Since(begin)
		if now > c.Length() {
			return p.show(Moment{})
		}
		if err := p.show(at(now)); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cueAt is what a challenge shows at a time, "" before and after.
func cueAt(c pad.Challenge, t time.Duration) pad.Cue {
	for _, s := range c.Steps {
		length := time.Duration(s.Millis) * time.Millisecond
		if t >= 0 && t < length {
			return s.Cue
		}
		t -= length
	}
	return ""
}
