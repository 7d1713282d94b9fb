package main

import (
	"encoding/csv"
	"encoding/json"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
)

func TestWhoIsWho(t *testing.T) {
	list := []pair{{a: "x/a_1.jpg", b: "x/a_2.jpg"}, {a: "x/a_1.jpg", b: "x/b_1.jpg"}}
	folders := []pair{{a: "x/1.jpg", b: "x/2.jpg"}, {a: "x/1.jpg", b: "y/1.jpg"}}
	for name, c := range map[string]struct {
		list   []pair
		same   []bool
		people map[string]person
		told   string
	}{
		"pairs say":   {list, []bool{true, false}, nil, "the third column of --pairs"},
		"groups say":  {list, nil, map[string]person{"x/a_1.jpg": {"g", "1"}, "x/a_2.jpg": {"g", "1"}, "x/b_1.jpg": {"g", "2"}}, "the third column of --groups"},
		"names say":   {list, nil, map[string]person{"x/a_1.jpg": {"g", "1"}}, "the file names without their last number"},
		"folders say": {folders, nil, nil, "a folder a person"},
	} {
		who, told := identify(c.list, c.same, c.people)
		if told != c.told || who[c.list[0].a] != who[c.list[0].b] || who[c.list[1].a] == who[c.list[1].b] {
			t.Errorf("%s: %v by %s", name, who, told)
		}
	}
	who, _ := identify([]pair{{a: "a", b: "b"}, {a: "c", b: "d"}, {a: "b", b: "c"}, {a: "a", b: "e"}}, []bool{true, true, true, false}, nil)
	if want := map[string]int{"a": 0, "b": 0, "c": 0, "d": 0, "e": 1}; !reflect.DeepEqual(who, want) {
		t.Errorf("joined by others: %v", who)
	}
}

// A side of several images is in the group that all of them are in.
func TestSidesOfSeveralImages(t *testing.T) {
	people := map[string]person{"a": {"g", "1"}, "b": {"g", "1"}, "c": {"h", "2"}}
	list := []pair{{a: "a;b", b: "c"}, {a: "a;c", b: "a"}, {a: "a;x", b: "x"}, {a: "a;c", b: "a;b"}}
	if outside := placeSides(list, people); outside != 3 {
		t.Errorf("%d sides in no group", outside)
	}
	for side, want := range map[string]person{"a": {"g", "1"}, "a;b": {"g", "1"}, "c": {"h", "2"}, "a;c": {}, "a;x": {}, "x": {}} {
		if people[side] != want {
			t.Errorf("%s: %+v", side, people[side])
		}
	}
}

func TestReadGroups(t *testing.T) {
	for text, ok := range map[string]bool{"": true, "a,g\na,g\n": true, "a,g,1\r\nb,h,2\r\n": true, "a,g\na,h\n": false, "a,g,1\na,g,2\n": false, "a\n": false, "a,g\n\nb,g\n": true, "a,g\n\"b,g\n": false} {
		path := filepath.Join(t.TempDir(), "groups.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readGroups(path); ok != (err == nil) || !ok && fault.CodeOf(err) != "groups.format" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Rows that are no pair, and in a labelled file those without a label that is
// known, are left out and told.
func TestReadLabelled(t *testing.T) {
	for in, want := range map[string]struct {
		pairs  int
		same   []bool
		failed bool
	}{
		"a,b\nc,d\n":                            {2, nil, false},
		"a,b,1\nc,d,Non-mated \n":               {2, []bool{true, false}, false},
		"a\n":                                   {0, nil, true},
		"a,b,maybe\n":                           {0, nil, true},
		"a,b,1\nc,d\n":                          {1, []bool{true}, true},
		"a,\"b\nc,d,0\n":                        {1, []bool{false}, true},
		"a,,1\nc,d\n":                           {1, nil, true},
		"a,b,same,x\n\"c,d,0\ne,f,impostor\n\n": {2, []bool{true, false}, true},
	} {
		cmd := &cobra.Command{}
		cmd.SetIn(strings.NewReader(in))
		cmd.SetErr(io.Discard)
		list, same, failed, err := readLabelled(cmd, "-")
		if err != nil || len(list) != want.pairs || !slices.Equal(same, want.same) || failed != want.failed {
			t.Errorf("%q: %v, %v, failed %v, %v", in, list, same, failed, err)
		}
	}
}

func TestFaceReport(t *testing.T) {
	live, chip := portraits(t)
	dir := t.TempDir()
	table := func(name string, rows ...[]string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := csv.NewWriter(f).WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		return path
	}
	groups := table("groups.csv", []string{live, "g"}, []string{chip, "g"})
	pairs := table("pairs.csv", []string{live, chip, "same"})
	picture := filepath.Join(dir, "rates.png")
	out, exit := built(t, "", "face", "report", "--pairs", pairs, "--groups", groups, "--picture", picture)
	if exit != exitOK {
		t.Fatalf("exit status %d", exit)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d rows, want one of the group and one of all:\n%s", len(lines), out)
	}
	var row groupRow
	if err := json.Unmarshal([]byte(lines[0]), &row); err != nil {
		t.Fatal(err)
	}
	if row.Group != "g" || row.Mated != 1 || row.FNMR == nil || *row.FNMR != 0 || row.FNMRHigh < 0.9 || row.FMR != nil || row.FMRHigh != 1 {
		t.Errorf("one pair of mates: %s", lines[0])
	}
	var all groupRow
	if err := json.Unmarshal([]byte(lines[1]), &all); err != nil {
		t.Fatal(err)
	}
	// No strangers in the group: nothing says that the calibration is wrong.
	if all.Hold == nil || all.Factor == nil || *all.Factor < 1 || *all.Factor > 1.0001 {
		t.Errorf("row of all: %s", lines[1])
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Error(err)
	}
	bad := table("bad.csv", []string{live, "facereport_test.go", "same"}, []string{live, chip, "same"})
	if _, exit := built(t, "", "face", "report", "--pairs", bad, "--groups", groups); exit != exitFailed {
		t.Errorf("an image that is none: exit status %d", exit)
	}
	for name, args := range map[string][]string{
		"no groups": {"--pairs", pairs}, "fmr of 2": {"--pairs", pairs, "--groups", groups, "--fmr", "2"},
		"no folder": {"--pairs", pairs, "--groups", groups, "--picture", filepath.Join(dir, "missing", "x.png")},
		"a JPEG":    {"--pairs", pairs, "--groups", groups, "--picture", "x.jpg"},
	} {
		if _, exit := built(t, "", append([]string{"face", "report"}, args...)...); exit != exitUsage {
			t.Errorf("%s: exit status %d", name, exit)
		}
	}
	if _, exit := built(t, "", "face", "report", "--pairs", pairs, "--groups", filepath.Join(dir, "none")); exit != exitFailed {
		t.Errorf("no file of groups: exit status %d", exit)
	}
}
