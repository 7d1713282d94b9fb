// Package face turns the cosine of two face templates into a score that can
// be compared across people.
package face

import (
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
)

const (
	// cohortTop is how many of the cohort, the ones most like a template,
	// say how common that template's region of the space is.
	cohortTop = 50
	// cohortPrior is the size at which a cohort's own statistics for a
	// template weigh as much as the average over the cohort. Measured on LFW
	// folds 1 and 2 with cohorts of 100 to 790 images; not sensitive.
	cohortPrior = 300
	// cohortSample bounds the members from which the average is taken: its
	// error falls with the root of their number, its cost grows with it.
	cohortSample = 256
)

// MostShift is how far Likeness may move a cosine. On LFW folds 1 and 2, with
// 422 people each for the others, 0.005 to 0.02 all keep the false match rate
// stated for plain cosines and lower the misses; not sensitive.
const MostShift = 0.01

// Cohort normalises scores by how alike each of the two templates is to the
// people of a cohort, none of whom is either of the two (adaptive symmetric
// normalisation; Matějka et al., Interspeech 2017). A template that is alike
// to many scores lower against all.
//
// A small cohort says little about one template. Its statistics are therefore
// shrunk towards the cohort's average, for which the normalised score is the
// plain cosine: the score stays on the scale of the cosine, whatever the size
// of the cohort, and an empty cohort changes nothing.
//
// The cohort is best of one picture a person: where people have several, those
// like one of them have its pictures alone for neighbours. With one each, and
// templates on either side that are not of the cohort, a threshold that was set
// for plain cosines lets through at most as many strangers (0.5 to 0.9 times
// the rate stated, between 1e-2 and 1e-5, LFW).
//
// A Cohort is safe for concurrent use.
type Cohort struct {
	members []template.Face
	average spread
	weight  float64 // of a template's own statistics, 0 to 1
}

// spread is the mean and standard deviation of the top scores.
type spread struct{ mean, deviation float64 }

// NewCohort returns a normaliser over members, which it keeps. They must be of
// one model and version.
func NewCohort(members []template.Face) (*Cohort, error) {
	c := &Cohort{members: members}
	for i := range members {
		if members[i].Model != members[0].Model || members[i].Version != members[0].Version {
			return nil, template.ErrModel
		}
	}
	n := min(len(members), cohortSample)
	if len(members) < 3 {
		return c, nil // no deviation without two others
	}
	for i := range n {
		s, err := c.spread(&members[i*len(members)/n], []int{i * len(members) / n})
		if err != nil {
			return nil, err
		}
		c.average.mean += s.mean / float64(n)
		c.average.deviation += s.deviation / float64(n)
	}
	if c.average.deviation > 1e-6 {
		c.weight = float64(len(members)) / float64(len(members)+cohortPrior)
	}
	return c, nil
}

// Subject is a template with its place in the cohort, to be scored often.
type Subject struct {
	t *template.Face
	s spread
}

// Members returns how many templates the cohort has.
func (c *Cohort) Members() int { return len(c.members) }

// Place measures t against the cohort, but for members by their index: those
// that show whoever t is to be compared with.
func (c *Cohort) Place(t *template.Face, but ...int) (Subject, error) {
	if c.weight == 0 {
		return Subject{t: t}, nil
	}
	s, err := c.spread(t, but)
	if err != nil {
		return Subject{}, err
	}
	w := c.weight
	return Subject{t, spread{
		w*s.mean + (1-w)*c.average.mean,
		w*s.deviation + (1-w)*c.average.deviation,
	}}, nil
}

// Score returns the normalised cosine of two subjects; higher is more alike.
// It is on the scale of the cosine and may leave -1 to 1.
func (c *Cohort) Score(a, b Subject) (float64, error) {
	if a.t == nil || b.t == nil {
		return 0, fault.New("face.subject", "a subject that was not placed")
	}
	s, err := template.Cosine(a.t, b.t)
	if err != nil {
		return s, err
	}
	return c.normal(s, a, b), nil
}

// Likeness is Score with template.Likeness in place of the cosine, moved by at
// most MostShift, to be read by a calibration for single pictures. Between
// strangers the cohort moves a score by less; far above, where mates are, it
// would move by its own error, many times over, what is beyond doubt.
func (c *Cohort) Likeness(a, b Subject) (float64, error) {
	if a.t == nil || b.t == nil {
		return 0, fault.New("face.subject", "a subject that was not placed")
	}
	s, err := template.Likeness(a.t, b.t)
	if err != nil {
		return s, err
	}
	return max(s-MostShift, min(s+MostShift, c.normal(s, a, b))), nil
}

// normal normalises the score s of two subjects that were placed.
func (c *Cohort) normal(s float64, a, b Subject) float64 {
	if c.weight == 0 {
		return s
	}
	z := (s-a.s.mean)/a.s.deviation/2 + (s-b.s.mean)/b.s.deviation/2
	return c.average.mean + c.average.deviation*z
}

// spread returns the statistics of t's top scores; members by their index are
// left out.
func (c *Cohort) spread(t *template.Face, but []int) (spread, error) {
	if t.Model != c.members[0].Model || t.Version != c.members[0].Version {
		return spread{}, template.ErrModel
	}
	scores := make([]float64, 0, len(c.members))
	for i := range c.members {
		if !slices.Contains(but, i) {
			scores = append(scores, float64(kernel.Dot(&t.Vector, &c.members[i].Vector)))
		}
	}
	slices.Sort(scores)
	top := scores[max(0, len(scores)-cohortTop):]
	var out spread
	for _, s := range top {
		out.mean += s / float64(len(top))
	}
	for _, s := range top {
		out.deviation += (s - out.mean) * (s - out.mean) / float64(len(top))
	}
	out.deviation = math.Sqrt(out.deviation)
	return out, nil
}
