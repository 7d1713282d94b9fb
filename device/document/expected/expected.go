// Package expected knows since when issuers put a chip into their documents,
// so that a document without one can be told from one whose chip is silent.
//
// table.csv holds one issuer and kind of document a row: the day (or month or
// year) of the first documents with a chip, whether the issuer is known to
// issue documents without one beside them, how sure that is and where it was
// stated. It is a hint: a row is compiled from public statements, model dates
// and the dates of first CSCA certificates, and what a silent chip weighs is
// policy.
package expected

import (
	_ "embed"
	"encoding/csv"
	"strings"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// Confidence is how sure a row is: high is an authority's statement or two
// witnesses that agree, medium one statement, low a date that only bounds it.
type Confidence string

// Confidences.
const (
	High   Confidence = "high"
	Medium Confidence = "medium"
	Low    Confidence = "low"
)

// Row is what is known of one issuer's documents of one kind. It is read-only.
type Row struct {
	Issuer         string // code of the zone: three letters, or "D"
	Type           string // P, PD, PS, ID
	Since          string // YYYY-MM-DD, YYYY-MM or YYYY
	From           time.Time
	ChiplessBeside bool // documents without a chip are, or were, issued beside
	Confidence     Confidence
	Source         string
}

//go:embed table.csv
var tableCSV string

var table = sync.OnceValues(parse)

// Table returns every row by issuer and type, shared and read-only.
func Table() (map[string]map[string]Row, error) { return table() }

const columns = 6

func parse() (map[string]map[string]Row, error) {
	r := csv.NewReader(strings.NewReader(tableCSV))
	r.FieldsPerRecord = columns
	records, err := r.ReadAll()
	if err != nil {
		return nil, fault.Wrap("expected.table", err)
	}
	rows := map[string]map[string]Row{}
	for _, f := range records[1:] {
		row := Row{Issuer: f[0], Type: f[1], Since: f[2], ChiplessBeside: f[3] == "yes", Confidence: Confidence(f[4]), Source: f[5]}
		if row.From, err = lastDay(row.Since); err != nil {
			return nil, fault.New("expected.table", "%s %s: date", row.Issuer, row.Type)
		}
		if rows[row.Issuer] == nil {
			rows[row.Issuer] = map[string]Row{}
		}
		rows[row.Issuer][row.Type] = row
	}
	return rows, nil
}

// lastDay reads a date as the last day that it may mean: a document of the
// year in which chips began need not have one.
func lastDay(s string) (time.Time, error) {
	switch len(s) {
	case len("2006"):
		t, err := time.Parse("2006", s)
		return t.AddDate(1, 0, -1), err
	case len("2006-01"):
		t, err := time.Parse("2006-01", s)
		return t.AddDate(0, 1, -1), err
	}
	return time.Parse(time.DateOnly, s)
}

// issuers are the codes of zones that stand for another issuer's.
var issuers = map[string]string{"DEU": "D", "GBD": "GBR", "GBN": "GBR", "GBO": "GBR", "GBP": "GBR", "GBS": "GBR"}

// Lookup finds the row for the issuer and document code of a zone. Diplomatic
// and service passports without a row of their own have none: they are other
// documents. ok is false where nothing is known.
func Lookup(issuer, documentCode string) (row Row, ok bool) {
	rows, err := Table()
	if err != nil {
		return Row{}, false // the tests hold the table to its form
	}
	issuer = strings.TrimRight(issuer, "<")
	if rows[issuer] == nil {
		issuer = issuers[issuer]
	}
	row, ok = rows[issuer][kind(documentCode)]
	return row, ok
}

// kind is the table's word for a document code (Doc 9303-4:2021 and 9303-5:2021,
// 4.2.2: P with a second letter of the state's choice, PD and PS by common use; I, A and C for cards).
func kind(code string) string {
	code = strings.TrimRight(strings.ToUpper(code), "<")
	switch {
	case code == "PD", code == "PS":
		return code
	case code == "PO": // official
		return "PS"
	case strings.HasPrefix(code, "P"):
		return "P"
	case strings.HasPrefix(code, "I"):
		return "ID"
	}
	return ""
}

// longest is the longest validity that documents of this kind have: passports
// ten years (Doc 9303-3:2021 recommends no more, no issuer of the table gives
// more), and so do cards for adults below seventy.
const longest = 10

// Judgement is what a table says of a document whose chip is not there.
type Judgement uint8

// Judgements. The zero value says nothing.
const (
	Unknown  Judgement = 0 // not in the table
	Expected Judgement = 1 // issued with a chip
	Perhaps  Judgement = 2 // may be older than the chips, or of a kind without, or the row is unsure
	Older    Judgement = 3 // older than the first chips
)

// Judge says whether a document should have a chip. issued and expires may be
// zero where they are not known; one of them is needed to expect a chip. A
// date of expiry bounds the date of issue by the longest validity, unless it
// lies so far off that the document never expires in practice.
func (r Row) Judge(issued, expires time.Time) Judgement {
	if issued.IsZero() && !expires.IsZero() {
		issued = expires.AddDate(-longest, 0, 0)
		if expires.Before(r.From) {
			return Older
		}
	} else if !issued.IsZero() && issued.Before(r.From) {
		return Older
	}
	switch {
	case issued.IsZero(), issued.Before(r.From), r.ChiplessBeside, r.Confidence == Low:
		return Perhaps
	}
	return Expected
}
