package liveness

import (
	"image"
	"math"
	"math/rand/v2"

	"github.com/watchpost/watchpost/device/biometric/patch"
)

// Size of the pictures, pixels. Only the places that are looked at are rendered.
const (
	width  = 384
	height = 288
)

// target is what stands before the camera: it tells where a ray meets it.
type target interface {
	// hit returns the place of the frontal picture that a ray meets, the point
	// in space and the normal there; ok is false where it passes.
	hit(ray vec) (x, y float64, at, normal vec, ok bool)
	// point returns where one of the five points lies in space.
	point(i int) vec
}

// solid is a head, or a mask of its form.
type solid struct {
	head
	pose turn
	at   vec // of the middle between the inner eye corners
}

func (s *solid) point(i int) vec { return s.at.plus(s.pose.of(s.points[i])) }

func (s *solid) hit(ray vec) (x, y float64, at, normal vec, ok bool) {
	// In the head's own axes, scaled so that the ellipsoid is a sphere.
	scale := func(v vec) vec { return vec{v.x / s.radius.x, v.y / s.radius.y, v.z / s.radius.z} }
	from := scale(s.pose.back(s.at.times(-1)).minus(s.centre))
	way := scale(s.pose.back(ray))
	a, b, c := way.dot(way), from.dot(way), from.dot(from)-1
	d := b*b - a*c
	if d < 0 {
		return 0, 0, at, normal, false
	}
	k := (-b - math.Sqrt(d)) / a
	if k <= 0 {
		return 0, 0, at, normal, false
	}
	at = ray.times(k)
	own := s.pose.back(at.minus(s.at))
	p := own.minus(s.centre)
	normal = s.pose.of(vec{p.x / (s.radius.x * s.radius.x), p.y / (s.radius.y * s.radius.y), p.z / (s.radius.z * s.radius.z)}).unit()
	// A frontal picture shows what lies before the ears.
	return own.x, own.y, at, normal, own.z < s.centre.z
}

// sheet is a picture of a head: flat, or bent about an upright axis with a
// radius. It carries the head's frontal picture, a little beyond its outline.
type sheet struct {
	head
	pose   turn
	at     vec
	radius float64 // of the bend, 0 flat
}

// halfWide and halfHigh are the sides of a sheet, which shows some of its own
// background.
const halfWide, halfHigh = 2.6, 3.0

// fold is where a place of the sheet lies before it is turned.
func (s *sheet) fold(x, y float64) vec {
	if s.radius == 0 {
		return vec{x, y, 0}
	}
	sin, cos := math.Sincos(x / s.radius)
	return vec{s.radius * sin, y, s.radius * (1 - cos)}
}

func (s *sheet) point(i int) vec {
	// A photograph was taken from far enough to flatten the face.
	p := s.fold(s.points[i].x, s.points[i].y)
	if s.radius > 0 && (i == 0 || i == 2) { // the outer corners of the eyes
		inner := s.fold(s.points[i+1].x, s.points[i+1].y)
		p.z = inner.z + seenDepth*(p.z-inner.z)
	}
	return s.at.plus(s.pose.of(p))
}

func (s *sheet) hit(ray vec) (x, y float64, at, normal vec, ok bool) {
	from, way := s.pose.back(s.at.times(-1)), s.pose.back(ray)
	if s.radius == 0 {
		if way.z == 0 {
			return 0, 0, at, normal, false
		}
		k := -from.z / way.z
		p := from.plus(way.times(k))
		return p.x, p.y, ray.times(k), s.pose.of(vec{0, 0, -1}), k > 0 && math.Abs(p.x) < halfWide && math.Abs(p.y-0.3) < halfHigh
	}
	// A cylinder about the axis x = 0, z = radius; the near side.
	fx, fz := from.x, from.z-s.radius
	a, b, c := way.x*way.x+way.z*way.z, fx*way.x+fz*way.z, fx*fx+fz*fz-s.radius*s.radius
	d := b*b - a*c
	if d < 0 || a == 0 {
		return 0, 0, at, normal, false
	}
	k := (-b - math.Sqrt(d)) / a
	p := from.plus(way.times(k))
	x = s.radius * math.Atan2(p.x, s.radius-p.z)
	n := vec{p.x / s.radius, 0, (p.z - s.radius) / s.radius}
	return x, p.y, ray.times(k), s.pose.of(n), k > 0 && math.Abs(x) < min(halfWide, 1.5*s.radius) && math.Abs(p.y-0.3) < halfHigh
}

