package demo

import (
	"fmt"
	"image"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/portrait"
)

// Sitter is one of the two persons whose portraits come with packages.
type Sitter struct {
	Name  string
	file  string // in the folder of portraits
	face  image.Rectangle
	frame image.Rectangle // what the live camera sees of the picture
}

// The man of gocv's sample picture and the astronaut of scikit-image. The
// crops leave out the astronaut's suit, whose patch looks like a face to some
// detectors.
var (
	Man       = Sitter{"man", "face.jpg", image.Rect(170, 20, 530, 480), image.Rect(0, 0, 640, 480)}
	Astronaut = Sitter{"astronaut", "astronaut.png", image.Rect(120, 0, 340, 280), image.Rect(60, 0, 400, 255)}
)

// listPhotograph is another capture of the man.
const listPhotograph = "face-detect.jpg"

// framesPerScene is how many different frames a live camera loops over.
const framesPerScene = 8

// Portraits loads pictures and makes captures of them.
type Portraits struct{ Dir string }

func (p Portraits) load(name string) (image.Image, error) {
	img, err := portrait.Load(filepath.Join(p.Dir, name))
	if err != nil {
		return nil, fault.New("portraits.missing", "%w", err).WithHint("make deps fetches the portraits")
	}
	return img, nil
}

// OnChip makes the picture that a passport office would have put on the chip:
// a derived capture, 413 by 531 pixels as Doc 9303 recommends for DG2.
func (p Portraits) OnChip(s Sitter) ([]byte, error) {
	img, err := p.load(s.file)
	if err != nil {
		return nil, err
	}
	return portrait.Derive(img, portrait.Change{Crop: s.face, Width: 413, Height: 531, Rotation: 1.5, Gamma: 0.92, Quality: 80}, 1)
}

// Scene writes the frames that a camera sees of a person into a fresh folder
// of dir: derived captures with small movements and sensor noise.
func (p Portraits) Scene(dir string, s Sitter) (string, error) {
	img, err := p.load(s.file)
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "scene-"+s.Name)
	if err := os.MkdirAll(out, 0o700); err != nil {
		return "", fmt.Errorf("make a scene: %w", err)
	}
	for i := range framesPerScene {
		phase := float64(i) - framesPerScene/2
		frame, err := portrait.Derive(img, portrait.Change{
			Crop: s.frame, Width: 640, Height: 480, Rotation: phase * 0.8, Shift: image.Pt(i%3*3, i%2*4),
			Gamma: 1 + phase*0.02, Noise: 3, Quality: 90,
		}, uint64(i))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(out, fmt.Sprintf("%03d.jpg", i)), frame, 0o600); err != nil {
			return "", fmt.Errorf("write a frame: %w", err)
		}
	}
	return out, nil
}
