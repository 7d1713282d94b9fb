// Package notice reads tables of persons in the manner of INTERPOL notices:
// CSV with a header, one person a row.
package notice

import (
	"errors"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/state"
	"github.com/watchpost/watchpost/device/watchlist/imports/table"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// columns are the words of a header, in small letters with single spaces,
// with what they stand for. Columns that are not here are not read.
var columns = map[string]string{
	"id": "id", "entity id": "id", "notice": "id", "notice number": "id", "notice id": "id", "reference": "id", "file number": "id",
	"red notice": "id", "interpol red notice profile": "id",
	"name": "name", "fugitive": "name", "full name": "name",
	"family name": "family", "surname": "family", "last name": "family",
	"forename": "given", "forenames": "given", "given names": "given", "given name": "given", "first name": "given", "first names": "given",
	"original name": "original", "name in original script": "original",
	"alias": "alias", "aliases": "alias", "also known as": "alias",
	"date of birth": "born", "birth date": "born", "dob": "born", "born": "born",
	"place of birth": "place", "birth place": "place", "country of birth": "birth country",
	"sex": "sex", "gender": "sex",
	"nationality": "nationality", "nationalities": "nationality",
	"document": "number", "document number": "number", "passport": "passport", "passport number": "passport",
	"document type": "type", "document issuer": "issuer", "issuing state": "issuer",
}

// Reader returns an imports.Reader. Several values in one field are parted by
// semicolons, strokes or, for nationalities, commas. A row without a column
// for its identifier gets one from name, which is given the person's name and
// date of birth and must tell nothing about them to who reads what it returns;
// nil breaks such rows. The header is found by its words, in any order; a file
// without a column of names is refused (import.format).
func Reader(name func(person string) string) imports.Reader {
	return func(in io.Reader, m *imports.Maker, take imports.Take) error {
		rows := table.New(in, true)
		line, fields, err := rows.Next()
		if err != nil {
			return fault.New("import.format", "line %d: no header: %w", line, err)
		}
		at := make([]string, len(fields))
		for i, f := range fields {
			at[i] = columns[strings.Join(strings.Fields(strings.ToLower(strings.ReplaceAll(f, "_", " "))), " ")]
		}
		if !slices.Contains(at, "name") && !slices.Contains(at, "family") {
			return fault.New("import.format", "line %d: the header has no column of names", line)
		}
		for {
			line, fields, err := rows.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			var row imports.Row
			switch {
			case errors.Is(err, table.ErrRow):
				row = imports.Row{Line: line, Problems: imports.Problems(err)}
			case err != nil:
				return err
			case len(fields) != len(at):
				row = imports.Broken(line, "", "import.row", "another number of fields than the header")
			default:
				row = person(line, at, fields, name, m)
			}
			if err := take(row); err != nil {
				return err
			}
		}
	}
}

// noticeNumber is how notices are numbered: year, stroke or dash, number.
var noticeNumber = regexp.MustCompile(`^\d{4}[-/]\d{1,7}$`)

func person(line int, at, fields []string, name func(string) string, m *imports.Maker) imports.Row {
	v := map[string]string{}
	for i, what := range at {
		if f := strings.TrimSpace(fields[i]); f != "" && what != "" && v[what] == "" {
			v[what] = f
		}
	}
	e := &entry{r: &record.Record{ID: identifier(v["id"])}}
	e.names(v)
	if len(e.r.Names) == 0 {
		return imports.Broken(line, "names", "import.name", "no name with a letter in it")
	}
	if e.r.ID == "" {
		if name == nil {
			return imports.Broken(line, "id", "import.id", "no identifier, and no key to make one")
		}
		e.r.ID = name(strings.ToUpper(v["family"] + "|" + v["given"] + "|" + v["name"] + "|" + v["born"]))
	}
	e.births(v)
	switch strings.ToLower(v["sex"]) {
	case "m", "male":
		e.r.Sex = record.Male
	case "f", "female":
		e.r.Sex = record.Female
	case "x":
		e.r.Sex = record.Unspecified
	case "", "u", "unknown":
	default:
		e.note("sex", "not M, F, X or their words")
	}
	e.nationalities(v["nationality"])
	e.documents(v)
	return m.Row(line, e.r, e.problems)
}

// identifier takes the number of a notice out of its address on the web.
func identifier(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	if last := path.Base(text); noticeNumber.MatchString(last) {
		return last
	}
	return ""
}

// entry collects a record and what had to be left out of it.
type entry struct {
	r        *record.Record
	problems []imports.Problem
}

func (e *entry) note(field, reason string) {
	e.problems = append(e.problems, imports.Problem{Field: field, Code: "import.field", Reason: reason})
}

func several(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '|' })
}

