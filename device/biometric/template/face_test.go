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
