package mrz

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// outside opens a file of the evaluation data, which is not in the
// repository. The test is skipped where WATCHPOST_DATA is not set, and fails
// where it is set and the file is not there.
func outside(t *testing.T, path string) *os.File {
	t.Helper()
	root := os.Getenv("WATCHPOST_DATA")
	if root == "" {
		t.Skip("WATCHPOST_DATA is not set: NOT RUN on real documents")
	}
	f, err := os.Open(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestRealZones(t *testing.T) {
	r := csv.NewReader(outside(t, "mrz/truth.csv"))
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	zones, valid := 0, 0
	for _, row := range rows[1:] {
		file, format, lines := row[0], row[1], row[2:5]
		if format == "none" || format == "lines" {
			continue
		}
		if lines[2] == "" {
			lines = lines[:2]
		}
		z, err := Parse(lines, now)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		zones++
		if z.Format.String() != format {
			t.Errorf("%s: read as %s, is %s", file, z.Format, format)
		}
		if z.Valid() != (row[5] == "yes") {
			t.Errorf("%s: valid %v, want %s; %v", file, z.Valid(), row[5], z.Digits())
		}
		if z.Valid() {
			valid++
		}
	}
	if zones < 39 || valid < 36 {
		t.Errorf("%d zones, %d valid", zones, valid)
	}
}

type example struct {
	ID     string `json:"id"`
	Inputs struct {
		Data, Padded   string
		Form           string
		MRZ            []string `json:"mrz"`
		Lower43        string   `json:"lower_line_1_43"`
		Upper          string   `json:"upper_line"`
		Middle29       string   `json:"middle_line_1_29"`
		Lower35        string   `json:"lower_line_1_35"`
		DocumentNumber string   `json:"document_number"`
	} `json:"inputs"`
	Expected map[string]any `json:"expected"`
}

func TestWorkedExamples(t *testing.T) {
	var file struct{ Examples []json.RawMessage }
	if err := json.NewDecoder(outside(t, "emrtd/doc9303/worked_examples.json")).Decode(&file); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, raw := range file.Examples {
		var e example
		if json.Unmarshal(raw, &e) != nil {
			continue // examples of other clauses have other types
		}
		switch {
		case e.Inputs.Padded != "":
			got, err := CheckDigit(e.Inputs.Padded)
			check(t, e, "check_digit", string(rune(got)), err)
			tried++
		case len(e.Inputs.MRZ) > 0:
			z, err := Parse(e.Inputs.MRZ, now)
			if err != nil {
				t.Errorf("%s: %v", e.ID, err)
				continue
			}
			tried++
			if z.Format.String() != e.Inputs.Form || !z.Valid() || len(z.Problems) != 0 {
				t.Errorf("%s: %s %v %v", e.ID, z.Format, z.Digits(), z.Problems)
			}
			if want, ok := e.Expected["document_number"].(string); ok && trim(want) != z.DocumentNumber {
				t.Errorf("%s: document number %s", e.ID, z.DocumentNumber)
			}
			if e.Expected["mrz_information"] != nil {
				seed, err := z.KeySeed()
				check(t, e, "mrz_information", seed, err)
			}
		case e.Inputs.Lower43 != "":
			l := e.Inputs.Lower43
			got, err := CheckDigit(l[0:10] + l[13:20] + l[21:43])
			check(t, e, "check_digit", string(rune(got)), err)
			tried++
		case e.Inputs.Lower35 != "":
			l := e.Inputs.Lower35
			got, err := CheckDigit(l[0:10] + l[13:20] + l[21:35])
			check(t, e, "check_digit", string(rune(got)), err)
			tried++
		case e.Inputs.Upper != "":
			u, m := e.Inputs.Upper, e.Inputs.Middle29
			got, err := CheckDigit(u[5:30] + m[0:7] + m[8:15] + m[18:29])
			check(t, e, "check_digit", string(rune(got)), err)
			tried++
		}
	}
	if tried < 14 {
		t.Errorf("only %d worked examples tried", tried)
	}
}

func check(t *testing.T, e example, key, got string, err error) {
	t.Helper()
	if err != nil || e.Expected[key] != got {
		t.Errorf("%s: %s is %q (%v), want %v", e.ID, key, got, err, e.Expected[key])
	}
}
