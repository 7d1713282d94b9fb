package quality

import "testing"

// look is what Live makes of a frame in which one measure has a native value
// and the others are good.
func look(name string, native float64) []Looking {
	good := map[string]float64{
		"single_face_present": 1, "inter_eye_distance": 90, "head_size": 0.7, "head_pose_yaw": 0, "head_pose_roll": 0,
		"leftward_crop_of_the_face_image": 2, "rightward_crop_of_the_face_image": 2,
		"under_exposure_prevention": 0, "over_exposure_prevention": 0, "luminance_mean": 0.5, "illumination_uniformity": 0.8, "sharpness": 10,
	}
	if name != "" {
		good[name] = native
	}
	var measures []Measure
	for n, v := range good {
		unit := "ratio"
		if n == "single_face_present" {
			unit = "faces"
		}
		measures = append(measures, Measure{Name: n, Native: v, Unit: unit})
	}
	return Live(measures)
}

// Each measure of a live frame speaks for itself, with its bounds.
func TestLiveMeasures(t *testing.T) {
	for name, c := range map[string]struct {
		native float64
		want   string
	}{
		"single_face_present": {2, AdviceAlone}, "inter_eye_distance": {20, AdviceCloser}, "head_size": {1.4, AdviceFarther},
		"head_pose_yaw": {35, AdviceStraight}, "head_pose_roll": {20, AdviceUpright}, "leftward_crop_of_the_face_image": {0.5, AdviceCentre},
		"under_exposure_prevention": {0.6, AdviceLight}, "over_exposure_prevention": {0.6, AdviceLess}, "luminance_mean": {0.1, AdviceLight},
		"illumination_uniformity": {0.1, AdviceFront}, "sharpness": {1, AdviceStill},
	} {
		var c2 Coaching
		for range settleLooks {
			c2.Next(look(name, c.native))
		}
		if got := c2.Next(look(name, c.native)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, m := range look("", 0) {
		if m.Advice != "" || m.Low > m.High || m.Name == "" {
			t.Errorf("%+v", m)
		}
	}
	if Live(nil) != nil || len(Live([]Measure{{Name: "beauty"}})) != 0 {
		t.Error("measures that are none")
	}
}

// One thing is said at a time, the first that matters.
func TestCoachingSaysTheFirst(t *testing.T) {
	both := look("sharpness", 1)
	for i := range both {
		if both[i].Name == "inter_eye_distance" {
			both[i].Native, both[i].Advice = 20, AdviceCloser
		}
	}
	var c Coaching
	c.Next(both)
	if got := c.Next(both); got != AdviceCloser {
		t.Errorf("%q", got)
	}
}

// What is said stays: one look changes nothing, and a measure at its bound does
// not flicker.
func TestCoachingIsStable(t *testing.T) {
	good, far := look("", 0), look("inter_eye_distance", 37)
	var c Coaching
	for i, l := range [][]Looking{good, far, good, far, good, nil, good, far, nil, good} {
		if got := c.Next(l); got != "" {
			t.Errorf("look %d: %q after a single one", i, got)
		}
	}
	c.Next(far)
	if got := c.Next(far); got != AdviceCloser {
		t.Fatalf("%q", got)
	}
	// Just inside the bound of 38 px is not enough to take it back.
	changes := 0
	for i := range 20 {
		if c.Next(look("inter_eye_distance", 37.5+float64(i%2))) != AdviceCloser {
			changes++
		}
	}
	if changes > 0 {
		t.Errorf("%d changes at the bound", changes)
	}
	c.Next(good)
	if got := c.Next(good); got != "" {
		t.Errorf("%q though all is well", got)
	}
	c.Next(nil)
	if got := c.Next(nil); got != AdviceFace {
		t.Errorf("%q where nobody is", got)
	}
	c.Next(good)
	if got := c.Next(good); got != "" {
		t.Errorf("%q after somebody came", got)
	}
}
