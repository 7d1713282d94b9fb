package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestReadPairs(t *testing.T) {
	cmd := &cobra.Command{}
	var told bytes.Buffer
	cmd.SetErr(&told)
	cmd.SetIn(strings.NewReader("\ufeffa.jpg,b.jpg\r\n\n\"with, comma.png\",c;d.pgm,1,x\n,\nshort\na,\"open\nlast, spaced\n a,b\na,b;\n\n"))
	got, err := readPairs(cmd, "-")
	want := []struct {
		a, b string
		ok   bool
	}{
		{"a.jpg", "b.jpg", true}, {"", "", false}, {"with, comma.png", "c;d.pgm", true}, {"", "", false}, {"short", "", false},
		{"a", "\"open", false}, {"last", " spaced", true}, {" a", "b", true}, {"a", "b;", false},
	}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, w := range want {
		if got[i].a != w.a || got[i].b != w.b || (got[i].err == nil) != w.ok {
			t.Errorf("row %d: %+v", i+1, got[i])
		}
	}
	if n := strings.Count(told.String(), "pairs: "); n != 6 || strings.Count(told.String(), csvHint) != 1 || strings.Count(told.String(), "row 7: a path begins") != 1 {
		t.Errorf("5 rows that are no pair and a space, told:\n%s", told.String())
	}
	cmd.SetIn(strings.NewReader(""))
	if got, err := readPairs(cmd, "-"); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
}

// TestScoreDamagedPairs holds that each row of pairs gets its row of scores,
// in order, whatever is wrong with it.
func TestScoreDamagedPairs(t *testing.T) {
	live, chip := portraits(t)
	in := live + "," + live + "\r\n" + live + "\n\n\"" + live + "\n" + live + ",\n" + chip + "," + live + ",more\n"
	want := []string{live + "," + live + ",1", live + ",,", ",,", "\"\"\"" + live + "\",,", live + ",,", chip + "," + live + ",0.9"}
	out, exit := built(t, in, "face", "score", "--pairs", "-")
	got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if exit != exitFailed || !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("exit status %d:\n%s", exit, out)
	}
	out, exit = built(t, "short\n\n\"open,quote\n", "finger", "score", "--pairs", "-")
	if exit != exitFailed || out != "short,,\n,,\n\"\"\"open\",quote,\n" {
		t.Errorf("exit status %d:\n%s", exit, out)
	}
}
