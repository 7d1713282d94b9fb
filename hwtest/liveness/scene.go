// Package liveness is a simulated bench for presentation attack detection:
// generated heads, flat and bent prints, screens and masks before a pinhole
// camera that stands above a screen, lit by that screen and by the room. What
// it prints is simulated and says so. It leaves out automatic exposure, motion
// blur, the camera's own tone curve, gloss on skin and all craft of a real
// instrument maker; figures of a bench with real instruments replace it.
//
// Present gives what a detector would find, in no time, for error rates. A
// Player gives a real detector whole pictures of one person, as challenges are
// shown, for tests of a whole post: it answers what is asked or something else.
//
// Lengths are in eye distances (63 mm) of the person at hand, x to the right of
// the image, y down, z away from the camera.
package liveness

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
)

type vec struct{ x, y, z float64 }

func (a vec) plus(b vec) vec                       { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) minus(b vec) vec                      { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) times(k float64) vec                  { return vec{k * a.x, k * a.y, k * a.z} }
func (a vec) dot(b vec) float64                    { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) unit() vec                            { return a.times(1 / math.Sqrt(a.dot(a))) }
func (a vec) cross(b vec) vec                      { return vec{a.y*b.z - a.z*b.y, a.z*b.x - a.x*b.z, a.x*b.y - a.y*b.x} }
func between(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// turn is a rotation about the axis by an angle in radians (Rodrigues).
type turn struct {
	axis  vec
	angle float64
}

func (t turn) of(v vec) vec {
	sin, cos := math.Sincos(t.angle)
	return v.times(cos).plus(t.axis.cross(v).times(sin)).plus(t.axis.times(t.axis.dot(v) * (1 - cos)))
}

func (t turn) back(v vec) vec { return turn{t.axis, -t.angle}.of(v) }

// head is a generated person: an ellipsoid with five points before it.
type head struct {
	radius vec        // of the ellipsoid
	centre vec        // of it, from between the inner eye corners
	points [5]vec     // as pad.Frame.Points
	skin   [3]float64 // reflectance
	hair   float64    // eye distances above the eyes
	iris   float64    // reflectance
}

// seenDepth is what a real detector shows of the depth of outer eye corners,
// which it expects where most faces have them: measured with the product's on
// whole pictures (device/biometric/pad/README.md).
const seenDepth = 0.45

// newHead draws a person: proportions of adults with their spread.
func newHead(r *rand.Rand) head {
	h := head{
		radius: vec{between(r, 1.05, 1.2), between(r, 1.75, 1.95), between(r, 1.45, 1.75)},
		hair:   between(r, 0.7, 1.1),
	}
	h.centre = vec{0, 0.45, h.radius.z * 0.93}
	// 11 mm in a skull; a real detector's idea of a face lets it see less than half.
	outer := seenDepth * between(r, 0.13, 0.21)
	slant := between(r, -0.02, 0.02)
	h.points = [5]vec{
		{between(r, 0.71, 0.75), -slant, outer}, {between(r, 0.25, 0.29), slant, 0},
		{between(r, -0.75, -0.71), -slant, outer}, {between(r, -0.29, -0.25), slant, 0},
		{between(r, -0.02, 0.02), between(r, 0.62, 0.78), -between(r, 0.24, 0.36)},
	}
	tone := between(r, 0.12, 0.6) // all tones of skin
	h.skin = [3]float64{tone, tone * between(r, 0.68, 0.8), tone * between(r, 0.5, 0.68)}
	h.iris = tone * between(r, 0.08, 0.4) // dark in dark skin, light in some light
	return h
}

// eyeHigh is half the height of an open eye.
const eyeHigh = 0.085

// reflect is the reflectance at a place of the frontal picture of the head; shut
// is how far down the lids are, from 0 to 1. Lashes hang from a lid's lower edge.
func (h *head) reflect(x, y, shut float64) [3]float64 {
	edge := eyeHigh * (2*shut - 1)
	switch {
	case y < -h.hair:
		return [3]float64{0.05, 0.04, 0.04}
	case shut > 0 && math.Abs(math.Abs(x)-0.5) < 0.19 && math.Abs(y-edge) < 0.012:
		return [3]float64{0.05, 0.04, 0.04}
	case y > edge && math.Hypot((math.Abs(x)-0.5)/0.2, y/eyeHigh) < 1:
		switch d := math.Hypot(math.Abs(x)-0.5, y); {
		case d < 0.03: // the pupil
			return [3]float64{0.01, 0.01, 0.01}
		case d < 0.085:
			return [3]float64{h.iris, h.iris, h.iris}
		}
		return [3]float64{0.5, 0.5, 0.5}
	case math.Abs(x) < 0.38 && math.Abs(y-1.12) < 0.08:
		return [3]float64{h.skin[0] * 0.8, h.skin[1] * 0.5, h.skin[2] * 0.55}
	}
	return h.skin
}

// room is the place: light, distance, camera.
type room struct {
	ambient  float64 // light from all sides, where the full screen gives the face 1
	distance float64 // screen to face, eye distances
	wide     float64 // between the centres of the screen's halves
	above    float64 // camera above the screen's middle
	behind   float64 // background behind the face
	wall     float64 // its reflectance
	focal    float64 // in picture widths
	lag      time.Duration
	noise    float64 // standard deviation, grey levels
	jitter   float64 // of eye corners from frame to frame, eye distances; four times that of the nose
	// bias is the detector's error in each of three poses (right, ahead, left),
	// which stays while the pose does.
	bias [3][5]patch.Point
}

func newRoom(r *rand.Rand) room {
	o := room{
		ambient:  1 / between(r, 0.15, 0.9), // the full screen gives 15 to 90 % of the room's light
		distance: between(r, 5.5, 12.7),     // 35 to 80 cm
		wide:     between(r, 3.2, 4.8),      // halves of a screen 40 to 60 cm wide
		above:    between(r, 2.4, 3.2),
		behind:   between(r, 12, 50), // 75 cm to 3 m
		wall:     between(r, 0.2, 0.8),
		focal:    between(r, 0.7, 1.0),
		lag:      time.Duration(between(r, 40, 240)) * time.Millisecond,
		noise:    between(r, 1, 3),
		jitter:   between(r, 0.002, 0.005), // 0.003 measured
	}
	for pose := range o.bias {
		for i := range o.bias[pose] {
			x, y := eyeBias, eyeBias
			if i == 4 {
				x, y = noseBias, noseHeightBias
			}
			o.bias[pose][i] = patch.Point{X: x * r.NormFloat64(), Y: y * r.NormFloat64()}
		}
	}
	return o
}

// Standard deviations of a real detector's points between pictures of one
// person, eye distances, as measured on LFW and ORL.
const (
	eyeBias        = 0.009
	noseBias       = 0.04
	noseHeightBias = 0.05
)

// light is what of the screen is lit, 0 or 1 a half, left and right of the
// image: the person's left half stands at the right of the image.
type light struct{ left, right float64 }

func lightOf(c pad.Cue) light {
	switch c {
	case pad.Full:
		return light{1, 1}
	case pad.LightLeft:
		return light{0, 1}
	case pad.LightRite:
		return light{1, 0}
	}
	return light{}
}

// shade is the light that falls on a surface at p with normal n, in units in
// which the full screen gives the face about 1.
func (o *room) shade(p, n vec, l light) float64 {
	// The camera is the origin; the screen hangs below it in the plane z = 0.
	unit := o.distance * o.distance / 4
	sum := 0.0
	for _, half := range [...]struct{ side, lit float64 }{{-1, l.left}, {1, l.right}} {
		if half.lit == 0 {
			continue
		}
		// Two emitters a half, each a lambertian piece of the screen.
		for _, at := range [...][2]float64{{0.6, 0.3}, {1.4, -0.3}} {
			from := vec{half.side * at[0] * o.wide / 2, o.above + at[1]*o.wide*0.56, 0}
			way := from.minus(p)
			d2 := way.dot(way)
			way = way.times(1 / math.Sqrt(d2))
			sum += half.lit * unit * max(0, way.dot(n)) * max(0, -way.z) / d2
		}
	}
	return o.ambient + sum
}

// tones is sRGB's tone curve at 1,024 steps of linear light.
var tones = func() (t [1025]float64) {
	for i := range t {
		if v := float64(i) / 1024; v > 0.0031308 {
			t[i] = 255 * (1.055*math.Pow(v, 1/2.4) - 0.055)
		} else {
			t[i] = 255 * 12.92 * v
		}
	}
	return t
}()

// encode is the grey level of linear light from 0 to 1.
func encode(v float64) float64 {
	v = 1024 * max(0, min(1, v))
	i := min(1023, int(v))
	return tones[i] + (v-float64(i))*(tones[i+1]-tones[i])
}
