package main

import (
	"bufio"
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

// readCSV reads all rows of a file, or of in, where there is one, if path is "-".
func readCSV(in io.Reader, path string, code fault.Code, columns int) ([][]string, error) {
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

// parseCSV reads rows of at least so many columns; empty lines and a byte order
// mark are passed over. name is told where something is wrong.
func parseCSV(in io.Reader, name string, code fault.Code, columns int) ([][]string, error) {
	buffered := bufio.NewReader(in)
	// What cannot be peeked at, an empty or broken input, the reader below meets again.
	start, _ := buffered.Peek(3)
	switch {
	case bytes.HasPrefix(start, []byte("\ufeff")):
		if _, err := buffered.Discard(len("\ufeff")); err != nil {
			return nil, fault.Wrap("file.read", err)
		}
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return nil, fault.New(code, "%s is UTF-16", name).WithHint("save it as UTF-8")
	}
	r := csv.NewReader(buffered)
	r.FieldsPerRecord = -1
	var out [][]string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			return nil, fault.New(code, "%s: line %d: %w", name, broken.Line, broken.Err).WithHint(csvHint)
		}
		if err != nil {
			return nil, fault.Wrap("file.read", err)
		}
		if len(row) < columns {
			line, _ := r.FieldPos(0)
			err := fault.New(code, "%s: line %d has too few columns: %d, %d are needed", name, line, len(row), columns)
			for _, other := range []struct{ mark, word string }{{";", "semicolons"}, {"\t", "tabs"}} {
				if strings.Count(row[0], other.mark) == columns-1 {
					return nil, err.WithHint("it looks parted by " + other.word + ": columns are parted by commas")
				}
			}
			return nil, err.WithHint(csvHint)
		}
		out = append(out, row)
	}
}