func (e *entry) names(v map[string]string) {
	if v["family"] != "" {
		if n, ok := imports.FamilyFirst(v["family"]+", "+v["given"], record.NamePrimary, record.NameGood); ok {
			e.r.Names = imports.AddName(e.r.Names, n)
		}
	}
	for _, from := range []struct {
		column string
		kind   record.NameKind
	}{{"name", record.NamePrimary}, {"original", record.NamePrimary}, {"alias", record.NameAlias}} {
		for _, text := range several(v[from.column]) {
			quality := record.NameGood
			if from.kind == record.NameAlias {
				quality = record.NameUnknown
			}
			if n, ok := written(text, from.kind, quality); ok {
				e.r.Names = imports.AddName(e.r.Names, n)
			}
		}
	}
}

// written reads "FAMILY, Given", "Given FAMILY" and "FAMILY Given": notices
// print the family name in capitals. Other names stay whole.
func written(text string, kind record.NameKind, quality record.NameQuality) (record.Name, bool) {
	if strings.Contains(text, ",") {
		return imports.FamilyFirst(text, kind, quality)
	}
	words := strings.Fields(text)
	capital := func(w string) bool {
		return len([]rune(w)) > 1 && strings.ToUpper(w) == w && strings.ToLower(w) != w
	}
	first := slices.IndexFunc(words, capital)
	if first < 0 {
		return imports.Whole(text, kind, quality)
	}
	end := first
	for end < len(words) && capital(words[end]) {
		end++
	}
	rest := slices.Concat(words[:first], words[end:])
	if (first > 0 && end < len(words)) || len(rest) == 0 || slices.ContainsFunc(rest, capital) {
		return imports.Whole(text, kind, quality)
	}
	return imports.FamilyFirst(strings.Join(words[first:end], " ")+", "+strings.Join(rest, " "), kind, quality)
}

func (e *entry) births(v map[string]string) {
	for i, text := range several(v["born"]) {
		b, ok := imports.Born(text)
		if !ok {
			e.note("births", "not a date, a year or a range")
			continue
		}
		if i == 0 {
			b.Place, b.Country = v["place"], state.Code(v["birth country"])
		}
		e.r.Births = append(e.r.Births, b)
	}
}

func (e *entry) nationalities(text string) {
	for _, part := range several(text) {
		// A comma parts states, unless it belongs to the name of one.
		names := []string{part}
		if state.Code(part) == "" {
			names = strings.Split(part, ",")
		}
		for _, name := range names {
			if code := state.Code(name); code != "" {
				e.r.Nationalities = imports.AddText(e.r.Nationalities, code)
			} else if strings.TrimSpace(name) != "" {
				e.note("nationalities", "not the name or code of a state")
			}
		}
	}
}

func (e *entry) documents(v map[string]string) {
	for _, from := range []struct{ column, kind string }{{"number", strings.ToUpper(v["type"])}, {"passport", "P"}} {
		for _, number := range several(v[from.column]) {
			d := record.Document{Type: from.kind, Number: strings.TrimSpace(number), Status: record.DocumentOfSubject}
			if d.Issuer = state.Code(v["issuer"]); d.Issuer == "" && v["issuer"] != "" {
				e.note("documents.issuer", "not the name or code of a state; the number is kept without it")
			}
			e.r.Documents = append(e.r.Documents, d)
		}
	}
}
