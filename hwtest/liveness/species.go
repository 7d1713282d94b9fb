package liveness

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
)

// Species of what is presented. Bona fide is a live person who does as told.
const (
	BonaFide     = "bona fide"
	FlatPrint    = "flat print"
	ObliquePrint = "flat print, tilted to mimic a turn"
	BentPrint    = "bent print"
	Replay       = "screen replay"
	RigidMask    = "rigid mask"
	Swap         = "print first, then another face"
	CutMask      = "rigid mask with eye holes"        // worn, own eyes behind it
	Steered      = "screen, its film steered by hand" // to what is asked
)

// AllSpecies are in the order of the table.
func AllSpecies() []string {
	return []string{BonaFide, FlatPrint, ObliquePrint, BentPrint, Replay, RigidMask, Swap, CutMask, Steered}
}

// interval is how far apart the frames are: live faces come at some 8 a second.
func interval(k pad.Kind) time.Duration {
	switch k {
	case pad.Flash:
		return 100 * time.Millisecond
	case pad.Blink:
		return 125 * time.Millisecond
	}
	return 150 * time.Millisecond
}

// behaviour is what a presentation does over time.
type behaviour struct {
	yaw   func(t time.Duration) float64 // radians, positive when the nose points to the right of the image
	shut  func(t time.Duration) float64 // how far down the lids are, 0 to 1
	light func(t time.Duration) light   // that a replay was recorded under
}

// follow is a person who answers the cues of c, each in their own manner. Who is
// told by an officer to shut the eyes does so up to a second and a half later.
func follow(r *rand.Rand, c pad.Challenge) behaviour {
	delay, far := between(r, 0.2, 0.5), between(r, 18, 38)*math.Pi/180
	if c.Kind == pad.Blink {
		delay = between(r, 0.3, 1.2)
	}
	does := answers(c, delay, far)
	if c.Kind == pad.Blink {
		does.shut = manner(r, c, delay)
	}
	return does
}

// answers is a person who turns by far radians, or moves the lids, after delay
// seconds, exactly.
func answers(c pad.Challenge, delay, far float64) behaviour {
	var starts []time.Duration
	at := time.Duration(0)
	for _, s := range c.Steps {
		starts = append(starts, at)
		at += time.Duration(s.Millis) * time.Millisecond
	}
	target := func(t time.Duration) float64 {
		want := 0.0
		for i, s := range c.Steps {
			if t < starts[i] {
				break
			}
			switch s.Cue {
			case pad.TurnLeft:
				want = far
			case pad.TurnRite:
				want = -far
			default:
				want = 0
			}
		}
		return want
	}
	return behaviour{
		yaw: func(t time.Duration) float64 {
			// The mean of what was wanted over the last 0.7 s, after a delay.
			sum := 0.0
			for k := range 8 {
				sum += target(t - time.Duration((delay+0.1*float64(k))*float64(time.Second)))
			}
			return sum / 8
		},
		shut: func(t time.Duration) float64 {
			if cueAt(c, t-time.Duration(delay*float64(time.Second))) == pad.EyesShut {
				return 1
			}
			return 0
		},
		light: func(t time.Duration) light { return lightAt(c, t) },
	}
}

func lightAt(c pad.Challenge, t time.Duration) light { return lightOf(cueAt(c, max(0, t))) }

