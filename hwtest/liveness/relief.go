package liveness

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
)

// Size of the pictures of a Sitter, pixels.
const (
	frameWidth  = 480
	frameHeight = 360
)

// Sitter is a person of whom there is one frontal picture, given the relief of
// a face: it can be turned, lit from a side and shut its eyes, and makes whole
// pictures, on which a real detector and net run. Hair, ears and what lies
// behind do not turn with it, skin has no gloss, and a shut lid is a patch of skin with
// a line of lashes: no fold, no muscle around it. It is not safe for concurrent use.
type Sitter struct {
	picture *image.RGBA
	eyes    patch.Axes // in picture
	skin    [2][3]float64
	room    room
}

// NewSitter gives a picture the relief of a face. left and right are the eye
// centres at the left and the right of it.
func NewSitter(picture image.Image, left, right patch.Point) (*Sitter, error) {
	axes, ok := patch.AxesOf(left, right)
	if !ok {
		return nil, fmt.Errorf("eyes at %v and %v", left, right)
	}
	s := &Sitter{picture: image.NewRGBA(picture.Bounds().Sub(picture.Bounds().Min)), eyes: axes}
	for y := range s.picture.Rect.Dy() {
		for x := range s.picture.Rect.Dx() {
			s.picture.Set(x, y, picture.At(picture.Bounds().Min.X+x, picture.Bounds().Min.Y+y))
		}
	}
	// The middle of what newRoom draws, with a screen that is bright beside the
	// room's light.
	s.room = room{ambient: 1 / 0.6, distance: 6, wide: 4.6, above: 2.6, behind: 30, focal: 0.85, noise: 2}
	for i, x := range [...]float64{-0.5, 0.5} { // lids are taken for as bright as the skin under the eyes
		for dx := -0.1; dx <= 0.1; dx += 0.02 {
			c := s.colour(x+dx, 0.3)
			for k := range c {
				s.skin[i][k] += c[k] / 11
			}
		}
	}
	return s, nil
}

// Moment is what a Sitter does, and by what light, in one frame.
type Moment struct {
	Yaw   float64 // radians, positive when the nose points to the right of the image
	Shut  bool    // the lids
	Cue   pad.Cue // what the screen shows
	Sheet Sheet   // what carries the picture instead of a head
	light light
}

// Sheet is a print of the picture in the place of a head; the zero value is
// none. Turned by Yaw it turns about its own upright axis, leaning by Slant.
type Sheet struct {
	Held  bool
	Bend  float64 // radius about an upright axis, eye distances; 0 is flat
	Slant float64 // of the axis it is turned about, of its height: 0 upright
}

// deep is how far a place of what is shown lies behind the inner eye corners.
func (m Moment) deep(x, y float64) float64 {
	switch {
	case !m.Sheet.Held:
		return depth(x, y)
	case m.Sheet.Bend > 0:
		x = min(math.Abs(x), 0.95*m.Sheet.Bend)
		return m.Sheet.Bend - math.Sqrt(m.Sheet.Bend*m.Sheet.Bend-x*x)
	}
	return 0
}

// depth is how far a place of the frontal picture lies behind the inner eye
// corners, in eye distances: a cylinder that falls away at the temples, and a
// nose whose base stands 17 mm before the eyes.
func depth(x, y float64) float64 {
	x = max(-1.4, min(1.4, x))
	y = max(-1.2, min(2, y))
	far := 0.42*x*x + 0.14*x*x*x*x*x*x + 0.1*(y-0.5)*(y-0.5)
	if d := (x*x + (y-0.6)*(y-0.6)) / (0.22 * 0.22); d < 9 {
		return far - 0.26*math.Exp(-d)
	}
	return far
}

// normal is the direction that a place of what is shown looks to.
func (m Moment) normal(x, y float64) vec {
	const h = 0.02
	return vec{(m.deep(x+h, y) - m.deep(x-h, y)) / (2 * h), (m.deep(x, y+h) - m.deep(x, y-h)) / (2 * h), -1}.unit()
}

// colour is the linear light of a place of the picture, in eye distances,
// between its pixels; grey beyond its edges.
func (s *Sitter) colour(x, y float64) (c [3]float64) {
	at := s.eyes.At(x, y)
	u, v := at.X-0.5, at.Y-0.5
	size := s.picture.Rect.Size()
	if !(u >= 0 && v >= 0 && u < float64(size.X-1) && v < float64(size.Y-1)) {
		return [3]float64{0.3, 0.3, 0.3}
	}
	i := s.picture.PixOffset(int(u), int(v))
	fu, fv := u-math.Floor(u), v-math.Floor(v)
	for k := range c {
		p := func(step int) float64 { return linear[s.picture.Pix[i+step+k]] }
		below := s.picture.Stride
		c[k] = (1-fv)*((1-fu)*p(0)+fu*p(4)) + fv*((1-fu)*p(below)+fu*p(below+4))
	}
	return c
}

