package un

import (
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/state"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// entry collects a record and what had to be left out of it.
type entry struct {
	r        *record.Record
	problems []imports.Problem
}

func (e *entry) note(field, reason string) {
	e.problems = append(e.problems, imports.Problem{Field: field, Code: "import.field", Reason: reason})
}

// entryRow makes a row of an INDIVIDUAL or ENTITY; false for other elements.
func entryRow(n *node, line int, m *imports.Maker) (imports.Row, bool) {
	switch n.name {
	case "INDIVIDUAL":
	case "ENTITY":
		if !m.Spec.Organisations {
			return imports.Row{Line: line, Skipped: "organisation"}, true
		}
	default:
		return imports.Row{}, false
	}
	e := &entry{r: &record.Record{}}
	// The reference number is the list's own permanent name of an entry.
	if e.r.ID = n.value("REFERENCE_NUMBER"); e.r.ID == "" {
		e.r.ID = n.value("DATAID")
	}
	e.r.Issued = issued(n)
	e.names(n)
	if len(e.r.Names) == 0 {
		return imports.Broken(line, "names", "import.name", "no name with a letter in it"), true
	}
	switch gender := n.value("GENDER"); strings.ToLower(gender) {
	case "male":
		e.r.Sex = record.Male
	case "female":
		e.r.Sex = record.Female
	case "":
	default:
		e.note("sex", "neither male nor female")
	}
	for _, nation := range n.all("NATIONALITY") {
		for _, v := range nation.all("VALUE") {
			if name := v.clean(); name != "" {
				e.nation(name)
			}
		}
	}
	e.births(n)
	e.documents(n)
	return m.Row(line, e.r, e.problems), true
}

// issued is the last day on which the entry was changed, or was listed.
func issued(n *node) *time.Time {
	var last *time.Time
	days := []string{n.value("LISTED_ON")}
	for _, u := range n.all("LAST_DAY_UPDATED") {
		for _, v := range u.all("VALUE") {
			days = append(days, v.clean())
		}
	}
	for _, day := range days {
		if len(day) > len(time.DateOnly) { // some carry a time zone
			day = day[:len(time.DateOnly)]
		}
		if t, err := time.Parse(time.DateOnly, day); err == nil && (last == nil || t.After(*last)) {
			last = &t
		}
	}
	return last
}

func (e *entry) names(n *node) {
	var parts []string
	for _, tag := range []string{"FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME"} {
		if part := n.value(tag); part != "" {
			parts = append(parts, part)
		}
	}
	// Which part is the family name is not said, and differs between cultures.
	e.name(strings.Join(parts, " "), record.NamePrimary, record.NameGood)
	for text := range strings.SplitSeq(n.value("NAME_ORIGINAL_SCRIPT"), ";") {
		e.name(text, record.NamePrimary, record.NameGood)
	}
	for _, tag := range []string{"INDIVIDUAL_ALIAS", "ENTITY_ALIAS"} {
		for _, alias := range n.all(tag) {
			kind, quality := record.NameAlias, record.NameUnknown
			switch strings.ToLower(alias.value("QUALITY")) {
			case "good":
				quality = record.NameGood
			case "low":
				quality = record.NameLow
			case "f.k.a.":
				kind = record.NameFormer
			}
			for text := range strings.SplitSeq(alias.value("ALIAS_NAME"), ";") {
				e.name(text, kind, quality)
			}
			e.aliasBirth(alias)
		}
	}
}

func (e *entry) name(text string, kind record.NameKind, quality record.NameQuality) {
	if name, ok := imports.Whole(text, kind, quality); ok {
		e.r.Names = imports.AddName(e.r.Names, name)
	}
}

func (e *entry) nation(name string) {
	code := state.Code(name)
	if code == "" {
		e.note("nationalities", "not the name of a state")
		return
	}
	e.r.Nationalities = imports.AddText(e.r.Nationalities, code)
}

// documentTypes maps the list's words to the code of Doc 9303. The words stand
// in English, French and Spanish.
var documentTypes = []struct{ word, code string }{
	{"passport", "P"}, {"passeport", "P"}, {"pasaporte", "P"}, {"national identification", "ID"}, {"identi", "ID"},
}

func (e *entry) documents(n *node) {
	for _, doc := range n.all("INDIVIDUAL_DOCUMENT") {
		d := record.Document{Number: doc.value("NUMBER"), Status: record.DocumentOfSubject}
		if d.Number == "" {
			if doc.value("TYPE_OF_DOCUMENT") != "" {
				e.note("documents", "a document without a number")
			}
			continue
		}
		words := strings.ToLower(doc.value("TYPE_OF_DOCUMENT"))
		for _, t := range documentTypes {
			if strings.Contains(words, t.word) {
				d.Type = t.code
				break
			}
		}
		country := doc.value("ISSUING_COUNTRY")
		if country == "" {
			country = doc.value("COUNTRY_OF_ISSUE")
		}
		if d.Issuer = state.Code(country); d.Issuer == "" && country != "" {
			e.note("documents.issuer", "not the name of a state; the number is kept without it")
		}
		e.r.Documents = append(e.r.Documents, d)
	}
}

// value is the text of the first element of a name, "" where there is none.
func (n *node) value(name string) string {
	for _, p := range n.parts {
		if p.name == name {
			return p.clean()
		}
	}
	return ""
}

func (n *node) all(name string) []*node {
	var found []*node
	for _, p := range n.parts {
		if p.name == name {
			found = append(found, p)
		}
	}
	return found
}

// clean is the text with single spaces; "na" is how the list says nothing.
func (n *node) clean() string {
	text := strings.Join(strings.Fields(string(n.text)), " ")
	if strings.EqualFold(text, "na") || text == "-" {
		return ""
	}
	return text
}
