// Package report counts from the audit log what a supervisor has to see: how
// often was searched, how often somebody was named, and how often that was
// right, by list and by officer. It holds ids and counts, no person.
//
// The log is the one source: what is not in it was not done, and whoever
// changes it to better a report is found by the heads (device/audit).
package report

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
)

// MaxRange is the longest time that one report covers.
const MaxRange = 366 * 24 * time.Hour

// Facts of audit lines that a report reads.
const (
	factLists    = "lists"    // of a search: ids of the lists searched, separated by spaces
	factFinding  = "finding"  // of an adjudication
	factOverride = "override" // of an outcome
)

// Counts are what one row counts. A candidate is counted by its last finding,
// and in exactly one of Confirmed, False, Undecided and Open.
type Counts struct {
	Searches   int `json:"searches" doc:"questions to the lists"`
	Hits       int `json:"hits" doc:"searches that named at least one candidate"`
	Candidates int `json:"candidates" doc:"records named, each once a search"`
	Confirmed  int `json:"confirmed" doc:"candidates found to be the same person"`
	False      int `json:"false" doc:"candidates found to be a different person"`
	Undecided  int `json:"undecided" doc:"candidates on which the officer could not decide"`
	Open       int `json:"open" doc:"candidates without a finding yet"`
	Late       int `json:"late" doc:"candidates that came after the answer"`
}

// ListRow counts one list, whoever searched.
type ListRow struct {
	List string `json:"list"`
	Counts
}

// OfficerRow counts one officer, on all lists together.
type OfficerRow struct {
	Officer string `json:"officer"`
	Counts
	Purposes   map[string]int `json:"purposes" doc:"searches by purpose"`
	Suppressed int            `json:"suppressed" doc:"searches from which a modality was withheld"`
	Overrides  int            `json:"overrides" doc:"persons admitted against the advice"`
}

// Row counts one officer on one list.
type Row struct {
	List    string `json:"list"`
	Officer string `json:"officer"`
	Counts
}

// Report covers searches at From or later and before To. Findings on them
// count whenever they were made.
type Report struct {
	From      time.Time    `json:"from"`
	To        time.Time    `json:"to"`
	Total     Counts       `json:"total"`
	Overrides int          `json:"overrides"`
	ByList    []ListRow    `json:"by_list" nullable:"false"`
	ByOfficer []OfficerRow `json:"by_officer" nullable:"false"`
	Rows      []Row        `json:"rows" nullable:"false" doc:"by list and officer"`
	Lines     int64        `json:"lines" doc:"lines of the audit log that were read"`
}

// candidate is one record named by one search.
type candidate struct {
	list    string
	finding string
	late    bool
}

// search is one question and what became of it. An encounter that is taken up
// again after a restart asks anew, and is two searches.
type search struct {
	officer, purpose     string
	lists                []string
	candidates           map[string]*candidate // by list/record
	suppressed, override bool
}

// Make reads the lines of a log in order and counts. It fails with
// report.range, or with the error of lines.
func Make(lines iter.Seq2[audit.Line, error], from, to time.Time) (*Report, error) {
	if !from.Before(to) || to.Sub(from) > MaxRange {
		return nil, fault.New("report.range", "a report covers more than nothing and at most %d days", int(MaxRange.Hours()/24)).
			WithHint("choose a from before to, at most a year apart")
	}
	r := &Report{From: from.UTC(), To: to.UTC(), ByList: []ListRow{}, ByOfficer: []OfficerRow{}, Rows: []Row{}}
	var all []*search
	last := make(map[string]*search) // by encounter, within the range
	for line, err := range lines {
		if err != nil {
			return nil, err
		}
		if line.IsCut() {
			continue
		}
		r.Lines++
		if line.Action == audit.Searched {
			delete(last, line.Encounter)
			if line.Time.Before(from) || !line.Time.Before(to) {
				continue
			}
			s := &search{officer: line.Actor, purpose: line.Purpose, lists: strings.Fields(line.Facts[factLists]), candidates: map[string]*candidate{}}
			last[line.Encounter], all = s, append(all, s)
			continue
		}
		if s := last[line.Encounter]; s != nil {
			s.note(line)
		}
	}
	r.count(all)
	return r, nil
}

// note takes in a later line of the search's encounter.
func (s *search) note(line audit.Line) {
	switch line.Action {
	case audit.SearchSuppressed:
		s.suppressed = true
	case audit.CandidateFound, audit.LateHit:
		if s.candidates[line.Object] == nil {
			list, _, _ := strings.Cut(line.Object, "/")
			s.candidates[line.Object] = &candidate{list: list, late: line.Action == audit.LateHit}
		}
	case audit.CandidateAdjudicate:
		if c := s.candidates[line.Object]; c != nil {
			c.finding = line.Facts[factFinding]
		}
	case audit.OutcomeRecorded:
		s.override = line.Facts[factOverride] == "true"
	}
}

// add counts s with those of its candidates that are of the list, "" is all.
func (c *Counts) add(s *search, list string) {
	c.Searches++
	named := 0
	for _, k := range s.candidates {
		if list != "" && k.list != list {
			continue
		}
		named++
		switch k.finding {
		case "same_person":
			c.Confirmed++
		case "different_person":
			c.False++
		case "undecided":
			c.Undecided++
		default:
			c.Open++
		}
		if k.late {
			c.Late++
		}
	}
	c.Candidates += named
	if named > 0 {
		c.Hits++
	}
}

// count fills the rows, sorted by their names.
func (r *Report) count(all []*search) {
	type pair struct{ list, officer string }
	lists, officers, rows := map[string]*ListRow{}, map[string]*OfficerRow{}, map[pair]*Row{}
	for _, s := range all {
		r.Total.add(s, "")
		o := officers[s.officer]
		if o == nil {
			o = &OfficerRow{Officer: s.officer, Purposes: map[string]int{}}
			officers[s.officer] = o
		}
		o.add(s, "")
		o.Purposes[s.purpose]++
		if s.suppressed {
			o.Suppressed++
		}
		if s.override {
			o.Overrides++
			r.Overrides++
		}
		for _, list := range s.touched() {
			if lists[list] == nil {
				lists[list] = &ListRow{List: list}
			}
			lists[list].add(s, list)
			at := pair{list, s.officer}
			if rows[at] == nil {
				rows[at] = &Row{List: list, Officer: s.officer}
			}
			rows[at].add(s, list)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(lists)) {
		r.ByList = append(r.ByList, *lists[name])
	}
	for _, name := range slices.Sorted(maps.Keys(officers)) {
		r.ByOfficer = append(r.ByOfficer, *officers[name])
	}
	keys := slices.SortedFunc(maps.Keys(rows), func(a, b pair) int {
		if c := strings.Compare(a.list, b.list); c != 0 {
			return c
		}
		return strings.Compare(a.officer, b.officer)
	})
	for _, k := range keys {
		r.Rows = append(r.Rows, *rows[k])
	}
}

// touched are the lists that were searched or that named somebody, each once.
func (s *search) touched() []string {
	out := slices.Clone(s.lists)
	for _, c := range s.candidates {
		out = append(out, c.list)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
