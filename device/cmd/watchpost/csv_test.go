package main

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/watchpost/watchpost/device/fault"
)

// columnsOf are the columns of rows of which none is damaged.
func columnsOf(t *testing.T, rows []csvRow) (out [][]string) {
	t.Helper()
	for _, r := range rows {
		if r.err != nil {
			t.Errorf("%q: %v", r.columns, r.err)
		}
		out = append(out, r.columns)
	}
	return out
}

func TestCSVForms(t *testing.T) {
	want := [][]string{{"a b.png", "c,d.png"}, {"é.png", "f\"g.png"}}
	for name, text := range map[string]string{
		"plain":                "a b.png,\"c,d.png\"\né.png,\"f\"\"g.png\"\n",
		"no last line end":     "a b.png,\"c,d.png\"\né.png,\"f\"\"g.png\"",
		"carriage returns":     "a b.png,\"c,d.png\"\r\né.png,\"f\"\"g.png\"\r\n",
		"empty lines at end":   "a b.png,\"c,d.png\"\né.png,\"f\"\"g.png\"\n\n\r\n",
		"byte order mark":      "\ufeffa b.png,\"c,d.png\"\né.png,\"f\"\"g.png\"\n",
		"mark and quotes":      "\ufeff\"a b.png\",\"c,d.png\"\n\"é.png\",\"f\"\"g.png\"\n",
		"all in quotes, CRLF ": "\"a b.png\",\"c,d.png\"\r\n\"é.png\",\"f\"\"g.png\"\r\n",
		"quote in the middle":  "a b.png,\"c,d.png\"\né.png,f\"g.png\n",
	} {
		got, err := parseCSV(strings.NewReader(text), "f", "pairs.format", 2)
		if err != nil || !slices.EqualFunc(columnsOf(t, got), want, slices.Equal) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	got, err := parseCSV(strings.NewReader("\"a\nb\",c\xff,\n d,\"\"\n"), "f", "pairs.format", 2)
	if err != nil || !slices.EqualFunc(columnsOf(t, got), [][]string{{"a\nb", "c\xff", ""}, {" d", ""}}, slices.Equal) {
		t.Errorf("a line's end in a name, no UTF-8, spaces: %+v, %v", got, err)
	}
	for _, text := range []string{"", "\n", "\ufeff", "\r\n\r\n"} {
		if got, err := parseCSV(strings.NewReader(text), "f", "pairs.format", 2); err != nil || len(got) != 0 {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// TestCSVDamagedRows holds that a damaged row costs no other, and is told with
// its place and what to do.
func TestCSVDamagedRows(t *testing.T) {
	for name, c := range map[string]struct {
		row         string
		columns     []string
		place, hint string
	}{
		"semicolons":                {"a.png;b.png", []string{"a.png;b.png"}, "line 2", "semicolons"},
		"tabs":                      {"a.png\tb.png\r", []string{"a.png\tb.png"}, "line 2", "tabs"},
		"one column":                {"a.png", []string{"a.png"}, "line 2", "commas"},
		"empty line":                {"", nil, "line 2", "commas"},
		"open quotation":            {"a.png,\"b.png", []string{"a.png", "\"b.png"}, "line 2", "quotation"},
		"open, and closed later":    {"a.png,\"b.png\nc\"d,e", []string{"a.png", "\"b.png"}, "line 2", "quotation"},
		"text after closing":        {"\"a\"b.png,c.png", []string{"\"a\"b.png", "c.png"}, "line 2", "quotation"},
		"only a quotation mark":     {"\"", []string{"\""}, "line 2", "quotation"},
		"open over very many lines": {"\"a,b" + strings.Repeat("\nx,y", maxRowLines+1), []string{"\"a", "b"}, "line 2", "quotation"},
	} {
		text := "first,\"1\"\n" + c.row + "\nlast,2\r\n"
		rows, err := parseCSV(strings.NewReader(text), "table.csv", "pairs.format", 2)
		if err != nil || len(rows) != 3+strings.Count(c.row, "\n") {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
			continue
		}
		if err := rows[1].err; fault.CodeOf(err) != "pairs.format" || !slices.Equal(rows[1].columns, c.columns) || !strings.Contains(err.Error(), "table.csv") ||
			!strings.Contains(err.Error(), c.place) || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %q, %v; %s", name, rows[1].columns, err, fault.HintOf(err))
		}
		rows = slices.Delete(rows, 1, 2)
		if !slices.Equal(rows[0].columns, []string{"first", "1"}) || !slices.Equal(rows[len(rows)-1].columns, []string{"last", "2"}) {
			t.Errorf("%s: took a neighbour along: %+v", name, rows)
		}
		columnsOf(t, rows)
	}
}

// TestCSVRefused holds that what is no table of text is refused as a whole.
func TestCSVRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, hint string }{
		"UTF-16, little end": {"\xff\xfea\x00,\x00b\x00", "UTF-8"},
		"UTF-16, big end":    {"\xfe\xff\x00a\x00,\x00b", "UTF-8"},
		"picture":            {"\x89PNG\r\n\x1a\n\x00\x00", "commas"},
	} {
		rows, err := parseCSV(strings.NewReader(c.text), "table.csv", "pairs.format", 2)
		if fault.CodeOf(err) != "pairs.format" || rows != nil || !strings.Contains(err.Error(), "table.csv") || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %v; %s", name, err, fault.HintOf(err))
		}
	}
	broken := io.MultiReader(strings.NewReader("a,b\n"), iotest.ErrReader(errors.New("gone")))
	if _, err := parseCSV(broken, "f", "pairs.format", 2); fault.CodeOf(err) != "file.read" {
		t.Errorf("broken input: %v", err)
	}
	if _, err := readCSV(nil, t.TempDir(), "pairs.format", 2); fault.CodeOf(err) != "file.read" {
		t.Errorf("folder: %v", err)
	}
	if _, err := readCSV(nil, "-", "groups.format", 2); fault.CodeOf(err) != "file.open" {
		t.Errorf("standard input where none is taken: %v", err)
	}
}

// FuzzCSV compares with encoding/csv wherever that takes the whole file, and
// holds that every row is whole or says why not.
func FuzzCSV(f *testing.F) {
	f.Add("a,b\n\"c\",\"d\"\r\n")
	f.Add("\ufeff\"a\",b")
	f.Add("a,\"b\nc\"\nd,\"e\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseCSV(strings.NewReader(text), "f", "pairs.format", 2)
		if err != nil {
			if fault.CodeOf(err) != "pairs.format" {
				t.Fatal(err)
			}
			return
		}
		for _, row := range rows {
			if (len(row.columns) < 2) != (row.err != nil) && !strings.Contains(text, `"`) {
				t.Fatalf("%q, %v", row.columns, row.err)
			}
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil || strings.Contains(text, "\n\n") || strings.HasPrefix(text, "\n") || strings.ContainsAny(text, "\r\ufeff") {
			return
		}
		if !slices.EqualFunc(rows, want, func(r csvRow, w []string) bool { return slices.Equal(r.columns, w) }) {
			t.Fatalf("%+v, encoding/csv has %q", rows, want)
		}
	})
}