// linear is the light of sRGB's grey levels.
var linear = func() (t [256]float64) {
	for i := range t {
		if v := float64(i) / 255; v > 0.04045 {
			t[i] = math.Pow((v+0.055)/1.055, 2.4)
		} else {
			t[i] = v / 12.92
		}
	}
	return t
}()

// lid is how much of a place a lid covers that is shut: 0 or 1, softly.
func lid(x, y float64) float64 {
	return 1 - smooth(math.Hypot((math.Abs(x)-0.5)/0.27, y/0.15), 0.8, 1.1)
}

// lashes is how much of a place the lashes of a shut lid darken.
func lashes(x, y float64) float64 {
	return 0.7 * (1 - smooth(math.Abs(math.Abs(x)-0.5), 0.14, 0.2)) * (1 - smooth(math.Abs(y-0.08+0.9*(math.Abs(x)-0.5)*(math.Abs(x)-0.5)), 0.01, 0.025))
}

// smooth rises from 0 at lo to 1 at hi.
func smooth(v, lo, hi float64) float64 {
	v = max(0, min(1, (v-lo)/(hi-lo)))
	return v * v * (3 - 2*v)
}

// Frames makes n pictures of a moment as JPEG, which differ by the sensor's
// noise alone.
func (s *Sitter) Frames(m Moment, n int, seed uint64) ([][]byte, error) {
	if m.Cue != "" {
		m.light = lightOf(m.Cue)
	}
	clean := s.render(m)
	noise := rand.New(rand.NewPCG(seed, 1))
	out := make([][]byte, 0, n)
	frame := image.NewRGBA(image.Rect(0, 0, frameWidth, frameHeight))
	for range n {
		for i, v := range clean {
			if i%4 == 3 {
				frame.Pix[i] = 255
				continue
			}
			frame.Pix[i] = byte(max(0, min(255, v+float32(s.room.noise*noise.NormFloat64())+0.5)))
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, frame, &jpeg.Options{Quality: 92}); err != nil {
			return nil, fmt.Errorf("encode a frame: %w", err)
		}
		out = append(out, b.Bytes())
	}
	return out, nil
}

// render makes the picture of a moment, without noise.
func (s *Sitter) render(m Moment) []float32 {
	out := make([]float32, 4*frameWidth*frameHeight)
	focal := s.room.focal * frameWidth
	// A head turns about its neck, well behind the eyes.
	pose, neck := turn{vec{m.Sheet.Slant, 1, 0}.unit(), -m.Yaw}, vec{0, 0, 1.6}
	if m.Sheet.Held {
		neck = vec{} // a sheet is turned where it is held
	}
	ahead := vec{0, -0.3, s.room.distance}
	at := ahead.plus(neck).minus(pose.of(neck))
	exposure := 1 / (s.room.ambient + 1)
	behind := exposure * s.room.shade(vec{0, 0, s.room.distance + s.room.behind}, vec{0, 0, -1}, m.light)
	for v := range frameHeight {
		for u := range frameWidth {
			ray := vec{(float64(u) + 0.5 - frameWidth/2) / focal, (float64(v) + 0.5 - frameHeight/2) / focal, 1}
			// Where the ray meets the face: its depth hardly changes within a step.
			t := s.room.distance
			var own vec
			// What is not the head stays where it is; in between the picture is drawn.
			x0, y0 := ray.x*t-ahead.x, ray.y*t-ahead.y
			if math.Abs(x0) < 2.8 { // else beside any head
				for range 8 {
					own = pose.back(ray.times(t).minus(at))
					t -= 0.8 * (own.z - m.deep(own.x, own.y))
				}
			} else {
				own = vec{x0, y0, 0}
			}
			off := smooth(math.Hypot(own.x/1.25, (own.y-0.35)/2), 1, 1.6)
			if m.Sheet.Held {
				off = 0
			}
			x, y := own.x+off*(x0-own.x), own.y+off*(y0-own.y)
			c := s.colour(x, y)
			if m.Shut && off == 0 {
				cover, skin := lid(x, y), &s.skin[0]
				if x > 0 {
					skin = &s.skin[1]
				}
				for k := range c {
					c[k] += cover * (skin[k] - c[k])
					c[k] *= 1 - lashes(x, y)
				}
			}
			fall := behind
			if off < 1 {
				face := exposure * s.room.shade(ray.times(t), pose.of(m.normal(own.x, own.y)), m.light)
				fall = face + off*(behind-face)
			}
			for k := range c {
				out[4*(v*frameWidth+u)+k] = float32(encode(c[k] * fall))
			}
		}
	}
	return out
}
