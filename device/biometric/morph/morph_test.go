package morph

import (
	"math"
	"testing"
)

func TestZone(t *testing.T) {
	const threshold = 0.928
	last := threshold
	for frames := 1; frames <= 6; frames++ {
		z := ZoneOf(threshold, frames)
		if z.Low != threshold || z.High < last {
			t.Errorf("%d frames: %+v after %v", frames, z, last)
		}
		last = z.High
		for score, want := range map[float64]bool{
			threshold: true, math.Nextafter(threshold, 0): false, z.High: false, math.Nextafter(z.High, 0): true,
			1: false, -1: false, math.NaN(): false, math.Inf(1): false,
		} {
			if z.Suspicious(score) != want {
				t.Errorf("%d frames, score %v: %v", frames, score, !want)
			}
		}
	}
}

// A stricter comparison than the zone leaves nothing between, and neither do
// frames that were not taken.
func TestEmptyZone(t *testing.T) {
	for name, z := range map[string]Zone{
		"strict": ZoneOf(0.99, 3), "no frames": ZoneOf(0.928, 0), "fewer than none": ZoneOf(0.928, -1), "impossible": ZoneOf(2, 3),
	} {
		for score := -1.0; score <= 1; score += 0.001 {
			if z.Suspicious(score) {
				t.Errorf("%s: %v is suspicious in %+v", name, score, z)
			}
		}
	}
}
