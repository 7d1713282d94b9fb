// Package config is the configuration of the devices role: a YAML file in which
// unknown keys are refused, and the allow-list of sources that a camera may be.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"

	"github.com/watchpost/watchpost/device/fault"
)

// Config is the whole file.
type Config struct {
	Cameras   []Source  `yaml:"cameras"`
	Fingers   []Sensor  `yaml:"fingers"`
	Smartcard Smartcard `yaml:"smartcard"`
}

// Smartcard configures chip readers.
type Smartcard struct {
	Off bool `yaml:"off"` // do not look for readers
}

const (
	configLimit = 1 << 20 // bytes
	maxCameras  = 16
)

// Load reads a configuration; "" is the default one. Errors have the
// code config.invalid and name the key.
func Load(path string) (Config, error) {
	if path == "" {
		return Config{}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return Config{}, fault.Wrap("config.invalid", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, configLimit+1))
	if err != nil {
		return Config{}, fault.Wrap("config.invalid", err)
	}
	if len(data) > configLimit {
		return Config{}, fault.New("config.invalid", "%s is longer than %d bytes", path, configLimit)
	}
	c, err := Parse(data)
	if err != nil {
		return Config{}, fault.Wrap("config.invalid", fmt.Errorf("%s: %w", path, err))
	}
	return c, nil
}

// Parse reads the YAML form; the error names the key.
func Parse(data []byte) (Config, error) {
	var c Config
	decoder := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict(), yaml.DisallowUnknownField())
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, errors.New(yaml.FormatError(err, false, false))
	}
	if len(c.Cameras) > maxCameras {
		return Config{}, fmt.Errorf("cameras: %d, at most %d", len(c.Cameras), maxCameras)
	}
	seen := map[string]bool{}
	for _, source := range c.Cameras {
		if err := source.Check(); err != nil {
			return Config{}, err
		}
		if seen[source.ID] {
			return Config{}, fmt.Errorf("camera id %q twice", source.ID)
		}
		seen[source.ID] = true
	}
	if err := checkSensors(c.Fingers, seen); err != nil {
		return Config{}, err
	}
	return c, nil
}
