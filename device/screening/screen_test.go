package screening

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// scripted answers after a time with what it was given.
type scripted struct {
	name  string
	after time.Duration
	reply Reply
	err   error
}

func (s *scripted) Name() string { return s.name }

func (s *scripted) Ask(ctx context.Context, _ Question) (Reply, error) {
	select {
	case <-time.After(s.after):
		return s.reply, s.err
	case <-ctx.Done():
		return Reply{}, fault.Wrap("source.cancelled", context.Cause(ctx))
	}
}

func question() Question {
	return Question{Face: &FaceProbe{Frames: 3}, Documents: []DocumentProbe{{Type: "P", Issuer: "UTO", Number: "1"}}, Name: &NameProbe{Primary: "X"}}
}

func covered(list string, edit func(*Coverage)) Coverage {
	c := Coverage{
		List: list, Issued: start.Add(-time.Hour), Records: 5, Shards: 1, Answered: 1,
		Asked: []Modality{Face, Document}, NotAsked: map[Modality]string{Name: "not_performed"},
	}
	if edit != nil {
		edit(&c)
	}
	return c
}

func rules() Rules {
	return Rules{Required: []string{"local"}, Performed: []Modality{Face, Document, Finger}, MaxListAge: 24 * time.Hour, MaxCandidates: 3, LateBy: 30 * time.Second}
}

// Whatever is missing must be said, and nothing missing may look clear.
func TestNothingMissingIsClear(t *testing.T) {
	hit := Candidate{List: "un", Record: "r-1", Edition: 1, Scores: []Score{{Modality: Face, FMR: 1e-6}}}
	one := func(edit func(*Coverage)) Reply { return Reply{Coverage: []Coverage{covered("un", edit)}} }
	for _, c := range []struct {
		name    string
		reply   Reply
		err     error
		after   time.Duration
		rules   func(*Rules)
		ask     func(*Question)
		answer  Answer
		missing []string
	}{
		{name: "whole and empty", reply: one(nil), answer: Clear},
		{name: "name is not demanded yet", reply: one(nil), rules: func(r *Rules) { r.Lists = []string{"un"} }, answer: Clear},
		{name: "name demanded", reply: one(nil), rules: func(r *Rules) { r.Performed = append(r.Performed, Name) }, answer: NotVerified, missing: []string{"local: un name not_performed"}},
		{name: "found", reply: Reply{Candidates: []Candidate{hit}, Coverage: []Coverage{covered("un", nil)}}, answer: Candidates},
		{name: "found on a stale list", reply: Reply{Candidates: []Candidate{hit}, Coverage: []Coverage{covered("un", func(c *Coverage) { c.Stale = true })}}, answer: Candidates, missing: []string{"local: un stale"}},
		{name: "found by a source that then failed", reply: Reply{Candidates: []Candidate{hit}}, err: fault.New("store.damaged", "x"), answer: Candidates, missing: []string{"local: store.damaged"}},
		{name: "stale by age", reply: one(func(c *Coverage) { c.Issued = start.Add(-25 * time.Hour) }), answer: NotVerified, missing: []string{"local: un stale"}},
		{name: "stale by its own word", reply: one(func(c *Coverage) { c.Stale = true }), answer: NotVerified, missing: []string{"local: un stale"}},
		{name: "from the future", reply: one(func(c *Coverage) { c.Issued = start.Add(time.Hour) }), answer: NotVerified, missing: []string{"local: un stale"}},
		{name: "shard missing", reply: one(func(c *Coverage) { c.Shards, c.Answered = 4, 3 }), answer: NotVerified, missing: []string{"local: un partial"}},
		{name: "no shards", reply: one(func(c *Coverage) { c.Shards, c.Answered = 0, 0 }), answer: NotVerified, missing: []string{"local: un partial"}},
		{name: "face left out", reply: one(func(c *Coverage) { c.Asked = []Modality{Document} }), answer: NotVerified, missing: []string{"local: un face not_asked"}},
		{name: "face of another model", reply: one(func(c *Coverage) { c.NotAsked[Face] = "other_model" }), answer: NotVerified, missing: []string{"local: un face other_model"}},
		{name: "failed", err: fault.New("store.damaged", "x"), answer: NotVerified, missing: []string{"local: store.damaged"}},
		{name: "failed without a code", err: context.Canceled, answer: NotVerified, missing: []string{"local: internal.unknown"}},
		{name: "no list at all", answer: NotVerified, missing: []string{"local: no list"}},
		{name: "list that must be there", reply: one(nil), rules: func(r *Rules) { r.Lists = []string{"national"} }, answer: NotVerified, missing: []string{"list national: not searched"}},
		{name: "too late", reply: one(nil), after: 2 * time.Second, answer: NotVerified, missing: []string{"local: source.deadline"}},
		{name: "withheld", reply: one(nil), ask: func(q *Question) { q.Face = nil; q.Withheld = map[Modality]string{Face: "age_unknown"} }, answer: NotVerified, missing: []string{"face: age_unknown"}},
		{name: "nothing asked", reply: one(nil), ask: func(q *Question) { *q = Question{} }, answer: NotVerified, missing: []string{"question: empty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(start)) // the bubble's clock, not ours
				r, q := rules(), question()
				if c.rules != nil {
					c.rules(&r)
				}
				if c.ask != nil {
					c.ask(&q)
				}
				s, err := New(r, time.Now, &scripted{"local", c.after, c.reply, c.err})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				got := s.Screen(ctx, q, nil)
				if got.Answer != c.answer || !slices.Equal(got.Missing, c.missing) {
					t.Errorf("%v, missing %q; want %v, %q", got.Answer, got.Missing, c.answer, c.missing)
				}
				s.Wait()
			})
		})
	}
}

