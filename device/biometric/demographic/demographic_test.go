package demographic

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// people makes mated and non-mated comparisons of subjects in two groups, the
// second with scores of strangers higher by shift.
func people(each int, shift float64, seed uint64) []Comparison {
	rng := rand.New(rand.NewPCG(seed, 1))
	var out []Comparison
	for s := range 2 * each {
		group, more := "a", 0.0
		if s >= each {
			group, more = "b", shift
		}
		for range 3 {
			out = append(out, Comparison{s, s, group, group, 3 + rng.NormFloat64()})
		}
		for o := range s {
			if (o >= each) == (s >= each) {
				out = append(out, Comparison{o, s, group, group, more + rng.NormFloat64()})
			} else {
				out = append(out, Comparison{o, s, "a", group, rng.NormFloat64() - 1})
			}
		}
	}
	return out
}

func TestGroupsAreToldApart(t *testing.T) {
	all := people(80, 1, 4)
	r, err := Measure(all, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Groups) != 2 || r.Groups[0].Name != "a" || r.Groups[1].Name != "b" {
		t.Fatalf("groups %+v", r.Groups)
	}
	a, b := r.Groups[0], r.Groups[1]
	// Normal scores: 2.3 % of strangers of a pass 2, 15.9 % of b; 15.9 % of mates miss it.
	if a.FMR.High > 0.05 || b.FMR.Low < 0.10 || a.FMR.High >= b.FMR.Low {
		t.Errorf("FMR of a %+v, of b %+v", a.FMR, b.FMR)
	}
	for _, g := range r.Groups {
		if g.Subjects != 80 || g.FNMR.Of != 240 || g.FMR.Of != 80*79/2 {
			t.Errorf("%s: %d subjects, %d mated, %d other", g.Name, g.Subjects, g.FNMR.Of, g.FMR.Of)
		}
		if g.FNMR.Low > 0.159 || g.FNMR.High < 0.159 {
			t.Errorf("%s: FNMR %+v does not hold 0.159", g.Name, g.FNMR)
		}
	}
	if r.All.FMR.Of != 160*159/2 || r.All.Subjects != 160 {
		t.Errorf("all: %+v", r.All)
	}
}

// The interval holds the truth about as often as it says. 60 draws at 95 %
// leave 57, standard deviation 1.7.
func TestIntervalCovers(t *testing.T) {
	held := 0
	const draws = 60
	for seed := range uint64(draws) {
		r, err := Measure(people(25, 0, seed), 1.5)
		if err != nil {
			t.Fatal(err)
		}
		if f := r.Groups[0].FMR; f.Low <= 0.0668 && 0.0668 <= f.High { // share of a normal above 1.5
			held++
		}
	}
	if held < 50 {
		t.Errorf("the interval of 95 %% holds the truth in %d of %d", held, draws)
	}
}

func TestNothingSeenIsNotZero(t *testing.T) {
	var all []Comparison
	for s := range 10 {
		all = append(all, Comparison{s, s, "a", "a", 1})
	}
	r, err := Measure(all, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	g := r.Groups[0]
	if g.FNMR.Value != 0 || g.FNMR.High < 0.2 {
		t.Errorf("no miss among 10 people: %+v", g.FNMR)
	}
	if g.FMR.Of != 0 || g.FMR.Low != 0 || g.FMR.High != 1 {
		t.Errorf("no stranger compared: %+v", g.FMR)
	}
	if _, err := Measure(nil, 0); !errors.Is(err, ErrNoComparison) {
		t.Errorf("nothing: %v", err)
	}
}

func TestHold(t *testing.T) {
	all := people(60, 1, 9)
	held := Hold(all, 2, 0.02)
	r, err := Measure(all, held)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for _, g := range r.Groups {
		worst = max(worst, g.FMR.Value)
	}
	if held <= 2 || worst > 0.02 || worst < 0.015 {
		t.Errorf("held at %.2f the worst group has FMR %.4f, want just under 0.02", held, worst)
	}
	if got := Hold(all, 99, 0.02); got != 99 {
		t.Errorf("a threshold high enough was changed to %v", got)
	}
}
