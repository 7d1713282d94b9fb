package ofac

import (
	"regexp"
	"strings"

	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/state"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// entry collects a record and what had to be left out of it.
type entry struct {
	r        *record.Record
	problems []imports.Problem
	places   []record.Birth
}

func (e *entry) note(field, reason string) {
	e.problems = append(e.problems, imports.Problem{Field: field, Code: "import.field", Reason: reason})
}

func (e *entry) name(text string, person bool, kind record.NameKind, quality record.NameQuality) bool {
	read := imports.Whole
	if person {
		read = imports.FamilyFirst
	}
	n, ok := read(text, kind, quality)
	if ok = ok || !person && strings.ContainsAny(text, "0123456789"); ok { // there are ships named by numbers
		e.r.Names = imports.AddName(e.r.Names, n)
	}
	return ok
}

// remarks reads the sentences of the remarks, parted by semicolons. Those that
// no field of a record holds (programmes, links, tax numbers) are passed over.
func (e *entry) remarks(text string, person bool) {
	for part := range strings.SplitSeq(text, ";") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "alt. ")
		if end := strings.TrimSuffix(part, "."); !strings.HasSuffix(end, ".") {
			part = end
		}
		word, rest, _ := strings.Cut(part, " ")
		switch word {
		case "a.k.a.", "f.k.a.", "n.k.a.":
			// A name that stands in the remarks is one that the list calls weak.
			kind := record.NameAlias
			if word == "f.k.a." {
				kind = record.NameFormer
			}
			rest, _, _ = strings.Cut(rest, " (")
			if !e.name(strings.Trim(rest, "' ."), person, kind, record.NameLow) {
				e.note("names", "a weak alias without a letter")
			}
			continue
		}
		if !person {
			continue
		}
		switch word {
		case "DOB":
			if b, ok := imports.Born(rest); ok {
				e.r.Births = append(e.r.Births, b)
			} else {
				e.note("births", "not a date, a year or a range")
			}
		case "POB":
			e.places = append(e.places, place(rest))
		case "nationality", "citizen":
			if code := state.Code(rest); code != "" {
				e.r.Nationalities = imports.AddText(e.r.Nationalities, code)
			} else {
				e.note("nationalities", "not the name of a state")
			}
		case "Gender":
			switch rest {
			case "Male":
				e.r.Sex = record.Male
			case "Female":
				e.r.Sex = record.Female
			default:
				e.note("sex", "neither male nor female")
			}
		default:
			e.document(part)
		}
	}
	e.place()
}

// place joins dates and places of birth one to one where there are as many;
// else the first place goes to the first date.
func (e *entry) place() {
	for i, p := range e.places {
		switch {
		case i < len(e.r.Births) && (i == 0 || len(e.places) == len(e.r.Births)):
			e.r.Births[i].Place, e.r.Births[i].Country = p.Place, p.Country
		case i >= len(e.r.Births):
			e.note("births.place", "a place of birth that no date goes with")
			return
		}
	}
}

// place reads "City, Province, Country".
func place(text string) record.Birth {
	i := strings.LastIndex(text, ", ")
	// "Pyongyang, Korea, North": the state itself has a comma.
	if j := strings.LastIndex(text[:max(i, 0)], ", "); i > 0 && state.Code(text[j+len(", "):]) != "" && j > 0 {
		i = j
	}
	if i < 0 {
		if code := state.Code(text); code != "" {
			return record.Birth{Country: code}
		}
		return record.Birth{Place: text}
	}
	if code := state.Code(text[i+2:]); code != "" {
		return record.Birth{Place: text[:i], Country: code}
	}
	return record.Birth{Place: text}
}

// documents are the kinds of number that a traveller can show, with the code
// of Doc 9303; "" where the kind has none.
var documents = []struct{ words, code string }{
	{"Diplomatic Passport", "PD"}, {"Passport", "P"}, {"National ID No.", "ID"}, {"Identification Number", "ID"},
	{"Cedula No.", "ID"}, {"D.N.I.", "ID"}, {"Identity Card", "ID"}, {"Stateless Person ID Card", "ID"},
	{"National Foreign ID Number", "ID"}, {"Personal ID Card", "ID"}, {"Residency Number", "ID"},
	{"Travel Document Number", ""}, {"Refugee ID Card", ""}, {"Driver's License No.", ""}, {"Numero de Identidad", "ID"},
}

// number is a document's number and its country in brackets, where stated.
var number = regexp.MustCompile(`^(.+?)(?:\s+\(([^)]*)\))?(?:\s+(?:issued|expires|expired)\b.*)?$`)

func (e *entry) document(part string) {
	for _, d := range documents {
		rest, ok := strings.CutPrefix(part, d.words+" ")
		if !ok {
			continue
		}
		found := number.FindStringSubmatch(rest)
		if found == nil || !strings.ContainsAny(found[1], "0123456789") {
			e.note("documents", "a document without a number")
			return
		}
		doc := record.Document{Type: d.code, Number: found[1], Status: record.DocumentOfSubject}
		if found[2] != "" {
			if doc.Issuer = state.Code(found[2]); doc.Issuer == "" {
				e.note("documents.issuer", "not the name of a state; the number is kept without it")
			}
		}
		e.r.Documents = append(e.r.Documents, doc)
		return
	}
}
