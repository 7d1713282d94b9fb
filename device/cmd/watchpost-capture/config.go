package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"

	"github.com/watchpost/watchpost/device/capture/driver/camera"
	"github.com/watchpost/watchpost/device/fault"
)

// config of the devices role.
type config struct {
	Cameras   []camera.Source `yaml:"cameras"`
	Smartcard smartcardConfig `yaml:"smartcard"`
}

type smartcardConfig struct {
	Off bool `yaml:"off"`
}

const (
	configLimit = 1 << 20 // bytes
	maxCameras  = 16
)

// loadConfig reads a configuration; "" is the default one. Errors have the
// code config.invalid and name the key.
func loadConfig(path string) (config, error) {
	if path == "" {
		return config{}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return config{}, fault.Wrap("config.invalid", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, configLimit+1))
	if err != nil {
		return config{}, fault.Wrap("config.invalid", err)
	}
	if len(data) > configLimit {
		return config{}, fault.New("config.invalid", "%s is longer than %d bytes", path, configLimit)
	}
	c, err := parseConfig(data)
	if err != nil {
		return config{}, fault.Wrap("config.invalid", fmt.Errorf("%s: %w", path, err))
	}
	return c, nil
}

func parseConfig(data []byte) (config, error) {
	var c config
	decoder := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict(), yaml.DisallowUnknownField())
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return config{}, errors.New(yaml.FormatError(err, false, false))
	}
	if len(c.Cameras) > maxCameras {
		return config{}, fmt.Errorf("cameras: %d, at most %d", len(c.Cameras), maxCameras)
	}
	seen := map[string]bool{}
	for _, source := range c.Cameras {
		if err := source.Check(); err != nil {
			return config{}, err
		}
		if seen[source.ID] {
			return config{}, fmt.Errorf("camera id %q twice", source.ID)
		}
		seen[source.ID] = true
	}
	return c, nil
}
