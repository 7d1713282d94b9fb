package face

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
)

// crowd is n templates scattered around a common direction, as faces are: the
// angle to it is about spread.
func crowd(seed uint64, n int, spread float64) []template.Face {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]template.Face, n)
	for i := range out {
		f := template.Face{Model: "m", Version: "1", Images: 1}
		f.Vector[0] = 1
		sum := 1.0
		for k := 1; k < len(f.Vector); k++ {
			v := r.NormFloat64() * spread / math.Sqrt(127)
			f.Vector[k] = float32(v)
			sum += v * v
		}
		for k := range f.Vector {
			f.Vector[k] /= float32(math.Sqrt(sum))
		}
		out[i] = f
	}
	return out
}

func score(t *testing.T, c *Cohort, a, b *template.Face) float64 {
	t.Helper()
	x, err := c.Place(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := c.Place(b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Score(x, y)
	if err != nil || math.IsNaN(s) || math.IsInf(s, 0) {
		t.Fatalf("score %v, %v", s, err)
	}
	back, err := c.Score(y, x)
	if err != nil || math.Abs(s-back) > 1e-12 {
		t.Errorf("%v one way, %v the other", s, back)
	}
	return s
}

func TestSmallCohortChangesNothing(t *testing.T) {
	faces := crowd(1, 10, 0.5)
	for n := range 3 {
		c, err := NewCohort(crowd(2, n, 0.5))
		if err != nil {
			t.Fatal(err)
		}
		want, _ := template.Cosine(&faces[0], &faces[1])
		if got := score(t, c, &faces[0], &faces[1]); got != want {
			t.Errorf("cohort of %d: %v, cosine %v", n, got, want)
		}
	}
	same := make([]template.Face, 20)
	for i := range same {
		same[i] = faces[5]
	}
	c, err := NewCohort(same)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := template.Cosine(&faces[0], &faces[1])
	if got := score(t, c, &faces[0], &faces[1]); got != want {
		t.Errorf("a cohort of one face twenty times: %v, cosine %v", got, want)
	}
}

// The scale is kept: over many pairs the mean score is the mean cosine.
func TestScaleIsKept(t *testing.T) {
	faces := crowd(3, 60, 0.5)
	for _, n := range []int{5, 50, 400} {
		c, err := NewCohort(crowd(4, n, 0.5))
		if err != nil {
			t.Fatal(err)
		}
		var plain, normal float64
		for i := 0; i+1 < len(faces); i += 2 {
			s, _ := template.Cosine(&faces[i], &faces[i+1])
			plain += s / 30
			normal += score(t, c, &faces[i], &faces[i+1]) / 30
		}
		if math.Abs(plain-normal) > 0.02 {
			t.Errorf("cohort of %d moves the mean from %v to %v", n, plain, normal)
		}
	}
}

// A face that is alike to everybody loses against one that is not, at the
// same cosine.
func TestCommonFaceScoresLower(t *testing.T) {
	c, err := NewCohort(crowd(5, 500, 0.5))
	if err != nil {
		t.Fatal(err)
	}
	at := func(a, b float64) *template.Face {
		f := &template.Face{Model: "m", Version: "1", Images: 1}
		f.Vector[0], f.Vector[1] = float32(math.Cos(a)), float32(math.Sin(a)*math.Cos(b))
		f.Vector[2] = float32(math.Sin(a) * math.Sin(b))
		return f
	}
	common := score(t, c, at(0.1, 0), at(-0.1, 0)) // about the centre
	rare := score(t, c, at(0.9, 0), at(1.1, 0))    // far from everybody
	if common >= rare {
		t.Errorf("common %v, rare %v", common, rare)
	}
}

func TestCohortRefuses(t *testing.T) {
	mixed := crowd(6, 4, 0.5)
	mixed[2].Version = "2"
	if _, err := NewCohort(mixed); !errors.Is(err, template.ErrModel) {
		t.Errorf("two models in a cohort: %v", err)
	}
	c, err := NewCohort(crowd(6, 10, 0.5))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Place(&mixed[2]); !errors.Is(err, template.ErrModel) {
		t.Errorf("a probe of another model: %v", err)
	}
	if _, err := c.Score(Subject{}, Subject{}); fault.CodeOf(err) != "face.subject" {
		t.Errorf("nobody scored: %v", err)
	}
}

// Whoever a template is compared with must not stand in its own cohort.
func TestPlacedWithoutSomebody(t *testing.T) {
	crowd := crowd(8, 200, 0.5)
	c, err := NewCohort(crowd)
	if err != nil || c.Members() != 200 {
		t.Fatal(c.Members(), err)
	}
	with, err := c.Place(&crowd[3])
	if err != nil {
		t.Fatal(err)
	}
	without, err := c.Place(&crowd[3], 3)
	if err != nil {
		t.Fatal(err)
	}
	if without.s.mean >= with.s.mean || without.s.deviation >= with.s.deviation {
		t.Errorf("with itself %+v, without %+v", with.s, without.s)
	}
}

func TestLikenessOfMeansIsNormalisedToo(t *testing.T) {
	faces := crowd(9, 6, 0.5)
	mean, err := template.Mean(faces[:3])
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 300} {
		c, err := NewCohort(crowd(10, n, 0.5))
		if err != nil {
			t.Fatal(err)
		}
		a, err := c.Place(&mean)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Place(&faces[5])
		if err != nil {
			t.Fatal(err)
		}
		cosine, err1 := c.Score(a, b)
		likeness, err2 := c.Likeness(a, b)
		if err1 != nil || err2 != nil || !(likeness < cosine) {
			t.Errorf("cohort of %d: likeness %v, cosine %v of a mean of three", n, likeness, cosine)
		}
		if _, err := c.Likeness(a, Subject{}); fault.CodeOf(err) != "face.subject" {
			t.Errorf("nobody: %v", err)
		}
	}
}
