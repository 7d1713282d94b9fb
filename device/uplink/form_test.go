package uplink

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

func answer() *screeningv1.AskResponse {
	return &screeningv1.AskResponse{
		Candidates: []*screeningv1.Candidate{{List: "l", Record: "r", Scores: []*screeningv1.Score{{Modality: 1, Value: .9, Fmr: 1e-6, Fpir: 1e-3}}}},
		Coverage:   []*screeningv1.Coverage{{List: "l", IssuedMs: 1000, Records: 5, Asked: []screeningv1.Modality{1, 99}, Shards: 2, Answered: 1}},
	}
}

func TestReply(t *testing.T) {
	r, err := reply(answer())
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Coverage[0]; c.Source != Name || c.Shards != 2 || c.Answered != 1 || len(c.Asked) != 1 || !c.Issued.Equal(time.Unix(1, 0)) {
		t.Errorf("coverage %+v", c)
	}
	if c := r.Candidates[0]; c.Source != Name || c.Scores[0].Modality != screening.Face {
		t.Errorf("candidate %+v", c)
	}
	long := string(make([]byte, maxText+1))
	score := func(f func(*screeningv1.Score)) func(*screeningv1.AskResponse) {
		return func(a *screeningv1.AskResponse) { f(a.Candidates[0].Scores[0]) }
	}
	for name, change := range map[string]func(*screeningv1.AskResponse){
		"rate NaN":         score(func(s *screeningv1.Score) { s.Fmr = math.NaN() }),
		"rate below 0":     score(func(s *screeningv1.Score) { s.Fmr = -1 }),
		"rate above 1":     score(func(s *screeningv1.Score) { s.Fpir = 1.5 }),
		"score infinite":   score(func(s *screeningv1.Score) { s.Value = math.Inf(1) }),
		"no modality":      score(func(s *screeningv1.Score) { s.Modality = 0 }),
		"long explanation": score(func(s *screeningv1.Score) { s.Explain = long }),
		"no record":        func(a *screeningv1.AskResponse) { a.Candidates[0].Record = "" },
		"no list":          func(a *screeningv1.AskResponse) { a.Candidates[0].List = "" },
		"long name":        func(a *screeningv1.AskResponse) { a.Candidates[0].Name = long },
		"many candidates":  func(a *screeningv1.AskResponse) { a.Candidates = make([]*screeningv1.Candidate, maxCandidates+1) },
		"many lists":       func(a *screeningv1.AskResponse) { a.Coverage = make([]*screeningv1.Coverage, maxCoverage+1) },
		"coverage of none": func(a *screeningv1.AskResponse) { a.Coverage[0].List = "" },
		"many scores":      func(a *screeningv1.AskResponse) { a.Candidates[0].Scores = make([]*screeningv1.Score, maxScores+1) },
	} {
		a := answer()
		change(a)
		if _, err := reply(a); fault.CodeOf(err) != ErrReply.Code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWithheldStaysHere: what must not be searched does not leave the box.
func TestWithheldStaysHere(t *testing.T) {
	q := screening.Question{
		Encounter: "e", Officer: "o", Purpose: "p", Name: &screening.NameProbe{Primary: "N"},
		Face:      &screening.FaceProbe{Template: template.Face{Model: "m", Version: "1", Images: 1}, Frames: 3},
		Documents: []screening.DocumentProbe{{Number: "X"}},
		Withheld:  map[screening.Modality]string{screening.Face: "minor", screening.Name: "skipped"},
	}
	out := question(q)
	if out.Face != nil || out.Name != nil || len(out.Documents) != 1 || len(out.Withheld) != 2 {
		t.Fatalf("sent: face %t, name %t, %d documents, withheld %v", out.Face != nil, out.Name != nil, len(out.Documents), out.Withheld)
	}
}

func TestOutcomeRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"no JSON":       "{",
		"no answer":     `{"answer":"maybe"}`,
		"other outcome": `{"answer":"clear","decision":{"outcome":"let through"}}`,
		"other finding": `{"answer":"clear","candidates":[{"finding":"perhaps"}]}`,
	} {
		if _, err := outcome([]byte(raw)); fault.CodeOf(err) != "link.outcome" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodes(t *testing.T) {
	for in, want := range map[string]fault.Code{
		"source.busy": "source.busy", "sink.conflict": "sink.conflict",
		"": "link.reply", "busy": "link.reply", "a.b.c": "link.reply", ".x": "link.reply", "Source.busy": "link.reply", "a.b\n": "link.reply",
		"a." + string(make([]byte, 80)): "link.reply",
	} {
		if got := codeOf(in); got != want {
			t.Errorf("codeOf(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"name of a subject": {Post: "a.b"},
		"wildcard":          {Post: "*"},
		"no keys":           {Post: "desk-1"},
		"short key":         {Post: "desk-1", SignKey: make([]byte, 31), SealKey: make([]byte, 32)},
	} {
		if l, err := Open(o); err == nil {
			l.Close()
			t.Errorf("%s was taken", name)
		}
	}
}

// FuzzAnswer feeds the post what central itself could send: it is trusted to
// hold lists, not to be free of errors.
func FuzzAnswer(f *testing.F) {
	raw, err := proto.Marshal(answer())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := new(screeningv1.AskResponse)
		if proto.Unmarshal(raw, in) != nil {
			return
		}
		r, err := reply(in)
		if err != nil {
			return
		}
		for _, c := range r.Candidates {
			for _, s := range c.Scores {
				if !rate(s.FMR) || math.IsNaN(s.Value) {
					t.Fatal("a score that cannot be ordered was taken")
				}
			}
		}
	})
}
