package encounter

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/screening"
)

func TestWithheldSearches(t *testing.T) {
	for _, c := range []struct {
		age  AgeClass
		born string
		want string
	}{
		{AgeUnknown, "", "age_unknown"},
		{Minor, "", "minor"},
		{Adult, "2010-01-01", "minor"},      // the document knows better than the word
		{Adult, "2008-XX-XX", "minor"},      // may still be seventeen
		{Minor, "1990-XX-XX", ""},           // the document knows better than the word
		{AgeUnknown, "2008-11-21", ""},      // eighteen today
		{AgeUnknown, "2008-11-22", "minor"}, // eighteen tomorrow
		{AgeUnknown, "garbage", "age_unknown"},
	} {
		b := newBench(t)
		b.document.BirthDate = c.born
		e := b.walk(true, c.age)
		q := b.asked[0]
		if q.Withheld[screening.Face] != c.want || (q.Face == nil) != (c.want != "") {
			t.Errorf("declared %s, born %q: withheld %q", c.age, c.born, q.Withheld[screening.Face])
		}
		_ = e
	}
}

func TestLateHit(t *testing.T) {
	b := newBench(t)
	e := b.walk(true, Adult)
	reply := screening.Reply{Source: "central", Candidates: []screening.Candidate{candidate()}}
	b.late(reply)
	e = b.until(e.ID, func(e Encounter) bool { return len(e.Candidates) == 1 })
	if e.Advice.Clear || !e.Candidates[0].Late || e.Answer != screening.Candidates {
		t.Errorf("a late hit does not change the advice: %+v", e.Advice)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted, Reason: "x"}); !errors.Is(err, ErrUndecided) {
		t.Errorf("admitted over a late hit: %v", err)
	}
	b.late(reply) // the same again is no second candidate
	if e, _ := b.post.Get(e.ID); len(e.Candidates) != 1 {
		t.Error("doubled")
	}
}

func TestLateHitAfterTheOutcomeAlarms(t *testing.T) {
	b := newBench(t)
	e := b.walk(true, Adult)
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted}); err != nil {
		t.Fatal(err)
	}
	before := b.post.Events.Last()
	b.late(screening.Reply{Source: "central", Candidates: []screening.Candidate{candidate()}})
	batch, err := b.post.Events.Next(t.Context(), before)
	if err != nil || batch[0].Kind != EventLateHit || !bytes.Contains(batch[0].Data, []byte(`"closed":true`)) ||
		!bytes.Contains(batch[0].Data, []byte(`"opened":"`+e.Opened.Format(time.RFC3339Nano))) {
		t.Errorf("%v %v", batch, err)
	}
}
