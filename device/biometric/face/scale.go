package face

import (
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
)

// Bounds of a scale.
const (
	// MaxScale is how many members a scale is made of at most: half a million
	// pairs, a quarter of a second.
	MaxScale = 1000
	// MinScale is how many it needs.
	MinScale = 100
	// tailPairs is how many pairs must lie above a score for its rate to
	// count as measured: its error is then under a fifth.
	tailPairs = 30
)

// Scale brings normalised scores back to the scale of the cosine by rate: a
// normalised score stands for the cosine that as many pairs of different
// members of the cohort reach. What is calibrated for cosines, the false match
// rate above all, then holds for normalised scores too, without a constant of
// ours; it would not without: normalising lengthens the tail (two to eight
// times as many false matches at one threshold, measured on LFW).
//
// A Scale is safe for concurrent use.
type Scale struct {
	cohort *Cohort
	knots  []knot // rising in both
}

type knot struct{ normalised, cosine float64 }

// NewScale returns a scale over members, which it keeps: templates of
// different people, one each, of one model and version. nil, and no error,
// where they are too few to measure a tail.
func NewScale(members []template.Face) (*Scale, error) {
	if len(members) < MinScale {
		return nil, nil
	}
	members = members[:min(len(members), MaxScale)]
	c, err := NewCohort(members)
	if err != nil || c.weight == 0 {
		return nil, err
	}
	placed := make([]Subject, len(members))
	for i := range members {
		if placed[i], err = c.Place(&members[i], i); err != nil {
			return nil, err
		}
	}
	n := len(members) * (len(members) - 1) / 2
	cosines, normalised := make([]float64, 0, n), make([]float64, 0, n)
	for i := range placed {
		for j := i + 1; j < len(placed); j++ {
			s := float64(kernel.Dot(&members[i].Vector, &members[j].Vector))
			cosines, normalised = append(cosines, s), append(normalised, c.normal(s, placed[i], placed[j]))
		}
	}
	slices.Sort(cosines)
	slices.Sort(normalised)
	s := &Scale{cohort: c}
	for above := n / 10; above >= tailPairs; above = above * 2 / 3 {
		k := knot{normalised[n-1-above], cosines[n-1-above]}
		if last := len(s.knots) - 1; last >= 0 && (k.normalised <= s.knots[last].normalised || k.cosine <= s.knots[last].cosine) {
			continue // many alike: synthetic templates
		}
		s.knots = append(s.knots, k)
	}
	if len(s.knots) < 2 {
		return nil, nil
	}
	return s, nil
}

// Members returns how many templates the scale was made of.
func (s *Scale) Members() int { return s.cohort.Members() }

// Place measures t against the cohort, but for members by their index.
func (s *Scale) Place(t *template.Face, but ...int) (Subject, error) { return s.cohort.Place(t, but...) }

// Score returns the cosine that the normalised likeness of two subjects stands
// for. Above what the cohort's pairs measure it is the likeness itself, but
// never below the end of what was measured: there, nothing supports more.
func (s *Scale) Score(a, b Subject) (float64, error) {
	if a.t == nil || b.t == nil {
		return 0, fault.New("face.subject", "a subject that was not placed")
	}
	likeness, err := template.Likeness(a.t, b.t)
	if err != nil {
		return 0, err
	}
	return s.read(s.cohort.normal(likeness, a, b), likeness), nil
}

func (s *Scale) read(normalised, likeness float64) float64 {
	first, last := s.knots[0], s.knots[len(s.knots)-1]
	switch {
	case math.IsNaN(normalised):
		return -1
	case normalised <= first.normalised:
		return max(-1, first.cosine-(first.normalised-normalised))
	case normalised >= last.normalised:
		return max(last.cosine, likeness)
	}
	i, _ := slices.BinarySearchFunc(s.knots, normalised, func(k knot, at float64) int {
		if k.normalised <= at {
			return -1
		}
		return 1
	})
	a, b := s.knots[i-1], s.knots[i]
	return a.cosine + (normalised-a.normalised)/(b.normalised-a.normalised)*(b.cosine-a.cosine)
}
