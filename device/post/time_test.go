package post

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/clock"
	"github.com/watchpost/watchpost/device/screening"
)

// answering is a screener that gives one answer.
type answering screening.Answer

func (a answering) Screen(context.Context, screening.Question, func(screening.Reply)) screening.Result {
	return screening.Result{Answer: screening.Answer(a)}
}

// TestNoClearWithoutAClock: while the clock is wrong nothing is called clear,
// candidates stay candidates, and once it is right clear is clear again.
func TestNoClearWithoutAClock(t *testing.T) {
	wall := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c := clock.New(func() time.Time { return wall })
	for _, k := range []struct {
		name  string
		jump  time.Duration
		given screening.Answer
		want  screening.Answer
		told  bool
	}{
		{name: "right", given: screening.Clear, want: screening.Clear},
		{name: "back", jump: -time.Hour, given: screening.Clear, want: screening.NotVerified, told: true},
		{name: "back, a candidate", given: screening.Candidates, want: screening.Candidates, told: true},
		{name: "back, nothing known", given: screening.Unknown, want: screening.Unknown, told: true},
		{name: "right again", jump: 2 * time.Hour, given: screening.Clear, want: screening.Clear},
	} {
		c.Now()
		wall = wall.Add(k.jump)
		res := timely{answering(k.given), c}.Screen(t.Context(), screening.Question{}, nil)
		if told := slices.Contains(res.Missing, "clock: clock.back"); res.Answer != k.want || told != k.told {
			t.Errorf("%s: the answer is %s, missing %v", k.name, res.Answer, res.Missing)
		}
	}
}
