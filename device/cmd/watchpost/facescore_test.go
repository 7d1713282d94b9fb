package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
)

func TestReadPairs(t *testing.T) {
	parse := func(text string) ([]pair, error) {
		cmd := &cobra.Command{}
		cmd.SetIn(strings.NewReader(text))
		return readPairs(cmd, "-")
	}
	got, err := parse("\ufeffa.jpg,b.jpg\r\n\n\"with, comma.png\",c;d.pgm,1,x\n,\n")
	want := []pair{{"a.jpg", "b.jpg"}, {"with, comma.png", "c;d.pgm"}, {"", ""}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := parse(""); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
	for name, text := range map[string]string{"one column": "a,b\nc\n", "open quote": "a,\"b\n", "stray quote": "a,b\"c\n"} {
		if _, err := parse(text); fault.CodeOf(err) != "pairs.format" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
