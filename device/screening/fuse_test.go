package screening

import (
	"math"
	"slices"
	"testing"
)

func face(llr, fmr float64) Score   { return Score{Modality: Face, Value: .95, FMR: fmr, LLR: llr} }
func finger(llr, fmr float64) Score { return Score{Modality: Finger, Value: llr, FMR: fmr, LLR: llr} }
func name(llr float64) Score {
	return Score{Modality: Name, Value: 1, FMR: min(1, math.Exp(-llr)), LLR: llr}
}

// A sum alarms where it is rare enough for the lists and rests on two kinds;
// what one kind says stays a candidate, however strong.
func TestFusedAlarm(t *testing.T) {
	for _, c := range []struct {
		name   string
		people int
		fpir   float64
		scores [][]Score // of one record, by each source
		alarm  bool
		fused  bool
	}{
		{"face and name, short list", 1000, 1e-3, [][]Score{{face(7.9, 1e-5), name(9.2)}}, true, true},
		{"face and name, long list", 100_000, 1e-3, [][]Score{{face(7.9, 1e-5), name(9.2)}}, false, true},
		{"face here, finger there", 100_000, 1e-3, [][]Score{{face(11, 1e-7)}, {finger(9, 1e-6)}}, true, true},
		{"face, finger and name, a million", 1_000_000, 1e-3, [][]Score{{face(11, 1e-7), finger(6, 1e-4)}, {name(9.2)}}, true, true},
		{"no budget stated", 1000, 0, [][]Score{{face(7.9, 1e-5), name(9.2)}}, false, true},
		{"face alone", 1000, 1e-3, [][]Score{{face(50, 1e-8)}}, false, false},
		{"face told twice", 1000, 1e-3, [][]Score{{face(50, 1e-8)}, {{Modality: Face, Value: .99, FMR: 1e-8, LLR: 50}}}, false, false},
		{"finger alone", 1000, 1e-3, [][]Score{{finger(50, 1e-12)}}, false, false},
		{"name alone", 1000, 1e-3, [][]Score{{name(50)}}, false, false},
		{"face and another name", 1000, 1e-3, [][]Score{{face(50, 1e-8), name(-2.3)}}, false, true},
	} {
		var all []Candidate
		for _, s := range c.scores {
			all = append(all, Candidate{List: "a", Record: "r", Edition: 1, Scores: s})
		}
		got := strongest(all, 5, fuser{c.fpir, c.people})
		if len(got) != 1 || got[0].Alarm != c.alarm || (got[0].Fused != nil) != c.fused {
			t.Errorf("%s: %+v", c.name, got)
			continue
		}
		if f := got[0].Fused; f != nil && (f.FMR < math.Exp(-f.LLR)*0.999 || f.FPIR < f.FMR || f.FPIR > 1 || f.Explain == "") {
			t.Errorf("%s: states %+v", c.name, f)
		}
	}
}

// Fused candidates are ranked by the sum; a document number that is equal
// comes before all.
func TestFusedRank(t *testing.T) {
	all := []Candidate{
		{List: "a", Record: "face", Scores: []Score{face(9, 1e-6)}},
		{List: "a", Record: "other name", Scores: []Score{face(9.5, 1e-6), name(-4)}},
		{List: "a", Record: "name too", Scores: []Score{face(6, 1e-5), name(6)}},
		{List: "a", Record: "document", Scores: []Score{{Modality: Document, Value: 1}}},
		{List: "a", Record: "older central", Scores: []Score{{Modality: Face, Value: .95, FMR: 1e-2}}},
	}
	var order []string
	for _, c := range strongest(all, 9, fuser{}) {
		order = append(order, c.Record)
	}
	if !slices.Equal(order, []string{"document", "name too", "face", "other name", "older central"}) {
		t.Errorf("order %q", order)
	}
}

// People are counted once, however many sources hold their list.
func TestSearchedPeople(t *testing.T) {
	n := searched([]Coverage{{List: "a", Source: "local", Records: 10}, {List: "a", Source: "central", Records: 12}, {List: "b", Records: 5}})
	if n != 17 {
		t.Errorf("%d people searched", n)
	}
}