func TestOptionalSourceAndLateHit(t *testing.T) {
	hit := Reply{Candidates: []Candidate{{List: "un", Record: "r-9"}}, Coverage: []Coverage{covered("un", nil)}}
	for _, c := range []struct {
		name  string
		after time.Duration
		late  int
	}{{"within", 500 * time.Millisecond, 0}, {"late", 20 * time.Second, 1}, {"never", time.Hour, 0}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(start))
				s, err := New(rules(), time.Now,
					&scripted{name: "local", reply: Reply{Coverage: []Coverage{covered("un", nil)}}},
					&scripted{name: "central", after: c.after, reply: hit})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin := time.Now()
				lateHits := make(chan Reply, 2)
				got := s.Screen(ctx, question(), func(r Reply) { lateHits <- r })
				if took := time.Since(begin); took > time.Second {
					t.Errorf("answered after %v", took)
				}
				want := Clear // central is not required: its silence is no hole
				if c.name == "within" {
					want = Candidates
				}
				if got.Answer != want {
					t.Errorf("answer %v, want %v", got.Answer, want)
				}
				s.Wait()
				if len(lateHits) != c.late {
					t.Errorf("%d late replies, want %d", len(lateHits), c.late)
				}
				if c.late == 1 {
					if r := <-lateHits; r.Source != "central" || len(r.Candidates) != 1 {
						t.Errorf("late reply %+v", r)
					}
				}
			})
		})
	}
}

// A post that stops does not wait half a minute for late answers.
func TestCancelEndsAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(rules(), time.Now, &scripted{name: "local", after: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		time.AfterFunc(100*time.Millisecond, cancel)
		if got := s.Screen(ctx, question(), func(Reply) { t.Error("a late reply after the end") }); got.Answer != NotVerified {
			t.Errorf("answer %v", got.Answer)
		}
		s.Wait()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestStrongestFirstOnceEach(t *testing.T) {
	all := []Candidate{
		{List: "a", Record: "weak", Scores: []Score{{Modality: Face, Value: .93, FMR: 1e-3}}},
		{List: "a", Record: "exact", Scores: []Score{{Modality: Document, Value: 1}}},
		{List: "a", Record: "both", Edition: 1, Source: "local", Scores: []Score{{Modality: Face, Value: .96, FMR: 1e-5}}},
		{List: "a", Record: "both", Edition: 2, Source: "central", Scores: []Score{{Modality: Face, Value: .96, FMR: 1e-5}, {Modality: Finger, Value: 40, FMR: 1e-7}}},
		{List: "b", Record: "alarm", Alarm: true, Scores: []Score{{Modality: Face, Value: .95, FMR: 1e-4}}},
	}
	got := strongest(all, 3, fuser{})
	var order []string
	for _, c := range got {
		order = append(order, c.Record)
	}
	if !slices.Equal(order, []string{"alarm", "exact", "both"}) {
		t.Fatalf("order %q", order)
	}
	if b := got[2]; b.Edition != 2 || len(b.Scores) != 2 || b.Scores[0].Modality != Finger {
		t.Errorf("joined to %+v", b)
	}
}

func TestRefusedRules(t *testing.T) {
	source := &scripted{name: "local"}
	for name, c := range map[string]struct {
		edit    func(*Rules)
		sources []Source
	}{
		"required source missing": {func(*Rules) {}, nil},
		"same name twice":         {func(*Rules) {}, []Source{source, source}},
		"nothing required":        {func(r *Rules) { r.Required = nil }, []Source{source}},
		"no candidates":           {func(r *Rules) { r.MaxCandidates = 0 }, []Source{source}},
		"no age":                  {func(r *Rules) { r.MaxListAge = 0 }, []Source{source}},
	} {
		r := rules()
		c.edit(&r)
		if _, err := New(r, time.Now, c.sources...); fault.CodeOf(err) != "screening.rules" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswerWords(t *testing.T) {
	for a, word := range map[Answer]string{0: "unknown", 1: "clear", 2: "candidates", 3: "not-verified", 99: "unknown"} {
		if a.String() != word {
			t.Errorf("%d reads %q", a, a)
		}
	}
	var a Answer
	for _, bad := range []string{"", "Clear", "ok", "1"} {
		if a.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// After a stop of the machine the deadline and what came before it are due
// together: no reply is given up for chance.
func TestGatherAfterAStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		replies := make(chan Reply, 3)
		replies <- Reply{Source: "local"}
		replies <- Reply{Source: "central"}
		if got := gather(ctx, replies, 3); len(got) != 2 {
			t.Fatalf("%d of 2 replies that had come", len(got))
		}
	}
}
