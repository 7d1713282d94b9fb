package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/fault"
)

const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// with is the default policy with a section of presentation attacks.
func with(t *testing.T, section string) (*Policy, error) {
	t.Helper()
	raw, err := Encode(Default(Desk))
	if err != nil {
		t.Fatal(err)
	}
	return Decode(append(raw, section...))
}

func TestPresentationIsRead(t *testing.T) {
	p, err := with(t, `presentation:
  mode: require
  challenges: [turn, flash]
  tries: 3
  benches:
  - challenge: turn
    report: LAB 2027-014
    sha256: `+digest+"\n")
	if err != nil {
		t.Fatal(err)
	}
	r := p.Presentation
	if !r.Wanted() || r.MaxTries() != 3 || !slices.Equal(r.Kinds(true), []pad.Kind{pad.Turn, pad.Flash}) || !slices.Equal(r.Kinds(false), []pad.Kind{pad.Turn}) {
		t.Errorf("%+v", r)
	}
	if b, ok := r.BenchOf(pad.Turn); !ok || b.Report != "LAB 2027-014" {
		t.Errorf("%+v %v", b, ok)
	}
	for _, k := range []pad.Kind{pad.Flash, pad.Blink, pad.KindUnknown} {
		if _, ok := r.BenchOf(k); ok {
			t.Errorf("a bench of turns vouches for %v", k)
		}
	}
	raw, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(raw)
	if err != nil || !slices.Equal(again.Presentation.Challenges, r.Challenges) || !slices.Equal(again.Presentation.Benches, r.Benches) {
		t.Errorf("%v, %+v", err, again)
	}
}

// Every workplace ships without challenges, and an old file means the same.
func TestPresentationIsOff(t *testing.T) {
	for _, w := range []Workplace{Desk, Gate, Field} {
		p := Default(w)
		if p.Presentation.Wanted() || p.PresentationSeverity(inspect.Fail) != Ignore || p.Presentation.MaxTries() != 2 {
			t.Errorf("%s: %+v", w, p.Presentation)
		}
	}
	p, err := with(t, "presentation: {mode: \"off\"}\n")
	if err != nil || p.Presentation.Wanted() {
		t.Errorf("%v", err)
	}
}

func TestPresentationSeverity(t *testing.T) {
	p := Default(Desk)
	for mode, want := range map[PresentationMode][4]Severity{
		PresentationOff:     {Ignore, Ignore, Ignore, Ignore},
		PresentationAdvise:  {Ignore, Notice, Notice, Notice},
		PresentationRequire: {Ignore, Refer, Refer, Refer},
	} {
		p.Presentation = &Presentation{Mode: mode}
		for i, r := range []inspect.Result{inspect.Pass, inspect.Fail, inspect.NotAssessable, inspect.NotPerformed} {
			if got := p.PresentationSeverity(r); got != want[i] {
				t.Errorf("%s, %s: %s, want %s", mode, r, got, want[i])
			}
		}
	}
	if got := p.PresentationSeverity(inspect.Unknown); p.Presentation.Mode == PresentationRequire && got != Refer {
		t.Errorf("unknown weighs %s", got)
	}
	p.Presentation = &Presentation{Mode: PresentationRequire}
	p.Severities[inspect.PresentationAttack] = Weights{NotAssessable: Notice}
	if p.PresentationSeverity(inspect.NotAssessable) != Notice || p.PresentationSeverity(inspect.Fail) != Refer {
		t.Error("severities of the policy do not count")
	}
}

func TestAttackPresentation(t *testing.T) {
	for name, c := range map[string]struct {
		section string
		want    fault.Code
	}{
		"no mode":             {"presentation: {}\n", "policy.presentation"},
		"another mode":        {"presentation: {mode: always}\n", "policy.presentation"},
		"unknown key":         {"presentation: {mode: advise, trust: true}\n", "policy.format"},
		"unknown kind":        {"presentation: {mode: advise, challenges: [smile]}\n", "policy.format"},
		"kind named unknown":  {"presentation: {mode: advise, challenges: [unknown]}\n", "policy.presentation"},
		"kind twice":          {"presentation: {mode: advise, challenges: [turn, turn]}\n", "policy.presentation"},
		"flash alone":         {"presentation: {mode: require, challenges: [flash]}\n", "policy.presentation"},
		"tries below":         {"presentation: {mode: advise, tries: -1}\n", "policy.range"},
		"tries above":         {"presentation: {mode: advise, tries: 6}\n", "policy.range"},
		"bench of nothing":    {"presentation: {mode: require, benches: [{}]}\n", "policy.presentation"},
		"bench without file":  {"presentation: {mode: require, benches: [{challenge: turn, report: R}]}\n", "policy.presentation"},
		"bench without name":  {"presentation: {mode: require, benches: [{challenge: turn, sha256: " + digest + "}]}\n", "policy.presentation"},
		"bench of no kind":    {"presentation: {mode: require, benches: [{report: R, sha256: " + digest + "}]}\n", "policy.presentation"},
		"short digest":        {"presentation: {mode: require, benches: [{challenge: turn, report: R, sha256: e3b0}]}\n", "policy.presentation"},
		"digest of no digits": {"presentation: {mode: require, benches: [{challenge: turn, report: R, sha256: " + strings.Repeat("x", 64) + "}]}\n", "policy.presentation"},
		"endless report":      {"presentation: {mode: require, benches: [{challenge: turn, report: " + strings.Repeat("r", 101) + ", sha256: " + digest + "}]}\n", "policy.presentation"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := with(t, c.section); fault.CodeOf(err) != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}
