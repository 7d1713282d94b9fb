package config

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strings"
)

// Sensor is one fingerprint sensor of the configuration.
type Sensor struct {
	ID string `yaml:"id"` // of the device; letters, digits, '-', '_', '.', ':'
	// Driver is libfprint's name of the kind of sensor, "uru4000"; one sensor of
	// a kind. A name that begins with "virtual_" is one of its virtual devices.
	Driver string `yaml:"driver"`
	// DPI is the resolution of its images, pixels an inch: libfprint tells it
	// for hardly any sensor, and a wrong one makes every comparison fail.
	DPI float64 `yaml:"dpi"`
	// Slaps says that the sensor is large enough for several fingers at once, the
	// four of a hand or both thumbs: the library tells that of none.
	Slaps bool `yaml:"slaps"`
	// Socket is where a virtual device listens for its feeder; absolute, in a
	// folder of its own.
	Socket string `yaml:"socket"`
}

const (
	virtualPrefix = "virtual_"
	maxSensors    = 8
	// Resolutions that a template can be made of, pixels an inch.
	minDPI, maxDPI = 250, 1100
	// maxSocket is what a unix socket address holds, bytes, with its end.
	maxSocket = 107
)

var driverName = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)

// Virtual says that it is a virtual device of the library.
func (s Sensor) Virtual() bool { return strings.HasPrefix(s.Driver, virtualPrefix) }

// Check refuses what cannot work; the error names the field.
func (s Sensor) Check() error {
	switch {
	case !identifier.MatchString(s.ID):
		return fmt.Errorf("finger sensor id %q: letters, digits, '-', '_', '.' and ':', at most 64", s.ID)
	case !driverName.MatchString(s.Driver):
		return fmt.Errorf("finger sensor %s: driver %q, libfprint's name of one", s.ID, s.Driver)
	case math.IsNaN(s.DPI) || s.DPI < minDPI || s.DPI > maxDPI:
		return fmt.Errorf("finger sensor %s: dpi is %d to %d, as its data sheet says", s.ID, minDPI, maxDPI)
	case s.Virtual() && (!filepath.IsAbs(s.Socket) || len(s.Socket) > maxSocket):
		return fmt.Errorf("finger sensor %s: a virtual device needs an absolute socket of at most %d bytes", s.ID, maxSocket)
	case !s.Virtual() && s.Socket != "":
		return fmt.Errorf("finger sensor %s: socket is for virtual devices", s.ID)
	}
	return nil
}

// checkSensors judges them all; taken are the IDs of other devices.
func checkSensors(sensors []Sensor, taken map[string]bool) error {
	if len(sensors) > maxSensors {
		return fmt.Errorf("fingers: %d, at most %d", len(sensors), maxSensors)
	}
	drivers := map[string]bool{}
	for _, s := range sensors {
		if err := s.Check(); err != nil {
			return err
		}
		if taken[s.ID] {
			return fmt.Errorf("device id %q twice", s.ID)
		}
		if drivers[s.Driver] {
			return fmt.Errorf("finger sensor %s: a second one of driver %s", s.ID, s.Driver)
		}
		taken[s.ID], drivers[s.Driver] = true, true
	}
	return nil
}
