package local

import (
	"context"

	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func clock() time.Time { return start }

func face(seed uint64) record.Vector {
	r := rand.New(rand.NewPCG(seed, 9))
	v := make(record.Vector, template.FaceDimensions)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return unit(v)
}

func unit(v record.Vector) record.Vector {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// at returns a template at a cosine of v.
func at(v record.Vector, cosine float64) record.Vector {
	other := face(77777)
	var dot float64
	for i := range v {
		dot += float64(v[i]) * float64(other[i])
	}
	for i := range v {
		other[i] -= float32(dot) * v[i]
	}
	unit(other)
	out := make(record.Vector, len(v))
	for i := range v {
		out[i] = float32(cosine)*v[i] + float32(math.Sqrt(1-cosine*cosine))*other[i]
	}
	return unit(out)
}

func person(i int, model string) *record.Record {
	return &record.Record{
		Schema: 1, ID: fmt.Sprint("P-", i), Edition: 2,
		Names:     []record.Name{{Primary: "Family", Secondary: "Given", Script: "Latn", Kind: record.NamePrimary, Quality: record.NameGood}},
		Faces:     []record.Face{{Model: model, Version: "1", Vector: face(uint64(i)), Images: 1}},
		Documents: []record.Document{{Type: "P", Issuer: "UTO", Number: fmt.Sprint("N-", i), Status: record.DocumentStolen}},
	}
}

func load(t testing.TB, list string, records ...*record.Record) (*List, string) {
	t.Helper()
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	key, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "g")
	b, err := store.Create(dir, ring, key, store.Spec{
		List: list, Generation: 4, Owner: "Bench authority", LegalBasis: "act 1", Purpose: "border",
		Handling: record.Handling{Action: record.Refer}, Created: start.Add(-time.Hour), Expires: start.Add(240 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	g, err := store.OpenFolder(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Load(ctx, g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, dir
}

func people(n int) []*record.Record {
	var out []*record.Record
	for i := range n {
		out = append(out, person(i, "m"))
	}
	return out
}

func newSource(t testing.TB, lists ...*List) *Source {
	t.Helper()
	s, err := New(Limits{FPIR: 1e-3, MaxCandidates: 20, AlarmMaxList: 1000, AlarmMinFrames: 3}, clock, lists...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func faceQuestion(v record.Vector, frames int) screening.Question {
	f := template.Face{Model: "m", Version: "1", Images: frames, Agreement: 1, Vector: [template.FaceDimensions]float32(v)}
	return screening.Question{Face: &screening.FaceProbe{Template: f, Frames: frames}}
}

func documentQuestion(code, issuer, number string) screening.Question {
	return screening.Question{Documents: []screening.DocumentProbe{{Type: code, Issuer: issuer, Number: number}}}
}

func TestWhatIsFoundAndHowItIsSaid(t *testing.T) {
	expired := person(5000, "m")
	yesterday := start.Add(-24 * time.Hour)
	expired.Expires = &yesterday
	records := append(people(200), expired)
	list, _ := load(t, "bench", records...)
	s := newSource(t, list)
	both := documentQuestion("P", "UTO", "N7")
	both.Face = faceQuestion(at(face(7), 0.90), 3).Face
	withheld := faceQuestion(face(7), 3)
	withheld.Withheld = map[screening.Modality]string{screening.Face: "minor"}
	for _, c := range []struct {
		name   string
		q      screening.Question
		record string
		alarm  bool
		scores int
		lacks  map[screening.Modality]string
	}{
		{"same face", faceQuestion(face(7), 3), "P-7", true, 1, nil},
		{"other picture of it", faceQuestion(at(face(7), 0.972), 3), "P-7", true, 1, nil},
		{"one frame never alarms", faceQuestion(face(7), 1), "P-7", false, 1, nil},
		{"too far for a list of 201", faceQuestion(at(face(7), 0.955), 3), "", false, 0, nil},
		{"stranger", faceQuestion(face(99999), 3), "", false, 0, nil},
		{"withheld face", withheld, "", false, 0, nil},
		{"face of a record that has run out", faceQuestion(face(5000), 3), "", false, 0, nil},
		{"document", documentQuestion("P<", "UTO", "n7<<<<<<<"), "P-7", true, 1, nil},
		{"document of a record that has run out", documentQuestion("P", "UTO", "N5000"), "", false, 0, nil},
		{"document of another state", documentQuestion("P", "XXA", "N7"), "", false, 0, nil},
		{"document without issuer", documentQuestion("P", "", "N7"), "", false, 0, map[screening.Modality]string{screening.Document: "issuer_unknown"}},
		{"document that is only fillers", documentQuestion("P", "UTO", "<<<"), "", false, 0, map[screening.Modality]string{screening.Document: "document.number"}},
		{"document with a weak face beside it", both, "P-7", true, 2, nil},
		{"name is said to be open, and a print that cannot be read", screening.Question{Name: &screening.NameProbe{Primary: "Family"}, Fingers: []screening.FingerProbe{{}}}, "", false, 0,
			map[screening.Modality]string{screening.Name: "not_performed", screening.Finger: "finger.record"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := s.Ask(ctx, c.q)
			if err != nil {
				t.Fatal(err)
			}
			cover := r.Coverage[0]
			if cover.List != "bench" || cover.Generation != 4 || cover.Records != 201 || cover.Shards != 1 || cover.Answered != 1 || cover.Stale || len(cover.NotAsked) != len(c.lacks) {
				t.Errorf("coverage %+v", cover)
			}
			for m, why := range c.lacks {
				if cover.NotAsked[m] != why {
					t.Errorf("%s: %q, want %q", m, cover.NotAsked[m], why)
				}
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
			if got.Record != c.record || got.Alarm != c.alarm || len(got.Scores) != c.scores || got.Owner != "Bench authority" || got.Edition != 2 || got.Name != "Family, Given" || got.Handling != "refer" || got.Expires.IsZero() {
				t.Errorf("candidate %+v", got)
			}
			for _, sc := range got.Scores {
				if sc.Modality == screening.Face && (sc.FMR <= 0 || sc.FPIR < sc.FMR) {
					t.Errorf("score without its rates: %+v", sc)
				}
			}
		})
	}
}

// On a long list a face is a candidate with its rate stated, never an alarm.
func TestFaceAloneNeverAlarmsOnALongList(t *testing.T) {
	list, _ := load(t, "bench", people(1001)...)
	r, err := newSource(t, list).Ask(ctx, faceQuestion(face(7), 5))
	if err != nil || len(r.Candidates) != 1 || r.Candidates[0].Alarm {
		t.Errorf("%+v, %v", r.Candidates, err)
	}
}

func TestOtherModelIsSaid(t *testing.T) {
	list, _ := load(t, "bench", person(1, "m"), person(2, "other"))
	r, err := newSource(t, list).Ask(ctx, faceQuestion(face(1), 3))
	if err != nil || len(r.Candidates) != 1 || r.Coverage[0].NotAsked[screening.Face] != otherModel {
		t.Errorf("%+v, %v", r, err)
	}
}

// Damage under a running post makes a hole, never a clear; other lists go on.
func TestAttackDamageUnderARunningPost(t *testing.T) {
	spoilt, dir := load(t, "spoilt", people(50)...)
	whole, _ := load(t, "whole", person(7, "m"))
	s := newSource(t, spoilt, whole)
	h, err := os.OpenFile(filepath.Join(dir, "records.db"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt(make([]byte, 30*4096), 2*4096); err != nil {
		t.Fatal(err)
	}
	h.Close()
	r, err := s.Ask(ctx, documentQuestion("P", "UTO", "N7"))
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Coverage[0]; c.Answered != 0 || c.NotAsked[screening.Document] != "store.damaged" {
		t.Errorf("coverage of the spoilt list %+v", c)
	}
	if len(r.Candidates) != 1 || r.Candidates[0].List != "whole" {
		t.Errorf("candidates %+v", r.Candidates)
	}
	screener, err := screening.New(screening.Rules{Required: []string{Name}, Performed: []screening.Modality{screening.Document}, MaxListAge: 24 * time.Hour, MaxCandidates: 5}, clock, s)
	if err != nil {
		t.Fatal(err)
	}
	s.Replace(spoilt)
	if got := screener.Screen(ctx, documentQuestion("P", "UTO", "N7"), nil); got.Answer != screening.NotVerified {
		t.Errorf("answer %v, missing %q", got.Answer, got.Missing)
	}
}

func TestCancelledAndReplaced(t *testing.T) {
	list, _ := load(t, "bench", people(20)...)
	s := newSource(t, list)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if r, err := s.Ask(cancelled, faceQuestion(face(7), 3)); err == nil || len(r.Coverage) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if before := s.Replace(); len(before) != 1 || before[0] != list {
		t.Errorf("before: %v", before)
	}
	if r, err := s.Ask(ctx, faceQuestion(face(7), 3)); err != nil || len(r.Coverage) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := New(Limits{FPIR: 0, MaxCandidates: 1}, clock); fault.CodeOf(err) != "screening.limits" {
		t.Error("a rate of 0 was taken")
	}
}
