package config

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"time"
)

// Kind of a source.
type Kind string

// Kinds of source.
const (
	KindDevice Kind = "device" // a V4L2 node, /dev/video0
	KindVideo  Kind = "video"  // a file that FFmpeg plays
	KindImages Kind = "images" // pictures of a folder in order of their names, or one picture
)

// Source is one camera of the configuration.
type Source struct {
	ID     string  `yaml:"id"`     // of the device; letters, digits, '-', '_', '.', ':'
	Kind   Kind    `yaml:"kind"`   // device, video or images
	Path   string  `yaml:"path"`   // absolute
	Width  int     `yaml:"width"`  // pixels asked of a device, 0 = its own choice
	Height int     `yaml:"height"` // pixels asked of a device, 0 = its own choice
	FPS    float64 `yaml:"fps"`    // frames a second at most; 0 = 30
	Loop   bool    `yaml:"loop"`   // begin again at the end; otherwise the camera is lost there
	// FrozenAfter is the time of identical frames after which the camera counts
	// as frozen, in seconds; 0 = 2 for device and video, never for images.
	FrozenAfter float64 `yaml:"frozen_after"`
}

const (
	// DefaultFPS paces a source that names no rate, frames a second.
	DefaultFPS = 30
	// DefaultFrozen: a sensor's noise differs from frame to frame; two seconds of
	// bit-identical frames are a driver or a cable that hangs.
	DefaultFrozen = 2 * time.Second
	// MaxSide bounds width and height, pixels.
	MaxSide = 1 << 14
)

var identifier = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// Check refuses what cannot work; the error names the field.
func (s Source) Check() error {
	switch {
	case !identifier.MatchString(s.ID):
		return fmt.Errorf("camera id %q: letters, digits, '-', '_', '.' and ':', at most 64", s.ID)
	case s.Kind != KindDevice && s.Kind != KindVideo && s.Kind != KindImages:
		return fmt.Errorf("camera %s: kind %q, one of device, video, images", s.ID, s.Kind)
	case !filepath.IsAbs(s.Path):
		return fmt.Errorf("camera %s: path must be absolute", s.ID)
	case s.Width < 0 || s.Width > MaxSide || s.Height < 0 || s.Height > MaxSide:
		return fmt.Errorf("camera %s: width and height are 0 to %d pixels", s.ID, MaxSide)
	case math.IsNaN(s.FPS) || s.FPS < 0 || s.FPS > 240:
		return fmt.Errorf("camera %s: fps is 0 to 240", s.ID)
	case math.IsNaN(s.FrozenAfter) || s.FrozenAfter < 0 || s.FrozenAfter > 3600:
		return fmt.Errorf("camera %s: frozen_after is 0 to 3600 seconds", s.ID)
	}
	return nil
}

// Frozen returns the time of identical frames after which the source counts as
// frozen, 0 = never.
func (s Source) Frozen() time.Duration {
	switch {
	case s.FrozenAfter > 0:
		return time.Duration(s.FrozenAfter * float64(time.Second))
	case s.Kind == KindImages:
		return 0
	}
	return DefaultFrozen
}
