package finger

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/watchpost/watchpost/hwtest/gen/prints"
)

// Positions of a person's ten fingers: ISO/IEC 19794-4:2011, table 5.
const (
	First = 1  // right thumb
	Last  = 10 // left little finger
)

// Touch is how a finger is laid down.
type Touch string

// Touches.
const (
	Good    Touch = "good"
	Dry     Touch = "dry"
	Wet     Touch = "wet"
	Rotated Touch = "rotated"
	Shifted Touch = "shifted"
	Partial Touch = "partial" // too little of it to enrol
)

var conditions = map[Touch]prints.Condition{
	Good:    {X: 4, Y: -6, Rotation: 3, Distortion: 1.2, Noise: 0.1, Area: 0.95},
	Dry:     {X: -6, Y: 5, Rotation: -4, Pressure: -0.9, Distortion: 1.5, Noise: 0.35, Area: 0.9},
	Wet:     {X: 5, Y: 8, Rotation: 5, Pressure: 0.9, Distortion: 2.5, Noise: 0.2, Area: 0.95},
	Rotated: {X: 3, Y: 4, Rotation: 28, Distortion: 1.5, Noise: 0.15, Area: 0.95},
	Shifted: {X: 62, Y: -48, Rotation: 4, Distortion: 1.5, Noise: 0.15, Area: 0.95},
	Partial: {X: 0, Y: 0, Rotation: 2, Pressure: -0.4, Distortion: 1.2, Noise: 0.5, Area: 0.3},
}

// Touches lists them all.
func Touches() []Touch {
	all := make([]Touch, 0, len(conditions))
	for t := range conditions {
		all = append(all, t)
	}
	slices.Sort(all)
	return all
}

// Person has ten fingers that nobody else has. It is safe for concurrent use.
type Person struct {
	seed  uint64
	cache string

	mu      sync.Mutex
	masters map[int]*prints.Master // guarded by mu, by position; grown when first needed
}

// NewPerson returns the person of a seed. Growing a finger takes seconds, so
// its prints are kept as pictures in the folder cache, "" = nowhere.
func NewPerson(seed uint64, cache string) *Person {
	return &Person{seed: seed, cache: cache, masters: map[int]*prints.Master{}}
}

// CacheDir is where prints are kept between runs:
// ${XDG_CACHE_HOME:-$HOME/.cache}/watchpost/prints, "" where there is no home.
func CacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "watchpost", "prints")
}

// form changes whenever the same person would get other prints.
const form = 1

// Print is a touch of one finger as a sensor of prints.DPI sees it; the same
// person, position, touch and time give the same picture.
func (p *Person) Print(position int, touch Touch, time uint64) (*image.Gray, error) {
	condition, ok := conditions[touch]
	if !ok || position < First || position > Last {
		return nil, fmt.Errorf("no touch %q of finger %d", touch, position)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	path := filepath.Join(p.cache, fmt.Sprintf("%d-%d-%d-%s-%d.png", form, p.seed, position, touch, time))
	if kept, ok := load(path); ok && p.cache != "" {
		return kept, nil
	}
	master := p.masters[position]
	if master == nil {
		master = prints.NewMaster(p.seed*16 + uint64(position))
		p.masters[position] = master
	}
	made := master.Impression(condition, p.seed*1009+uint64(position)*31+time)
	if p.cache != "" {
		if err := keep(path, made); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// load reads a kept print; one that is damaged counts as not kept.
func load(path string) (*image.Gray, bool) {
	file, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer file.Close()
	picture, err := png.Decode(file)
	grey, ok := picture.(*image.Gray)
	return grey, err == nil && ok && grey.Rect == image.Rect(0, 0, prints.Width, prints.Height)
}

// keep writes the file whole or not at all: several programs share the folder.
func keep(path string, picture *image.Gray) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".print")
	if err != nil {
		return err
	}
	if err := errors.Join(png.Encode(file, picture), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}
