// Package knocks holds the knocks that a post takes in a day: devices that go,
// cards torn off, wrong keys, covered lenses, damaged files. Its tests run the
// product's own programs against real parts and hold that each knock ends in a
// clear line with a code and a hint, that nothing is lost and nothing hangs.
//
// What it exports are the scenes that no portrait gives by itself.
package knocks

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"

	"golang.org/x/image/draw"

	"github.com/watchpost/watchpost/hwtest/gen/portrait"
)

// Size of what the live camera sees, pixels.
const (
	width  = 640
	height = 480
)

// Plain is a picture of one grey level, 0 black to 255 white: a lens that is
// covered, a wall.
func Plain(level uint8) image.Image {
	img := image.NewGray(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.Gray{Y: level}), image.Point{}, draw.Src)
	return img
}

// Beside puts two portraits into one picture, each on its half.
func Beside(left, right image.Image) (image.Image, error) {
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for i, one := range []image.Image{left, right} {
		raw, err := portrait.Derive(one, portrait.Change{Width: width / 2, Height: height, Gamma: 1, Quality: 95}, 1)
		if err != nil {
			return nil, err
		}
		half, err := jpeg.Decode(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("decode one half: %w", err)
		}
		draw.Draw(out, image.Rect(i*width/2, 0, (i+1)*width/2, height), half, image.Point{}, draw.Src)
	}
	return out, nil
}

// framesPerScene is how many different frames the camera loops over.
const framesPerScene = 6

// Scene writes frames of a picture into the folder dir, with sensor noise of
// the given deviation in grey levels, so that they are not one frozen frame.
func Scene(dir string, img image.Image, noise float64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make a scene: %w", err)
	}
	for i := range framesPerScene {
		frame, err := portrait.Derive(img, portrait.Change{Width: width, Height: height, Gamma: 1, Noise: noise, Quality: 90}, uint64(i))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.jpg", i)), frame, 0o600); err != nil {
			return fmt.Errorf("write a frame: %w", err)
		}
	}
	return nil
}
