// Package lists makes watchlist content of any size for benches and tests:
// synthetic face templates and document numbers, all invented and labelled as
// such.
package lists

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/watchpost/watchpost/device/biometric/template"
)

// Faces draws synthetic face templates around given ones, so that a gallery of
// them is as crowded as a real one where the given ones lie.
//
// The model is a cone: a mean direction plus Gaussian noise with a falling
// spectrum. Its two constants come from statistics of dlib templates of LFW
// (shared notes on faces, section 3 and 4, 2026): the first 32 of 128 principal
// axes hold 77 % of the variance, 64 hold 97 %, and two different people lie
// at a cosine of about 0.85. Nothing is fitted to pictures here and nothing of
// it decides about anybody: the vectors only fill a list.
type Faces struct {
	model, version string
	mean           [template.FaceDimensions]float64
	axes           [template.FaceDimensions]float64 // standard deviation along each axis
	rng            *rand.Rand
}

// between is the expected cosine of two different people.
const between = 0.85

// NewFaces returns a generator around the mean of centre, which must not be
// empty.
func NewFaces(centre []template.Face, seed uint64) (*Faces, error) {
	mean, err := template.Mean(centre)
	if err != nil {
		return nil, fmt.Errorf("middle of the synthetic faces: %w", err)
	}
	g := &Faces{model: mean.Model, version: mean.Version, rng: rand.New(rand.NewPCG(seed, 0xface))}
	sum := 0.0
	for i := range g.axes {
		g.mean[i] = float64(mean.Vector[i])
		// exp(-i/k) with k = 21.8 puts 77 % into the first 32 axes.
		g.axes[i] = math.Exp(-float64(i) / 21.8)
		sum += g.axes[i]
	}
	// Noise energy e gives an expected cosine of 1/(1+e).
	energy := 1/between - 1
	perm := g.rng.Perm(len(g.axes))
	spread := g.axes
	for i, p := range perm {
		g.axes[p] = math.Sqrt(energy * spread[i] / sum)
	}
	return g, nil
}

// Next draws one template.
func (g *Faces) Next() template.Face {
	f := template.Face{Model: g.model, Version: g.version, Images: 1}
	var v [template.FaceDimensions]float64
	length := 0.0
	for i := range v {
		v[i] = g.mean[i] + g.axes[i]*g.rng.NormFloat64()
		length += v[i] * v[i]
	}
	length = math.Sqrt(length)
	for i := range v {
		f.Vector[i] = float32(v[i] / length)
	}
	return f
}

// DocumentNumber returns the n-th of a seed's invented document numbers, nine
// characters of the machine readable zone.
func DocumentNumber(seed, n uint64) string {
	rng := rand.New(rand.NewPCG(seed, n))
	const letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
	return fmt.Sprintf("%c%c%07d", letters[rng.IntN(len(letters))], letters[rng.IntN(len(letters))], rng.IntN(10_000_000))
}
