// Package imports holds what all importers of foreign lists share: what the
// operator states for every record, the form in which a row is handed on, and
// the check that makes a record fit for "list build".
//
// Each source has a package of its own below this one. All of them read
// streams: memory is bounded by one row, and a row that cannot be understood
// is reported with its line, code and reason while the rest goes on. Reasons
// name fields and never what stood in them.
package imports

import (
	"hash/maphash"
	"io"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/docnumber"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Codes of this package and those below it.
var (
	// ErrFormat says that a file as a whole is not what it was said to be.
	ErrFormat = &fault.Error{Code: "import.format"}
	// ErrLimit says that a file goes beyond what an importer takes in.
	ErrLimit = &fault.Error{Code: "import.limit"}
)

// Spec is what the operator states for every record. Fields left empty are
// left out of the records, and "list build" fills them in from the list.
type Spec struct {
	List       string
	Owner      string
	LegalBasis string
	Purpose    string
	Handling   record.Handling
	Edition    uint64     // of every record, from 1
	Expires    *time.Time // nil leaves it to the list
	// Organisations takes companies, ships and aircraft in as well. Off, they
	// are counted as skipped: officers screen persons, and a company's name
	// held against travellers only makes false hits.
	Organisations bool
}

// Problem is why a row, or one field of it, could not be taken.
type Problem struct {
	Field  string     `json:"field,omitempty"`
	Code   fault.Code `json:"code"`
	Reason string     `json:"reason"` // for people, without personal data
}

// Row is what became of one entry of the source. Exactly one of these holds:
// Record is set, perhaps with Problems about fields that were left out of it;
// Skipped is set; or neither, and Problems say why the entry is broken.
type Row struct {
	File     string // as the caller names it, "" for the only file
	Line     int    // where the entry begins, from 1
	Record   *record.Record
	Skipped  string // why an entry that is sound was not wanted
	Problems []Problem
}

// Broken tells whether the entry was lost.
func (r Row) Broken() bool { return r.Record == nil && r.Skipped == "" }

// Take receives rows in the order of the source. An error of it ends the
// import and is returned as it is.
type Take func(Row) error

// Reader is a source: it reads all of in and hands each entry to take. It
// fails with import.format or import.limit where the rest of the file cannot
// be read, and with what take returned.
type Reader func(in io.Reader, m *Maker, take Take) error

// maxSeen bounds the memory for finding doubled identifiers, about 40 bytes
// each. Beyond it the builder of the list still finds them.
const maxSeen = 8 << 20

// Maker turns what a source says into checked records. It is for one
// goroutine and one import.
type Maker struct {
	Spec Spec
	now  time.Time
	seed maphash.Seed
	seen map[uint64]struct{}
}

// NewMaker returns a maker.
func NewMaker(s Spec) *Maker {
	if s.Edition == 0 {
		s.Edition = 1
	}
	return &Maker{Spec: s, now: time.Now(), seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
}

// Row completes r with what the operator stated and checks it by the rules of
// package record. Documents whose number cannot be searched are left out and
// noted; any other broken rule, and an identifier that came before, breaks
// the row. problems are what the source itself has noted.
func (m *Maker) Row(line int, r *record.Record, problems []Problem) Row {
	s := &m.Spec
	r.Schema = record.SchemaVersion
	if r.Edition == 0 {
		r.Edition = s.Edition
	}
	fill(&r.List, s.List)
	fill(&r.Owner, s.Owner)
	fill(&r.LegalBasis, s.LegalBasis)
	fill(&r.Purpose, s.Purpose)
	if r.Handling == (record.Handling{}) {
		r.Handling = s.Handling
	}
	if r.Expires == nil {
		r.Expires = s.Expires
	}
	r.Documents, problems = searchable(r.Documents, problems)
	r.Births, problems = m.born(r.Births, problems)
	if found := check(r); len(found) > 0 {
		return Row{Line: line, Problems: append(problems, found...)}
	}
	if m.again(r.ID) {
		return Broken(line, "id", "import.duplicate", "an entry with this identifier came before")
	}
	return Row{Line: line, Record: r, Problems: problems}
}

func fill(field *string, with string) {
	if *field == "" {
		*field = with
	}
}

// searchable keeps the documents that a post can look up.
func searchable(docs []record.Document, problems []Problem) ([]record.Document, []Problem) {
	kept := docs[:0]
	for _, d := range docs {
		if _, err := docnumber.Normalise(d.Type, d.Issuer, d.Number); err != nil || len(d.Number) > 64 {
			problems = append(problems, Problem{"documents", "import.document", "a number that is empty or too long to be one"})
			continue
		}
		kept = append(kept, d)
	}
	return kept, problems
}

// born keeps the births that have been, or can have begun to be: of a month, a
// year or a range the first day counts. What is no date at all, check refuses.
func (m *Maker) born(births []record.Birth, problems []Problem) ([]record.Birth, []Problem) {
	// Where the day is furthest ahead it is tomorrow by this clock.
	last := m.now.AddDate(0, 0, 1)
	kept := births[:0]
	for _, b := range births {
		layout := time.DateOnly[:min(len(b.Date), len(time.DateOnly))] // a year, a month or a day
		if from, err := time.Parse(layout, b.Date); err == nil && from.After(last) {
			problems = append(problems, Problem{"births", "import.field", "a date of birth that is still to come, left out with its place"})
			continue
		}
		kept = append(kept, b)
	}
	return kept, problems
}

// check validates r as it will be once the list's own fields are filled in.
func check(r *record.Record) []Problem {
	whole := *r
	fill(&whole.List, "list")
	fill(&whole.Owner, "owner")
	fill(&whole.LegalBasis, "basis")
	fill(&whole.Purpose, "purpose")
	if whole.Handling == (record.Handling{}) {
		whole.Handling.Action = record.Refer
	}
	if whole.Expires == nil {
		never := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
		whole.Expires = &never
	}
	return Problems(whole.Validate())
}

func (m *Maker) again(id string) bool {
	h := maphash.String(m.seed, id)
	if _, ok := m.seen[h]; ok {
		return true
	}
	if len(m.seen) < maxSeen {
		m.seen[h] = struct{}{}
	}
	return false
}
