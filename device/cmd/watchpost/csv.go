package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// csvHint says how a table has to look.
const csvHint = "one row a line, columns parted by commas, UTF-8; a column that holds a comma or a quotation mark stands in quotation marks, doubled inside (RFC 4180)"

// maxRowLines is over how many lines the quoted columns of one row may go: a
// quotation mark left open is looked for no further.
const maxRowLines = 64

// csvRow is one row of a table. Where err says that it is malformed or short,
// columns are what could be told apart.
type csvRow struct {
	columns []string
	err     error
}

// readCSV reads all rows of a file, or of in, where there is one, if path is
// "-". It fails, with code, where the whole is no table of text.
func readCSV(in io.Reader, path string, code fault.Code, columns int) ([]csvRow, error) {
	if path == "-" && in != nil {
		return parseCSV(in, "standard input", code, columns)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap("file.open", err)
	}
	defer f.Close()
	return parseCSV(f, path, code, columns)
}

// parseCSV reads rows that need so many columns. A damaged row is its first
// line alone, and the next is read. An empty line is a row without a column,
// but at the end of the file, where it is none; a byte order mark is passed
// over. name is told where something is wrong.
func parseCSV(in io.Reader, name string, code fault.Code, columns int) ([]csvRow, error) {
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, fault.Wrap("file.read", err)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return nil, fault.New(code, "%s is UTF-16", name).WithHint("save it as UTF-8")
	case bytes.IndexByte(data, 0) >= 0:
		return nil, fault.New(code, "%s is no text", name).WithHint(csvHint)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return nil, nil
	}
	lines := strings.Split(text, "\n")
	var out []csvRow
	for i := 0; i < len(lines); {
		row, used, damage := csvColumns(lines[i:])
		r := csvRow{columns: row}
		switch {
		case damage != nil:
			r.err = fault.New(code, "%s: line %d: %w", name, i+1, damage).WithHint(csvHint)
		case len(row) < columns:
			r.err = fault.New(code, "%s: line %d has too few columns: %d, %d are needed", name, i+1, len(row), columns).
				WithHint(fewHint(row, columns))
		}
		out = append(out, r)
		i += used
	}
	return out, nil
}

// csvColumns returns the columns of the row that begins the lines, and of how
// many of them it is. A quotation mark inside a column that does not begin
// with one is a character as any other.
func csvColumns(lines []string) (columns []string, used int, err error) {
	first := strings.TrimSuffix(lines[0], "\r")
	if first == "" {
		return nil, 1, nil
	}
	columns = strings.Split(first, ",")
	if !strings.HasPrefix(first, `"`) && !strings.Contains(first, `,"`) {
		return columns, 1, nil
	}
	// Doubled ones count twice, so that the marks are odd in number as long as one is open.
	marks := strings.Count(first, `"`)
	for used = 1; marks%2 == 1 && used < min(len(lines), maxRowLines); used++ {
		marks += strings.Count(lines[used], `"`)
	}
	r := csv.NewReader(strings.NewReader(strings.Join(lines[:used], "\n")))
	r.FieldsPerRecord = -1
	row, err := r.Read()
	if err != nil {
		return columns, 1, csvDamage(err)
	}
	return row, used, nil
}

// csvDamage is what encoding/csv found, without its own count of lines.
func csvDamage(err error) error {
	var broken *csv.ParseError
	if errors.As(err, &broken) {
		return broken.Err
	}
	return err
}

// fewHint says what may be behind a row of too few columns.
func fewHint(row []string, columns int) string {
	for _, other := range []struct{ mark, word string }{{";", "semicolons"}, {"\t", "tabs"}} {
		if len(row) == 1 && strings.Count(row[0], other.mark) == columns-1 {
			return "it looks parted by " + other.word + ": columns are parted by commas"
		}
	}
	return csvHint
}
