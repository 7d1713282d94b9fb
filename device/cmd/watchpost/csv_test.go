package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/watchpost/watchpost/device/fault"
)

func TestCSVForms(t *testing.T) {
	want := [][]string{{"a b.png", "c,d.png"}, {"é.png", "f\"g.png"}}
	for name, text := range map[string]string{
		"plain":                "a b.png,\"c,d.png\"\né.png,\"f\"\"g.png\"\n",
		"no last line end":     "a b.png,\"c,d.png\"\né.png,\"f\"\"g.png\"",
		"carriage returns":     "a b.png,\"c,d.png\"\r\né.png,\"f\"\"g.png\"\r\n",
		"empty lines":          "\n\na b.png,\"c,d.png\"\n\né.png,\"f\"\"g.png\"\n\n",
		"byte order mark":      "\ufeffa b.png,\"c,d.png\"\né.png,\"f\"\"g.png\"\n",
		"mark and quotes":      "\ufeff\"a b.png\",\"c,d.png\"\n\"é.png\",\"f\"\"g.png\"\n",
		"all in quotes, CRLF ": "\"a b.png\",\"c,d.png\"\r\n\"é.png\",\"f\"\"g.png\"\r\n",
	} {
		got, err := parseCSV(strings.NewReader(text), "f", "pairs.format", 2)
		if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, text := range []string{"", "\n", "\ufeff", "\r\n\r\n"} {
		if got, err := parseCSV(strings.NewReader(text), "f", "pairs.format", 2); err != nil || len(got) != 0 {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestCSVRefused holds that a table that is none is refused with the place and
// with what to do.
func TestCSVRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text, place, hint string
	}{
		"semicolons":         {"a.png;b.png\n", "line 1", "semicolons"},
		"tabs":               {"a.png\tb.png\n", "line 1", "tabs"},
		"one column":         {"a.png,b.png\na.png\n", "line 2", "commas"},
		"open quotation":     {"a.png,\"b.png\n", "line", "quotation"},
		"bare quotation":     {"a.png,b\"c.png\n", "line 1", "quotation"},
		"UTF-16, little end": {"\xff\xfea\x00,\x00b\x00", "UTF-16", "UTF-8"},
		"UTF-16, big end":    {"\xfe\xff\x00a\x00,\x00b", "UTF-16", "UTF-8"},
		"picture":            {"\x89PNG\r\n\x1a\n\x00\x00", "line 1", "commas"},
	} {
		rows, err := parseCSV(strings.NewReader(c.text), "table.csv", "pairs.format", 2)
		if fault.CodeOf(err) != "pairs.format" || rows != nil || !strings.Contains(err.Error(), "table.csv") ||
			!strings.Contains(err.Error(), c.place) || !strings.Contains(fault.HintOf(err), c.hint) {
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

func FuzzCSV(f *testing.F) {
	f.Add("a,b\n\"c\",\"d\"\r\n")
	f.Add("\ufeff\"a\",b")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseCSV(strings.NewReader(text), "f", "pairs.format", 2)
		if err != nil && fault.CodeOf(err) != "pairs.format" {
			t.Fatal(err)
		}
		for _, row := range rows {
			if len(row) < 2 {
				t.Fatalf("%q", row)
			}
		}
	})
}
