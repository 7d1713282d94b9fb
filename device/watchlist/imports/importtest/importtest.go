// Package importtest collects what an importer hands on, for tests of the
// importers.
package importtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Got is all that one import gave.
type Got struct {
	Records []*record.Record
	Broken  []string // "line code" by first problem
	Notes   []string // "line field" of fields left out
	Skipped int
}

// Run imports with the given function and checks every record once more as
// "list build" will.
func Run(t testing.TB, spec imports.Spec, read func(m *imports.Maker, take imports.Take) error) (*Got, error) {
	t.Helper()
	g := &Got{}
	err := read(imports.NewMaker(spec), func(r imports.Row) error {
		switch {
		case r.Skipped != "":
			g.Skipped++
		case r.Broken():
			if len(r.Problems) == 0 || r.Line < 1 {
				t.Errorf("a broken row without line or reason: %+v", r)
				return nil
			}
			g.Broken = append(g.Broken, fmt.Sprint(r.Line, " ", r.Problems[0].Code))
		default:
			for _, p := range r.Problems {
				g.Notes = append(g.Notes, fmt.Sprint(r.Line, " ", p.Field))
			}
			raw, err := json.Marshal(r.Record)
			if err != nil {
				t.Error(err)
			}
			if _, err := record.Parse(raw); err != nil {
				t.Errorf("line %d: the record cannot be read again: %v", r.Line, err)
			}
			g.Records = append(g.Records, r.Record)
		}
		return nil
	})
	return g, err
}

// Real opens a file of the evaluation data, or skips the test where there is
// none on this machine.
func Real(t testing.TB, path string) *bufio.Reader {
	t.Helper()
	root := os.Getenv("WATCHPOST_DATA")
	if root == "" {
		t.Skip("SKIPPED: WATCHPOST_DATA is not set: real lists are not read")
	}
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(bytes.NewReader(raw))
}
