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
)

// AllSpecies are in the order of the table.
func AllSpecies() []string {
	return []string{BonaFide, FlatPrint, ObliquePrint, BentPrint, Replay, RigidMask, Swap}
}

// interval is how far apart the frames are: a burst has few.
func interval(k pad.Kind) time.Duration {
	switch k {
	case pad.Flash:
		return 100 * time.Millisecond
	case pad.Blink:
		return 80 * time.Millisecond
	}
	return 150 * time.Millisecond
}

// behaviour is what a presentation does over time.
type behaviour struct {
	yaw   func(t time.Duration) float64 // radians, positive when the nose points to the right of the image
	shut  func(t time.Duration) bool
	light func(t time.Duration) light // that a replay was recorded under
}

// follow is a person who answers the cues of c, each in their own manner.
func follow(r *rand.Rand, c pad.Challenge) behaviour {
	delay, far := between(r, 0.2, 0.5), between(r, 18, 38)*math.Pi/180
	return answers(r, c, delay, far)
}

// answers is a person who turns by far radians after delay seconds, blinks once
// a cue, and now and then besides.
func answers(r *rand.Rand, c pad.Challenge, delay, far float64) behaviour {
	type closing struct{ from, to time.Duration }
	var closed []closing
	var starts []time.Duration
	at := time.Duration(0)
	for _, s := range c.Steps {
		starts = append(starts, at)
		if s.Cue == pad.BlinkNow {
			begin := at + time.Duration(between(r, 0.2, 0.7)*float64(time.Second))
			closed = append(closed, closing{begin, begin + time.Duration(between(r, 0.12, 0.4)*float64(time.Second))})
		}
		at += time.Duration(s.Millis) * time.Millisecond
	}
	if r.Float64() < 0.15 {
		begin := time.Duration(r.Float64() * float64(at))
		closed = append(closed, closing{begin, begin + 200*time.Millisecond})
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
		shut: func(t time.Duration) bool {
			for _, c := range closed {
				if t >= c.from && t < c.to {
					return true
				}
			}
			return false
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
		other, err := pad.Draw(c.Kind)
		if err != nil {
			return nil, err
		}
		does = follow(r, other)
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
		shut := false
		agree := same - 0.12*yaw*yaw + 0.004*r.NormFloat64()
		switch species {
		case BonaFide, RigidMask:
			// A head turns about its neck, well behind the eyes.
			neck := vec{0, 0, 1.6}
			place = place.plus(neck).minus(pose.of(neck))
			t = &solid{head: who, pose: turnOf(pose, base, pitch), at: place}
			shut = species == BonaFide && does.shut(at)
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
		case Replay:
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