// Present lets one presentation of a species answer a challenge and returns
// the frames as a post would have them.
func Present(r *rand.Rand, species string, c pad.Challenge) ([]pad.Frame, error) {
	who, o := newHead(r), newRoom(r)
	does := follow(r, c)
	if species == Replay {
		// Recorded under another challenge of the same kind.
		other, err := pad.Draw(c.Kind, r)
		if err != nil {
			return nil, err
		}
		does = follow(r, other)
	}
	if species == Steered {
		does.light = func(time.Duration) light { return light{} } // no hand is as fast as a flash
	}
	up := vec{0, 1, 0}
	base := turn{vec{0, 0, 1}, between(r, -0.05, 0.05)} // nobody stands quite upright
	pitch := between(r, -0.1, 0.1)
	bend := between(r, 1.6, 3.5) // 10 to 22 cm
	same := between(r, 0.955, 0.985)
	var frames []pad.Frame
	for at := time.Duration(0); at < c.Length(); at += interval(c.Kind) {
		shown := at - o.lag
		yaw := does.yaw(at)
		sway := vec{0.08 * math.Sin(at.Seconds()*1.3), 0.05 * math.Sin(at.Seconds()*1.9), 0}
		pose := turn{up, -yaw}
		place := sway.plus(vec{0, 0, o.distance})
		var t target
		var own glow
		shut := 0.0
		agree := same - 0.12*yaw*yaw + 0.004*r.NormFloat64()
		switch species {
		case BonaFide, RigidMask, CutMask:
			// A head turns about its neck, well behind the eyes.
			neck := vec{0, 0, 1.6}
			place = place.plus(neck).minus(pose.of(neck))
			t = &solid{head: who, pose: turnOf(pose, base, pitch), at: place}
			if species != RigidMask {
				shut = does.shut(at)
				agree -= 0.01 * shut // 0.002 to 0.025 with lids painted on portraits
			}
		case FlatPrint, Swap:
			t = &sheet{head: who, pose: turnOf(pose, base, 0), at: place}
			if species == Swap && yaw != 0 {
				t, agree = &solid{head: who, pose: turnOf(pose, base, pitch), at: place}, between(r, 0.75, 0.9)
			}
		case ObliquePrint:
			// Turned about a slanted axis the print shears as a face's points do.
			slant := vec{0.75, 1, 0}.unit()
			if yaw < 0 {
				slant = vec{-0.75, 1, 0}.unit()
			}
			t = &sheet{head: who, pose: turn{slant, -1.3 * yaw}, at: place.minus(vec{0, 0, 0.1 * o.distance * math.Abs(yaw)})}
		case BentPrint:
			t = &sheet{head: who, pose: turnOf(pose, base, 0), at: place, radius: bend}
		case Replay, Steered:
			// The video shows a head as it was recorded, flat on its screen.
			video := &solid{head: who, pose: pose, at: vec{0, 0, o.distance}}
			t = &film{sheet: sheet{head: who, at: place}, video: video}
			recorded := does.light(at)
			gain := 0.75 * (o.ambient + 0.5*(recorded.left+recorded.right)) / (o.ambient + 1)
			closed := does.shut(at)
			own = func(x, y float64) [3]float64 {
				c := who.reflect(x, y, closed)
				return [3]float64{gain * c[0], gain * c[1], gain * c[2]}
			}
		}
		points := o.project(r, t, yaw)
		f := pad.Frame{At: at, Width: width, Height: height, Face: true, Points: points, Same: agree}
		if c.Kind != pad.Turn { // which looks at points only
			mid := func(a, b patch.Point) patch.Point { return patch.Point{X: (a.X + b.X) / 2, Y: (a.Y + b.Y) / 2} }
			left, right := mid(points[2], points[3]), mid(points[0], points[1])
			var axes patch.Axes
			if axes, f.Face = patch.AxesOf(left, right); f.Face {
				now := scene{&o, t, &who, lightAt(c, shown), shut, own}
				f.Samples, f.Face = pad.Sample(now.view(r, axes), left, right)
			}
		}
		if math.Abs(yaw) > 0.6 && r.Float64() < 0.3 {
			f.Face = false // a frontal detector loses a face that is turned far
		}
		frames = append(frames, f)
	}
	return frames, nil
}

// turnOf is the pose of a head that nods a little and leans, then turns.
func turnOf(pose, lean turn, pitch float64) turn {
	return compose(pose, compose(lean, turn{vec{1, 0, 0}, pitch}))
}

// compose returns the rotation that b, then a makes.
func compose(a, b turn) turn {
	quaternion := func(t turn) (w float64, v vec) {
		s, c := math.Sincos(t.angle / 2)
		return c, t.axis.times(s)
	}
	aw, av := quaternion(a)
	bw, bv := quaternion(b)
	w := aw*bw - av.dot(bv)
	v := bv.times(aw).plus(av.times(bw)).plus(av.cross(bv))
	length := math.Sqrt(v.dot(v))
	if length < 1e-12 {
		return turn{vec{0, 1, 0}, 0}
	}
	return turn{v.times(1 / length), 2 * math.Atan2(length, w)}
}

// film is a screen that shows a video: its points are where the video has them.
type film struct {
	sheet
	video *solid
}

func (f *film) point(i int) vec {
	p := f.video.point(i)
	k := f.video.at.z / p.z // as the recording camera projected it
	return f.at.plus(vec{k * (p.x - f.video.at.x), k * (p.y - f.video.at.y), 0})
}
