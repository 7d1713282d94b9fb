package main

import "github.com/watchpost/watchpost/device/biometric/quality"

// componentJSON is one quality measure.
type componentJSON struct {
	Name      string         `json:"name,omitempty"` // the standard's
	Value     float64        `json:"value"`          // 0 to 100
	Native    float64        `json:"native"`
	Unit      string         `json:"unit"`
	Threshold *thresholdJSON `json:"threshold,omitempty"`
	Advice    string         `json:"advice,omitempty"` // text key, where a bound is not kept
}

// thresholdJSON bounds the native value; a bound that there is not is absent.
type thresholdJSON struct {
	Min    *float64 `json:"min,omitempty"`
	Max    *float64 `json:"max,omitempty"`
	Source string   `json:"source"`
}

// absentJSON says why a measure of the standard is not assessed.
type absentJSON struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

func componentsOf(measures []quality.Measure) map[string]componentJSON {
	out := make(map[string]componentJSON, len(measures))
	for _, m := range measures {
		c := componentJSON{Value: m.Value, Native: m.Native, Unit: m.Unit}
		if r, ok := quality.RuleOf(m.Name); ok {
			c.Name, c.Advice = r.Standard, r.AdviceFor(m, measures)
			if r.Bounded {
				c.Threshold = &thresholdJSON{Source: r.Source}
				if low := r.Low; low > -quality.Unbounded {
					c.Threshold.Min = &low
				}
				if high := r.High; high < quality.Unbounded {
					c.Threshold.Max = &high
				}
			}
		}
		out[m.Name] = c
	}
	return out
}

func absentOf(measures []quality.Measure) map[string]absentJSON {
	out := make(map[string]absentJSON)
	for _, r := range quality.NotAssessed(measures) {
		out[r.Name] = absentJSON{r.Standard, r.Needs}
	}
	return out
}
