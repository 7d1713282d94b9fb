package report

import (
	"errors"
	"iter"
	"reflect"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
)

var day = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

func at(hour int) time.Time { return day.Add(time.Duration(hour) * time.Hour) }

func of(lines ...audit.Line) iter.Seq2[audit.Line, error] {
	return func(yield func(audit.Line, error) bool) {
		for _, l := range lines {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func searched(hour int, officer, encounter, lists string) audit.Line {
	return audit.Line{Time: at(hour), Actor: officer, Action: audit.Searched, Encounter: encounter, Purpose: "border_check", Facts: map[string]string{"lists": lists}}
}

func found(encounter, object string) audit.Line {
	return audit.Line{Time: at(9), Actor: "post", Action: audit.CandidateFound, Encounter: encounter, Object: object}
}

func finding(hour int, encounter, object, what string) audit.Line {
	return audit.Line{Time: at(hour), Actor: "o1", Action: audit.CandidateAdjudicate, Encounter: encounter, Object: object, Facts: map[string]string{"finding": what}}
}

func TestCounts(t *testing.T) {
	late := found("e2", "b/r9")
	late.Action = audit.LateHit
	r, err := Make(of(
		searched(-1, "o1", "e0", "a"), // the day before
		found("e0", "a/r1"),
		searched(8, "o1", "e1", "a b"),
		found("e1", "a/r1"), found("e1", "a/r2"), found("e1", "a/r1"), // named twice, counted once
		finding(9, "e1", "a/r1", "different_person"),
		finding(10, "e1", "a/r1", "same_person"), // changed his mind
		finding(9, "e1", "a/r2", "different_person"),
		finding(9, "e1", "a/r7", "same_person"), // was never named
		searched(11, "o2", "e2", "a b"),
		late,
		searched(12, "o2", "e3", "a"),
		audit.Line{Time: at(12), Action: audit.SearchSuppressed, Encounter: "e3"},
		audit.Line{Time: at(12), Actor: "o2", Action: audit.OutcomeRecorded, Encounter: "e3", Facts: map[string]string{"override": "true"}},
		searched(24, "o1", "e4", "a"), // the day after
		found("e4", "a/r1"),
	), day, at(24))
	if err != nil {
		t.Fatal(err)
	}
	want := &Report{
		From: day, To: at(24), Overrides: 1, Lines: 17,
		Total: Counts{Searches: 3, Hits: 2, Candidates: 3, Confirmed: 1, False: 1, Open: 1, Late: 1},
		ByList: []ListRow{
			{"a", Counts{Searches: 3, Hits: 1, Candidates: 2, Confirmed: 1, False: 1}},
			{"b", Counts{Searches: 2, Hits: 1, Candidates: 1, Open: 1, Late: 1}},
		},
		ByOfficer: []OfficerRow{
			{Officer: "o1", Counts: Counts{Searches: 1, Hits: 1, Candidates: 2, Confirmed: 1, False: 1}, Purposes: map[string]int{"border_check": 1}},
			{Officer: "o2", Counts: Counts{Searches: 2, Hits: 1, Candidates: 1, Open: 1, Late: 1}, Purposes: map[string]int{"border_check": 2}, Suppressed: 1, Overrides: 1},
		},
		Rows: []Row{
			{"a", "o1", Counts{Searches: 1, Hits: 1, Candidates: 2, Confirmed: 1, False: 1}},
			{"a", "o2", Counts{Searches: 2}},
			{"b", "o1", Counts{Searches: 1}},
			{"b", "o2", Counts{Searches: 1, Hits: 1, Candidates: 1, Open: 1, Late: 1}},
		},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
}

func TestAnAskAgainIsAnotherSearch(t *testing.T) {
	r, err := Make(of(searched(8, "o1", "e1", "a"), found("e1", "a/r1"), searched(9, "o1", "e1", "a"), finding(10, "e1", "a/r1", "same_person")), day, at(24))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counts{Searches: 2, Hits: 1, Candidates: 1, Open: 1}); r.Total != want {
		t.Errorf("%+v, want %+v: a finding belongs to the search that named", r.Total, want)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct{ from, to time.Time }{
		"nothing":       {day, day},
		"turned round":  {at(1), day},
		"over the year": {day, day.Add(MaxRange + time.Second)},
	} {
		if _, err := Make(of(), c.from, c.to); fault.CodeOf(err) != "report.range" {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken")
	_, err := Make(func(yield func(audit.Line, error) bool) { yield(audit.Line{}, broken) }, day, at(1))
	if !errors.Is(err, broken) {
		t.Errorf("a log that cannot be read gives a report: %v", err)
	}
}
