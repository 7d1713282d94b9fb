package local

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// minutiae are those of a made-up finger.
func minutiae(seed uint64) []finger.Minutia {
	r := rand.New(rand.NewPCG(seed, 11))
	all := make([]finger.Minutia, 38)
	for i := range all {
		all[i] = finger.Minutia{X: 300 * r.Float32(), Y: 380 * r.Float32(), Angle: 2 * math.Pi * r.Float32(), Kind: finger.KindEnding, Quality: 60}
	}
	return all
}

// iso is an impression of a finger, moved, as a record.
func iso(t testing.TB, seed uint64, position, shift int) []byte {
	t.Helper()
	all := minutiae(seed)
	for i := range all {
		all[i].X += float32(shift)
	}
	b, err := finger.MarshalISO([]finger.View{{Template: finger.NewTemplate(340, 400, all), Position: uint8(position)}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withFingers is a person with both index fingers.
func withFingers(t testing.TB, i int) *record.Record {
	p := person(i, "m")
	for k, position := range []int{2, 7} {
		p.Fingers = append(p.Fingers, record.Finger{
			Position: position, Format: record.MinutiaeISO19794, Template: iso(t, uint64(10*i+k), position, 0), Impress: record.PressedLive,
		})
	}
	return p
}

func printed(t testing.TB, n int) []*record.Record {
	out := make([]*record.Record, n)
	for i := range out {
		out[i] = withFingers(t, i)
	}
	return out
}

// shown asks by prints: finger k of person i at a position.
func shown(t testing.TB, fingers ...[3]int) screening.Question {
	var q screening.Question
	for _, f := range fingers {
		q.Fingers = append(q.Fingers, screening.FingerProbe{
			Position: f[2], Template: iso(t, uint64(10*f[0]+f[1]), f[2], 9), Quality: 70,
		})
	}
	return q
}

func TestFingers(t *testing.T) {
	expired := withFingers(t, 300)
	yesterday := start.Add(-24 * time.Hour)
	expired.Expires = &yesterday
	list, _ := load(t, "bench", append(printed(t, 40), expired, person(301, "m"))...)
	s := newSource(t, list)
	bad := shown(t, [3]int{7, 0, 2}, [3]int{7, 1, 7})
	bad.Fingers[1].Template = bad.Fingers[1].Template[:20]
	withheld := shown(t, [3]int{7, 0, 2})
	withheld.Withheld = map[screening.Modality]string{screening.Finger: "minor"}
	for _, c := range []struct {
		name   string
		q      screening.Question
		record string
		alarm  bool
		lacks  string
	}{
		{"both index fingers", shown(t, [3]int{7, 0, 2}, [3]int{7, 1, 7}), "P-7", true, ""},
		{"both, positions unknown", shown(t, [3]int{7, 1, 0}, [3]int{7, 0, 0}), "P-7", true, ""},
		{"one finger never alarms", shown(t, [3]int{7, 0, 2}), "P-7", false, ""},
		{"one finger shown twice never alarms", shown(t, [3]int{7, 0, 0}, [3]int{7, 0, 0}), "P-7", false, ""},
		{"one finger fits, the other is a stranger's", shown(t, [3]int{7, 0, 2}, [3]int{900, 1, 7}), "P-7", false, ""},
		{"at the wrong hand", shown(t, [3]int{7, 0, 7}, [3]int{7, 1, 2}), "", false, ""},
		{"stranger", shown(t, [3]int{900, 0, 2}, [3]int{900, 1, 7}), "", false, ""},
		{"record that has run out", shown(t, [3]int{300, 0, 2}, [3]int{300, 1, 7}), "", false, ""},
		{"one of two cannot be read", bad, "P-7", false, "finger.record"},
		{"withheld", withheld, "", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := s.Ask(ctx, c.q)
			if err != nil {
				t.Fatal(err)
			}
			if why := r.Coverage[0].NotAsked[screening.Finger]; why != c.lacks {
				t.Errorf("not asked: %q, want %q", why, c.lacks)
			}
			if c.record == "" {
				if len(r.Candidates) != 0 {
					t.Errorf("found %+v", r.Candidates)
				}
				return
			}
			if len(r.Candidates) != 1 {
				t.Fatalf("%d candidates", len(r.Candidates))
			}
			got := r.Candidates[0]
			if got.Record != c.record || got.Alarm != c.alarm {
				t.Errorf("record %s, alarm %v", got.Record, got.Alarm)
			}
			for _, sc := range got.Scores {
				if sc.Modality != screening.Finger || sc.FMR <= 0 || sc.FPIR < sc.FMR || sc.FPIR > 1e-3 {
					t.Errorf("score %+v", sc)
				}
			}
		})
	}
}

// A record that holds one finger several times, at one position or without,
// is still one finger, however often it is shown.
func TestAttackOneFingerHeldTwice(t *testing.T) {
	twice := func(id, position int) *record.Record {
		p := person(id, "m")
		for k := range 2 {
			p.Fingers = append(p.Fingers, record.Finger{
				Position: position, Format: record.MinutiaeISO19794, Template: iso(t, uint64(10*id), position, 3*k), Impress: record.PressedLive,
			})
		}
		return p
	}
	list, _ := load(t, "bench", append(printed(t, 10), twice(60, 2), twice(61, 0))...)
	s := newSource(t, list)
	for name, q := range map[string]screening.Question{
		"position held":    shown(t, [3]int{60, 0, 2}, [3]int{60, 0, 2}),
		"position unknown": shown(t, [3]int{60, 0, 0}, [3]int{60, 0, 0}),
		"record without":   shown(t, [3]int{61, 0, 2}, [3]int{61, 0, 7}),
		"both without":     shown(t, [3]int{61, 0, 0}, [3]int{61, 0, 0}),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := s.Ask(ctx, q)
			if err != nil || len(r.Candidates) != 1 || r.Candidates[0].Alarm {
				t.Errorf("%+v, %v", r.Candidates, err)
			}
		})
	}
}

// A print that cannot be read keeps an answer from being clear.
func TestAttackUnreadablePrintIsNeverClear(t *testing.T) {
	list, _ := load(t, "bench", printed(t, 3)...)
	s := newSource(t, list)
	screener, err := screening.New(screening.Rules{
		Required: []string{Name}, Performed: []screening.Modality{screening.Finger}, MaxListAge: 24 * time.Hour, MaxCandidates: 5,
	}, clock, s)
	if err != nil {
		t.Fatal(err)
	}
	stranger := shown(t, [3]int{900, 0, 2})
	if got := screener.Screen(ctx, stranger, nil); got.Answer != screening.Clear {
		t.Errorf("a stranger: %v, %q", got.Answer, got.Missing)
	}
	for name, record := range map[string][]byte{
		"empty": nil, "cut": stranger.Fingers[0].Template[:30], "noise": []byte(fmt.Sprint(minutiae(3))),
	} {
		t.Run(name, func(t *testing.T) {
			q := screening.Question{Fingers: []screening.FingerProbe{{Position: 2, Template: record}}}
			if got := screener.Screen(ctx, q, nil); got.Answer != screening.NotVerified {
				t.Errorf("answer %v, missing %q", got.Answer, got.Missing)
			}
		})
	}
}
