// Package ofac reads the lists of the US Office of Foreign Assets Control in
// their CSV form: sdn.csv or cons_prim.csv with their alternative names,
// addresses and overlong comments.
//
// The files are told apart by their columns. Names and comments are few (some
// megabytes) and held in memory, bounded; the main file is streamed.
package ofac

import (
	"errors"
	"io"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/table"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Columns of each file, as its publisher describes them.
const (
	mainColumns    = 12 // number, name, type, program, title, call sign, ... remarks
	aliasColumns   = 5  // number, alias number, aka|fka|nka, name, remarks
	addressColumns = 6  // number, address number, street, city, country, remarks
	commentColumns = 2  // number, remarks that did not fit
)

// maxSide bounds what alternative names and comments take in memory, bytes.
const maxSide = 256 << 20

// File is one of the files, with its name for reports.
type File struct {
	Name string
	In   io.Reader
}

// alias is one alternative name, until its entry comes.
type alias struct {
	kind, name string
	line       int
}

type set struct {
	m        *imports.Maker
	take     imports.Take
	aliases  map[string][]alias
	comments map[string]string
	others   []side // rows of side files, to be checked against the main file
	size     int
}

// side names one row of a side file by what it belongs to.
type side struct {
	file string
	line int
	id   string
}

// Read imports one list out of its files, given in any order; exactly one is
// the main file. A row of another file that belongs to no entry is broken.
// Addresses have no place in a record; their file is only checked.
func Read(files []File, m *imports.Maker, take imports.Take) error {
	s := &set{m: m, take: take, aliases: map[string][]alias{}, comments: map[string]string{}}
	var main *opened
	for _, f := range files {
		o, err := open(f)
		if err != nil {
			return err
		}
		switch {
		case o.columns == mainColumns && main != nil:
			return fault.New("import.format", "%s: a second main file; import one list at a time", f.Name)
		case o.columns == mainColumns:
			main = o
		default:
			if err := s.side(o); err != nil {
				return err
			}
		}
	}
	if main == nil {
		return fault.New("import.format", "no main file (sdn.csv or cons_prim.csv, %d columns)", mainColumns)
	}
	return s.entries(main)
}

// opened is a file with its first row read.
type opened struct {
	File
	rows    *table.Reader
	columns int
	line    int
	first   []string
	err     error
}

func open(f File) (*opened, error) {
	o := &opened{File: f, rows: table.New(f.In, false)}
	o.line, o.first, o.err = o.rows.Next()
	if o.err != nil && !errors.Is(o.err, table.ErrRow) {
		return nil, fault.New("import.format", "%s: no first row: %w", f.Name, o.err)
	}
	switch o.columns = len(o.first); o.columns {
	case mainColumns, aliasColumns, addressColumns, commentColumns:
		return o, nil
	}
	return nil, fault.New("import.format", "%s: the first row has %d columns; the main file has %d, names %d, addresses %d, comments %d",
		f.Name, o.columns, mainColumns, aliasColumns, addressColumns, commentColumns)
}

// next returns the rows with the first one again.
func (o *opened) next() (int, []string, error) {
	if first := o.first; first != nil {
		o.first = nil
		return o.line, first, o.err
	}
	return o.rows.Next()
}

// each calls do for every sound row of the file and hands on the others.
func (s *set) each(o *opened, do func(line int, id string, fields []string) error) error {
	for {
		line, fields, err := o.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var broken imports.Row
		switch {
		case errors.Is(err, table.ErrRow):
			broken = imports.Row{Problems: imports.Problems(err)}
		case err != nil:
			return err
		case len(fields) != o.columns:
			broken = imports.Broken(line, "", "import.row", "another number of columns than the first row")
		case !isNumber(value(fields[0])):
			broken = imports.Broken(line, "id", "import.id", "the entry number is not a number")
		default:
			if err := do(line, value(fields[0]), fields); err != nil {
				return err
			}
			continue
		}
		broken.File, broken.Line = o.Name, line
		if err := s.take(broken); err != nil {
			return err
		}
	}
}

// side collects a file that adds to the main one.
func (s *set) side(o *opened) error {
	return s.each(o, func(line int, id string, fields []string) error {
		switch o.columns {
		case aliasColumns:
			a := alias{strings.ToLower(value(fields[2])), value(fields[3]), line}
			s.aliases[id] = append(s.aliases[id], a)
			s.size += len(a.name)
		case commentColumns:
			s.comments[id] += fields[1]
			s.size += len(fields[1])
		}
		s.others = append(s.others, side{o.Name, line, id})
		if s.size += 96; s.size > maxSide {
			return fault.New("import.limit", "%s: more names and comments than %d MiB", o.Name, maxSide>>20)
		}
		return nil
	})
}

func (s *set) entries(o *opened) error {
	known := map[string]bool{}
	err := s.each(o, func(line int, id string, fields []string) error {
		known[id] = true
		row := s.entry(line, id, fields)
		row.File = o.Name
		return s.take(row)
	})
	if err != nil {
		return err
	}
	for _, other := range s.others {
		if known[other.id] {
			continue
		}
		row := imports.Broken(other.line, "id", "import.orphan", "belongs to no entry of the main file")
		row.File = other.file
		if err := s.take(row); err != nil {
			return err
		}
	}
	return nil
}

func (s *set) entry(line int, id string, fields []string) imports.Row {
	kind := value(fields[2])
	person := strings.EqualFold(kind, "individual")
	if !person && !s.m.Spec.Organisations {
		if kind == "" {
			kind = "organisation"
		}
		return imports.Row{Line: line, Skipped: kind}
	}
	e := &entry{r: &record.Record{ID: id}}
	e.name(fields[1], person, record.NamePrimary, record.NameGood)
	if len(e.r.Names) == 0 {
		return imports.Broken(line, "names", "import.name", "no name with a letter in it")
	}
	for _, a := range s.aliases[id] {
		kind := record.NameAlias
		if a.kind == "fka" {
			kind = record.NameFormer
		}
		if !e.name(a.name, person, kind, record.NameGood) {
			e.note("names", "an alternative name without a letter")
		}
	}
	e.remarks(value(fields[11])+value(s.comments[id]), person)
	return s.m.Row(line, e.r, e.problems)
}

// value is a field without padding; "-0-" is how the list says nothing.
func value(field string) string {
	if field = strings.TrimSpace(field); field == "-0-" {
		return ""
	}
	return field
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 12 && strings.Trim(s, "0123456789") == ""
}
