package liveness

import (
	"os"
	"reflect"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/pad"
)

// few is what every run has time for: only what never happens is asked of so
// few.
const few = 2

// Flat things never pass a flash or a turn, a second face never passes a turn,
// and a live person is never taken for flat.
func TestSpecies(t *testing.T) {
	rows, err := Run(few, 7, pad.Flash, pad.Turn)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2*len(AllSpecies()) {
		t.Fatalf("%d rows", len(rows))
	}
	again, err := Run(few, 7, pad.Turn)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, rows[len(AllSpecies()):]) {
		t.Error("a seed does not repeat a run")
	}
	for _, r := range rows {
		total := 0
		for _, n := range r.Results {
			total += n
		}
		if total != r.Trials || r.Results[pad.Unknown] != 0 {
			t.Errorf("%v %s: %v of %d", r.Kind, r.Species, r.Results, r.Trials)
		}
		switch r.Species {
		case FlatPrint, ObliquePrint, Swap:
			if n := r.Results[pad.Pass]; n > 0 {
				t.Errorf("%v: %d of %d %s passed", r.Kind, n, r.Trials, r.Species)
			}
		case BonaFide:
			if n := r.Reasons[pad.ReasonFlat]; n > 0 {
				t.Errorf("%v: %d of %d people are flat", r.Kind, n, r.Trials)
			}
		}
	}
}

// TestSoakSpecies: most people pass, and what the challenges cannot do shows,
// too: a solid mask passes flashes and turns as a head does.
func TestSoakSpecies(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: make soak presents more")
	}
	rows, err := Run(40, 7, pad.Flash, pad.Turn, pad.Blink)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		passed := r.Results[pad.Pass]
		t.Logf("simulated: %v, %s: %d of %d passed, %v", r.Kind, r.Species, passed, r.Trials, r.Reasons)
		switch {
		case r.Species == BonaFide && 3*passed < r.Trials,
			r.Species == RigidMask && r.Kind != pad.Blink && 3*passed < r.Trials:
			t.Errorf("%v: %d of %d %s passed", r.Kind, passed, r.Trials, r.Species)
		case r.Species == RigidMask && r.Kind == pad.Blink && 3*passed > r.Trials:
			t.Errorf("%d of %d masks blink", passed, r.Trials)
		}
	}
}
