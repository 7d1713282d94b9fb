// Package number reads lists of document numbers, as long as they may be: one
// document a row, with columns for number, issuer, type, status and id.
package number

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/state"
	"github.com/watchpost/watchpost/device/watchlist/imports/table"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// columns are the words of a header, with what they stand for.
var columns = map[string]string{
	"number": "number", "document": "number", "document_number": "number", "document number": "number", "docno": "number", "no": "number",
	"issuer": "issuer", "country": "issuer", "issuing_state": "issuer", "issuing state": "issuer", "state": "issuer", "issuing_country": "issuer",
	"type": "type", "document_type": "type", "document type": "type", "code": "type",
	"status": "status", "reason": "status",
	"id": "id", "identifier": "id", "record": "id",
}

// order is what columns mean where there is no header.
var order = []string{"number", "issuer", "type", "status", "id"}

// Options state what the rows themselves do not.
type Options struct {
	Issuer  string                // of rows without one; "" is unknown
	Type    string                // of rows without one; "" is unknown
	Status  record.DocumentStatus // of rows without one
	Columns []string              // meaning of the columns; nil: a header, else number, issuer, type, status, id
	// Name makes the identifier of a row that has none out of the document. It
	// must stay the same from edition to edition and tell nothing about the
	// number to who reads it in a log. Nil breaks such rows.
	Name func(document string) string
}

// Reader returns an imports.Reader. Rows are one line each.
func Reader(o Options) imports.Reader {
	return func(in io.Reader, m *imports.Maker, take imports.Take) error {
		at := slices.Clone(o.Columns)
		rows := table.New(in, false)
		for first := true; ; first = false {
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
			default:
				if at == nil {
					header := Header(fields)
					if header != nil && first {
						at = header
						continue
					}
					at = order
				}
				row = o.row(line, at, fields, m)
			}
			if err := take(row); err != nil {
				return err
			}
		}
	}
}

// Header returns what the columns of a header mean, "" for those that nobody
// reads, or nil where the fields are no header of document numbers.
func Header(fields []string) []string {
	at := make([]string, len(fields))
	for i, f := range fields {
		at[i] = columns[strings.ToLower(strings.TrimSpace(f))]
	}
	if !slices.Contains(at, "number") {
		return nil
	}
	return at
}

// CheckColumns fails with usage where a column is unknown or no number is.
func CheckColumns(names []string) error {
	for _, n := range names {
		if n != "" && !slices.Contains(order, n) {
			return fault.New("usage", "a column is one of %s, or empty", strings.Join(order, ", "))
		}
	}
	if names != nil && !slices.Contains(names, "number") {
		return fault.New("usage", "no column is the number")
	}
	return nil
}

func (o *Options) row(line int, at, fields []string, m *imports.Maker) imports.Row {
	if len(fields) > len(at) {
		return imports.Broken(line, "", "import.row", "more fields than columns")
	}
	d := record.Document{Issuer: o.Issuer, Type: o.Type, Status: o.Status}
	r := &record.Record{}
	for i, f := range fields {
		if f = strings.TrimSpace(f); f == "" {
			continue
		}
		switch at[i] {
		case "number":
			d.Number = f
		case "issuer":
			if d.Issuer = state.Code(f); d.Issuer == "" {
				return imports.Broken(line, "issuer", "import.country", "neither a state's code nor its name")
			}
		case "type":
			d.Type = strings.ToUpper(f)
		case "status":
			d.Status = record.DocumentStatus(strings.ToLower(f))
		case "id":
			r.ID = f
		}
	}
	if d.Number == "" {
		return imports.Broken(line, "number", "import.document", "no number")
	}
	if r.ID == "" {
		if o.Name == nil {
			return imports.Broken(line, "id", "import.id", "no identifier, and no key to make one")
		}
		r.ID = o.Name(Canonical(d))
	}
	r.Documents = []record.Document{d}
	return m.Row(line, r, nil) // a number that cannot be searched leaves nothing, and breaks the row
}

// Canonical is a document as one text, equal for all ways to print it.
func Canonical(d record.Document) string {
	number := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" <-./\t", r) {
			return -1
		}
		return r
	}, strings.ToUpper(d.Number))
	return d.Type + "|" + d.Issuer + "|" + number
}
