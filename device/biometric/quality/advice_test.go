package quality

import (
	"maps"
	"slices"
	"testing"
)

// advised are the advice keys that a picture's measures give, each once, in
// alphabetical order.
func advised(in FaceInput) []string {
	keys := make(map[string]bool)
	all := Face(in).Measures
	for _, m := range all {
		if r, ok := RuleOf(m.Name); ok {
			keys[r.AdviceFor(m, all)] = true
		}
	}
	delete(keys, "")
	return slices.Sorted(maps.Keys(keys))
}

// A picture with one fault gets advice about that fault and no other: weak edges
// of a dark picture are not blur.
func TestAdviceIsAboutTheFault(t *testing.T) {
	base := drawn(80, 0, 0, 0)
	dimmed := func(f float64) FaceInput {
		return painted(base, func(_, _ int, c [3]float64) [3]float64 { return [3]float64{f * c[0], f * c[1], f * c[2]} })
	}
	// A face of plain colours varies little; all else is good.
	always := advised(base)
	if !slices.Equal(always, []string{AdvicePicture}) {
		t.Errorf("a good picture: %q", always)
	}
	for name, c := range map[string]struct {
		in   FaceInput
		want string
	}{
		"dark":           {dimmed(0.2), AdviceLight},
		"very dark":      {dimmed(0.06), AdviceLight},
		"dark, blurred":  {smeared(dimmed(0.2), 4), AdviceLight}, // the light first
		"light, blurred": {smeared(base, 8), AdviceStill},
		"tilted":         {drawn(80, 25, 0, 0), AdviceUpright},
	} {
		got := slices.DeleteFunc(advised(c.in), func(k string) bool { return k == AdvicePicture })
		if !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %q alone", name, got, c.want)
		}
	}
}

// What comes first in a hint: light before pose, light from one side before too
// little of it.
func TestCoachLightFirst(t *testing.T) {
	measure := func(name string, native float64) Measure { return Measure{Name: name, Native: native} }
	yaw, half, dark := measure("head_pose_yaw", -45), measure("illumination_uniformity", 0.05), measure("under_exposure_prevention", 0.5)
	for name, c := range map[string]struct {
		in   []Measure
		want string
	}{
		"dark, points astray": {[]Measure{yaw, dark}, AdviceLight},
		"half dark":           {[]Measure{yaw, dark, half}, AdviceFront},
		"turned":              {[]Measure{yaw, measure("under_exposure_prevention", 0)}, AdviceStraight},
	} {
		if got := Coach(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