// glow is what a surface sends out by itself, nil for none.
type glow func(x, y float64) [3]float64

// looked are the places that challenges look at.
var looked = [...]patch.Region{patch.LeftCheek, patch.RightCheek, patch.LeftEye, patch.RightEye, patch.LeftBackground, patch.RightBackground}

// scene is one moment before the camera.
type scene struct {
	*room
	target target
	who    *head
	light  light
	shut   float64 // how far down the lids are, 0 to 1
	own    glow
}

// view renders the places that are looked at; the rest stays black.
func (s *scene) view(r *rand.Rand, axes patch.Axes) patch.Picture {
	p := patch.Picture{Pix: make([]byte, 3*width*height), Width: width, Height: height, Stride: 3 * width}
	exposure := 0.75 / (s.ambient + 1)
	// The wall is lit by the room as the face is, by the screen from farther.
	wall := exposure * s.wall * s.shade(vec{0, 0, s.distance + s.behind}, vec{0, 0, -1}, s.light)
	done := make([]bool, width*height)
	for _, place := range looked {
		area := bounds(axes, place)
		for v := area.Min.Y; v < area.Max.Y; v++ {
			for u := area.Min.X; u < area.Max.X; u++ {
				if done[v*width+u] {
					continue
				}
				done[v*width+u] = true
				c := s.pixel(u, v, exposure, wall)
				for k := range c {
					p.Pix[3*(v*width+u)+k] = byte(max(0, min(255, encode(c[k])+s.noise*r.NormFloat64()+0.5)))
				}
			}
		}
	}
	return p
}

// pixel is the linear light of a pixel.
func (s *scene) pixel(u, v int, exposure, wall float64) [3]float64 {
	f := s.focal * width
	ray := vec{(float64(u) + 0.5 - width/2) / f, (float64(v) + 0.5 - height/2) / f, 1}
	x, y, at, normal, ok := s.target.hit(ray)
	if !ok {
		return [3]float64{wall, wall, wall}
	}
	fall := exposure * s.shade(at, normal, s.light)
	if s.own != nil {
		c := s.own(x, y)
		for k := range c {
			c[k] += 0.04 * fall // glass gives little back
		}
		return c
	}
	surface := [3]float64{0.45, 0.45, 0.48} // the picture's own background
	if (x*x)/(s.who.radius.x*s.who.radius.x)+(y-0.45)*(y-0.45)/(s.who.radius.y*s.who.radius.y) < 1 {
		surface = s.who.reflect(x, y, s.shut)
	}
	return [3]float64{surface[0] * fall, surface[1] * fall, surface[2] * fall}
}

// bounds are the pixels around a place, within the picture.
func bounds(a patch.Axes, r patch.Region) image.Rectangle {
	area := image.Rectangle{}
	for i, c := range [...]patch.Point{a.At(r.MinX, r.MinY), a.At(r.MaxX, r.MinY), a.At(r.MinX, r.MaxY), a.At(r.MaxX, r.MaxY)} {
		one := image.Rect(int(c.X)-1, int(c.Y)-1, int(c.X)+2, int(c.Y)+2)
		if i == 0 {
			area = one
		}
		area = area.Union(one)
	}
	return area.Intersect(image.Rect(0, 0, width, height))
}

// project returns the five points as a detector would find them on a face that
// is turned by yaw.
func (o *room) project(r *rand.Rand, t target, yaw float64) (points [5]patch.Point) {
	f := o.focal * width
	bias := &o.bias[1]
	switch {
	case yaw > held:
		bias = &o.bias[2]
	case yaw < -held:
		bias = &o.bias[0]
	}
	for i := range points {
		at, jitter := t.point(i), o.jitter
		if i == 4 {
			jitter *= 4
		}
		size := f / at.z // pixels of an eye distance there
		points[i] = patch.Point{
			X: width/2 + f*at.x/at.z + (bias[i].X+jitter*r.NormFloat64())*size,
			Y: height/2 + f*at.y/at.z + (bias[i].Y+jitter*r.NormFloat64())*size,
		}
	}
	return points
}

// held is the turn from which on a pose is another, radians.
const held = 0.12
