package main

import (
	"encoding/json"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/quality"
)

// A component says its standard name, its bounds and what helps; what is not
// there is listed with the reason, and nothing is in both.
func TestComponentsSayWhatTheyAre(t *testing.T) {
	measures := []quality.Measure{{Name: "inter_eye_distance", Value: 10, Native: 20, Unit: "px"}, {Name: "head_pose_roll", Value: 100, Native: 1, Unit: "degree"}, {Name: "of_a_later_engine", Value: 3}}
	got := componentsOf(measures)
	eyes := got["inter_eye_distance"]
	if eyes.Name != "InterEyeDistance" || eyes.Advice != quality.AdviceCloser || eyes.Threshold == nil || *eyes.Threshold.Min != 38 || eyes.Threshold.Max != nil || eyes.Threshold.Source == "" {
		t.Errorf("%+v", eyes)
	}
	if roll := got["head_pose_roll"]; roll.Advice != "" || roll.Threshold.Max == nil {
		t.Errorf("%+v", roll)
	}
	if later := got["of_a_later_engine"]; later.Threshold != nil || later.Name != "" || later.Value != 3 {
		t.Errorf("%+v", later)
	}
	absent := absentOf(measures)
	for name := range got {
		if _, both := absent[name]; both {
			t.Errorf("%s is measured and not assessable", name)
		}
	}
	for name, a := range absent {
		if a.Name == "" || a.Reason == "" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if len(absent) != len(quality.Rules())-2 {
		t.Errorf("%d not assessable", len(absent))
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
}
