package template

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// axis is a template along one or two axes, angle in radians.
func axis(angle float64) Face {
	f := Face{Model: "m", Version: "1", Images: 1}
	f.Vector[0], f.Vector[1] = float32(math.Cos(angle)), float32(math.Sin(angle))
	return f
}

func TestCosine(t *testing.T) {
	for _, angle := range []float64{0, 0.1, 1, math.Pi / 2, math.Pi} {
		a, b := axis(0.3), axis(0.3+angle)
		got, err := Cosine(&a, &b)
		if err != nil || math.Abs(got-math.Cos(angle)) > 1e-6 {
			t.Errorf("angle %v: %v, %v", angle, got, err)
		}
	}
	a, b := axis(0), axis(0)
	b.Version = "2"
	if _, err := Cosine(&a, &b); !errors.Is(err, ErrModel) {
		t.Errorf("two versions compared: %v", err)
	}
}

func TestMean(t *testing.T) {
	m, err := Mean([]Face{axis(0), axis(0.2)})
	if err != nil || m.Images != 2 || m.Check() != nil {
		t.Fatalf("%v %v %v", m.Images, err, m.Check())
	}
	want := axis(0.1)
	if c, _ := Cosine(&m, &want); c < 1-1e-6 {
		t.Errorf("the mean lies off the middle: %v", c)
	}
	heavy, err := Mean([]Face{m, axis(0.4)})
	if err != nil || heavy.Images != 3 {
		t.Fatal(heavy.Images, err)
	}
	if third := axis(0.2); true {
		if c, _ := Cosine(&heavy, &third); c < 1-1e-3 {
			t.Errorf("a mean of two does not weigh twice: %v", c)
		}
	}
	if _, err := Mean(nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("mean of nothing: %v", err)
	}
	if _, err := Mean([]Face{axis(0), axis(math.Pi)}); fault.CodeOf(err) != "template.length" {
		t.Errorf("opposite templates: %v", err)
	}
	other := axis(0)
	other.Model = "n"
	if _, err := Mean([]Face{axis(0), other}); !errors.Is(err, ErrModel) {
		t.Errorf("two models averaged: %v", err)
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, change := range map[string]func(*Face){
		"long":     func(f *Face) { f.Vector[5] = 0.1 },
		"zero":     func(f *Face) { f.Vector = [FaceDimensions]float32{} },
		"nan":      func(f *Face) { f.Vector[9] = float32(math.NaN()) },
		"inf":      func(f *Face) { f.Vector[9] = float32(math.Inf(1)) },
		"no model": func(f *Face) { f.Model = "" },
		"images":   func(f *Face) { f.Images = 0 },
	} {
		f := axis(0.3)
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		change(&f)
		if f.Check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestRedacts(t *testing.T) {
	if s := fmt.Sprintf("%v %+v", axis(0), axis(0)); s != "face template (redacted) face template (redacted)" {
		t.Error(s)
	}
}

// The likeness of two means is the mean cosine between their pictures.
func TestLikenessOfMeans(t *testing.T) {
	left, right := []Face{axis(0), axis(0.4), axis(0.5)}, []Face{axis(1.0), axis(1.3)}
	want := 0.0
	for i := range left {
		for j := range right {
			c, _ := Cosine(&left[i], &right[j])
			want += c / 6
		}
	}
	a, err := Mean(left)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Mean(right)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Likeness(&a, &b)
	if err != nil || math.Abs(got-want) > 1e-6 {
		t.Errorf("likeness %v, %v, want %v", got, err, want)
	}
	// A mean of means is the mean of all.
	two, _ := Mean(left[:2])
	again, err := Mean([]Face{two, left[2]})
	if err != nil || math.Abs(again.Agreement-a.Agreement) > 1e-6 {
		t.Errorf("agreement %v of a mean of a mean, %v of all at once", again.Agreement, a.Agreement)
	}
	// Who does not say how the pictures agree is not believed more.
	b.Agreement = 0
	if unsaid, _ := Likeness(&a, &b); unsaid > got {
		t.Errorf("unsaid %v, said %v", unsaid, got)
	}
	one, other := axis(0), axis(0.3)
	c, _ := Cosine(&one, &other)
	if l, _ := Likeness(&one, &other); l != c {
		t.Errorf("one picture each: likeness %v, cosine %v", l, c)
	}
	if opposite := axis(math.Pi); true {
		if l, _ := Likeness(&one, &opposite); l > -0.999 {
			t.Errorf("opposite templates: %v", l)
		}
	}
}

func TestMeansOfTwoModels(t *testing.T) {
	old, next := axis(0), axis(1)
	next.Model = "next"
	second := axis(0.2)
	means, err := Means([]Face{old, next, second})
	if err != nil || len(means) != 2 || means[0].Images != 2 || means[0].Model != "m" || means[1].Model != "next" {
		t.Fatalf("%d means, %v", len(means), err)
	}
	if Of(means, "next", "1") != &means[1] || Of(means, "next", "2") != nil || Of(nil, "m", "1") != nil {
		t.Error("a template of another model or version was found")
	}
	if _, err := Means(nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
	bad := axis(0)
	for _, agreement := range []float64{-0.1, 1.1, math.NaN()} {
		bad.Agreement = agreement
		if fault.CodeOf(bad.Check()) != "template.agreement" {
			t.Errorf("agreement %v: %v", agreement, bad.Check())
		}
	}
}
