package local

import (
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/calibration"
	"github.com/watchpost/watchpost/device/biometric/fusion"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// named is person i with a name and a day of birth.
func named(i int, family, given, born string) *record.Record {
	r := person(i, "m")
	r.Names[0].Primary, r.Names[0].Secondary = family, given
	r.Births = []record.Birth{{Date: born, Precision: record.ToDay}}
	return r
}

func withName(q screening.Question, family, given, born string) screening.Question {
	q.Name = &screening.NameProbe{Primary: family, Secondary: given, BirthDate: born}
	return q
}

// A face too weak alone is a candidate where name and birth date bear it, and
// only there; by itself the source never makes an alarm of it.
func TestNameBearsAWeakFace(t *testing.T) {
	list, _ := load(t, "bench", append(people(200), named(500, "Müller", "Anna Maria", "1980-02-29"))...)
	s := newSource(t, list)
	weak := faceQuestion(at(face(500), 0.946), 3)
	withheld := withName(weak, "MUELLER", "ANNA", "1980-02-29")
	withheld.Withheld = map[screening.Modality]string{screening.Name: "skipped"}
	for _, c := range []struct {
		name   string
		q      screening.Question
		found  bool
		scores int
	}{
		{"face alone", weak, false, 0},
		{"name and birth date", withName(weak, "MUELLER", "ANNA", "1980-02-29"), true, 2},
		{"another name and birth date", withName(weak, "SMITH", "JOHN", "1990-01-01"), false, 0},
		{"name alone without a face", withName(screening.Question{}, "MUELLER", "ANNA", "1980-02-29"), false, 0},
		{"name withheld", withheld, false, 0},
		{"too weak a face even so", withName(faceQuestion(at(face(500), 0.92), 3), "MUELLER", "ANNA", "1980-02-29"), false, 0},
		{"strong face, another name", withName(faceQuestion(face(500), 3), "SMITH", "JOHN", "1990-01-01"), true, 2},
	} {
		r, err := s.Ask(ctx, c.q)
		if err != nil {
			t.Fatal(err)
		}
		if (len(r.Candidates) == 1) != c.found || len(r.Candidates) > 1 {
			t.Errorf("%s: %d candidates", c.name, len(r.Candidates))
			continue
		}
		if c.found && (len(r.Candidates[0].Scores) != c.scores || r.Candidates[0].Alarm != (c.name == "strong face, another name")) {
			t.Errorf("%s: %+v", c.name, r.Candidates[0])
		}
	}
}

// While a model is changed, a list of two models is searched with the one of
// more people, and the coverage names it and says whether anybody is left out.
func TestTwoModelsSideBySide(t *testing.T) {
	both := func(i int) *record.Record {
		r := person(i, "m")
		r.Faces = append(r.Faces, record.Face{Model: "next", Version: "7", Vector: face(uint64(1000 + i)), Images: 1})
		return r
	}
	old, _ := load(t, "old", person(1, "m"), person(2, "m"))
	changing, _ := load(t, "changing", both(1), both(2), person(3, "m"))
	changed, _ := load(t, "changed", both(1), both(2))
	fresh, _ := load(t, "fresh", func() *record.Record { r := both(1); r.Faces = r.Faces[1:]; return r }())
	two := faceQuestion(face(1), 3)
	two.Face.Others = []template.Face{{Model: "next", Version: "7", Images: 3, Agreement: 1, Vector: [template.FaceDimensions]float32(face(1001))}}
	next := screening.Question{Face: &screening.FaceProbe{Template: two.Face.Others[0], Frames: 3}}
	for _, c := range []struct {
		name  string
		list  *List
		q     screening.Question
		model string
		lacks bool
		found bool
	}{
		{"old list, both models", old, two, "m/1", false, true},
		{"old list, new model alone", old, next, "", true, false},
		{"list under change, both models", changing, two, "m/1", false, true},
		{"list under change, new model alone", changing, next, "next/7", true, true},
		{"changed list, new model alone", changed, next, "next/7", false, true},
		{"new list, both models", fresh, two, "next/7", false, true},
		{"new list, old model alone", fresh, faceQuestion(face(1), 3), "", true, false},
	} {
		r, err := newSource(t, c.list).Ask(ctx, c.q)
		if err != nil {
			t.Fatal(err)
		}
		cover := r.Coverage[0]
		if cover.FaceModel != c.model || (cover.NotAsked[screening.Face] == otherModel) != c.lacks {
			t.Errorf("%s: coverage %+v", c.name, cover)
		}
		if found := len(r.Candidates) == 1 && r.Candidates[0].Record == "P-1"; found != c.found {
			t.Errorf("%s: candidates %+v", c.name, r.Candidates)
		}
	}
}

// Held to the worst group, a face must be more alike to count, and states a
// higher rate; what the curve only extrapolates is said.
func TestWorstGroupAndSupport(t *testing.T) {
	list, _ := load(t, "bench", people(200)...)
	plain := newSource(t, list)
	held, err := New(Limits{FPIR: 1e-3, MaxCandidates: 20, AlarmMaxList: 1000, AlarmMinFrames: 3, Faces: calibration.FaceCurve{Factor: 3.2}}, clock, list)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(s *Source, cosine float64) []screening.Candidate {
		r, err := s.Ask(ctx, faceQuestion(at(face(7), cosine), 3))
		if err != nil {
			t.Fatal(err)
		}
		return r.Candidates
	}
	lost := false
	for cosine := 0.95; cosine < 0.98; cosine += 0.002 {
		a, b := ask(plain, cosine), ask(held, cosine)
		if len(b) > len(a) {
			t.Fatalf("cosine %v: held to a group it counts, plain it does not", cosine)
		}
		lost = lost || len(b) < len(a)
	}
	if !lost {
		t.Error("holding the worst group changes no answer")
	}
	a, b := ask(plain, 0.99), ask(held, 0.99)
	if len(a) != 1 || len(b) != 1 {
		t.Fatalf("a face seen again: %v, %v", a, b)
	}
	x, y := a[0].Scores[0], b[0].Scores[0]
	if y.FMR <= x.FMR || y.LLR >= x.LLR || y.FPIR <= x.FPIR {
		t.Errorf("plain %+v, held %+v", x, y)
	}
	if !strings.Contains(x.Explain, "beyond what was measured") {
		t.Errorf("explained as %q", x.Explain)
	}
}

func TestSameName(t *testing.T) {
	probe := func(family, given string) *screening.NameProbe {
		return &screening.NameProbe{Primary: family, Secondary: given}
	}
	cut := probe("PAPADOPOULOSGEORGI", "A")
	cut.Truncated = true
	for _, c := range []struct {
		p    *screening.NameProbe
		n    record.Name
		want fusion.Agreement
	}{
		{probe("MUELLER", "ANNA"), record.Name{Primary: "Müller", Secondary: "Anna Maria"}, fusion.Whole},
		{probe("MUELLER", "EVA"), record.Name{Primary: "Müller", Secondary: "Anna Maria"}, fusion.Partly},
		{probe("GARCIA", "LUIS"), record.Name{Primary: "García Márquez", Secondary: "Luis"}, fusion.Whole},
		{probe("ERIKSSON", "ANNA"), record.Name{Full: "Anna Maria Eriksson"}, fusion.Whole},
		{probe("ERIKSSON", "EVA"), record.Name{Full: "Anna Maria Eriksson"}, fusion.Partly},
		{probe("ERIKSSON", "EVA"), record.Name{Full: "John Smith"}, fusion.Differs},
		{probe("SMITH", "JOHN"), record.Name{Primary: "Smithson", Secondary: "John"}, fusion.Differs},
		{cut, record.Name{Primary: "Papadopoulosgeorgiou", Secondary: "A"}, fusion.Whole},
		{probe("PAPADOPOULOSGEORGI", "A"), record.Name{Primary: "Papadopoulosgeorgiou", Secondary: "A"}, fusion.Differs},
		{probe("", "JOHN"), record.Name{Primary: "Smith", Secondary: "John"}, fusion.Unknown},
		{probe("SMITH", ""), record.Name{}, fusion.Unknown},
	} {
		if got := sameName(c.p, c.n); got != c.want {
			t.Errorf("%q, %q beside %+v: %v, want %v", c.p.Primary, c.p.Secondary, c.n, got, c.want)
		}
	}
	if b := biographic(probe("SMITH", "JOHN"), &record.Record{Names: []record.Name{{Primary: "Смит", Script: "Cyrl"}}}); b.Name != fusion.Unknown {
		t.Errorf("a name in another script: %+v", b)
	}
}

func TestSameBirth(t *testing.T) {
	for _, c := range []struct {
		date string
		b    record.Birth
		want fusion.Agreement
	}{
		{"1980-02-29", record.Birth{Date: "1980-02-29", Precision: record.ToDay}, fusion.Whole},
		{"1980-03-01", record.Birth{Date: "1980-02-29", Precision: record.ToDay}, fusion.Partly},
		{"1980-XX-XX", record.Birth{Date: "1980-02-29", Precision: record.ToDay}, fusion.Partly},
		{"1981-02-28", record.Birth{Date: "1980-02-29", Precision: record.ToDay}, fusion.Differs},
		{"1980-02-29", record.Birth{Date: "1980", Precision: record.ToYear}, fusion.Partly},
		{"1982-02-28", record.Birth{Date: "1980", Precision: record.Circa}, fusion.Unknown},
		{"1985-02-28", record.Birth{Date: "1980", Precision: record.Circa}, fusion.Differs},
		{"1985-02-28", record.Birth{Date: "1980", Until: "1990", Precision: record.Range}, fusion.Unknown},
		{"1991-02-28", record.Birth{Date: "1980", Until: "1990", Precision: record.Range}, fusion.Differs},
		{"XXXX-XX-XX", record.Birth{Date: "1980", Precision: record.ToYear}, fusion.Unknown},
		{"", record.Birth{Date: "1980", Precision: record.ToYear}, fusion.Unknown},
		{"1980-02-29", record.Birth{}, fusion.Unknown},
	} {
		if got := sameBirth(c.date, c.b); got != c.want {
			t.Errorf("%q beside %+v: %v, want %v", c.date, c.b, got, c.want)
		}
	}
}
