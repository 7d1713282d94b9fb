package retention

import (
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

const hour = time.Hour

// at is a moment: hours of the wall clock after a day, run of the machine,
// hours that it has been up.
func at(wall float64, boot string, up float64) Moment {
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	return Moment{Wall: day.Add(time.Duration(wall * float64(hour))), Boot: boot, Up: time.Duration(up * float64(hour))}
}

// TestClock walks moments; from one to the next of another line the program
// is started anew from what was kept.
func TestClock(t *testing.T) {
	for _, c := range []struct {
		name string
		runs [][]Moment
		want float64 // hours
	}{
		{"time passes", [][]Moment{{at(0, "a", 1), at(5, "a", 6)}}, 5},
		{"set forwards while running", [][]Moment{{at(0, "a", 1), at(1000, "a", 2)}}, 1},
		{"set back while running", [][]Moment{{at(0, "a", 1), at(-1000, "a", 73)}}, 72},
		{"program restarted", [][]Moment{{at(0, "a", 1)}, {at(3, "a", 4)}}, 3},
		{"program restarted and the clock set forwards", [][]Moment{{at(0, "a", 1)}, {at(3000, "a", 4)}}, 3},
		{"program restarted and the clock set back", [][]Moment{{at(0, "a", 1)}, {at(-3000, "a", 4)}}, 3},
		{"machine off for two days", [][]Moment{{at(0, "a", 1), at(1, "a", 2)}, {at(49, "b", 0)}}, 49},
		{"clock lost while off", [][]Moment{{at(0, "a", 1), at(1, "a", 2)}, {at(-9000, "b", 0), at(-8997, "b", 3)}}, 4},
		{"clock lost while off, set right later", [][]Moment{{at(0, "a", 1), at(1, "a", 2)}, {at(-9000, "b", 0), at(-8997, "b", 3), at(50, "b", 4)}}, 50},
		{"lost over two starts, set right in the second", [][]Moment{{at(0, "a", 1)}, {at(-9000, "b", 0), at(-8999, "b", 1)}, {at(-9000, "c", 0), at(20, "c", 1)}}, 20},
		{"set right to less than has run", [][]Moment{{at(0, "a", 1)}, {at(-9000, "b", 0), at(5, "b", 10)}}, 10},
		{"a run that nothing identifies", [][]Moment{{at(0, "", 0), at(2, "", 0), at(1, "", 0)}}, 2},
		{"no time passes", [][]Moment{{at(0, "a", 1), at(0, "a", 1)}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var state []byte
			var got, last int64
			for _, run := range c.runs {
				clock, err := Resume(state, run[0])
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range run {
					if got = clock.Now(m); got < last {
						t.Fatalf("retention time went back from %d to %d", last, got)
					}
					last = got
				}
				if state, err = clock.State(); err != nil {
					t.Fatal(err)
				}
			}
			if want := int64(c.want * 3600); got != want {
				t.Errorf("%d s have passed, want %d", got, want)
			}
		})
	}
}

func TestDamagedState(t *testing.T) {
	for _, raw := range []string{"", "x", "[]", `{"elapsed":-1}`} {
		if _, err := Resume([]byte(raw), at(0, "a", 1)); fault.CodeOf(err) != "retention.clock" {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestMachine(t *testing.T) {
	a := Machine(time.Now())
	b := Machine(time.Now())
	if a.Boot == "" || a.Boot != b.Boot || b.Up < a.Up || a.Up <= 0 {
		t.Errorf("%+v, then %+v", a, b)
	}
}
