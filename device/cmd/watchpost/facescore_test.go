package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

func TestParsePairs(t *testing.T) {
	got, err := parsePairs(strings.NewReader("\ufeffa.jpg,b.jpg\r\n\n\"with, comma.png\",c;d.pgm,1,x\n,\n"))
	want := []pair{{"a.jpg", "b.jpg"}, {"with, comma.png", "c;d.pgm"}, {"", ""}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := parsePairs(strings.NewReader("")); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
	for name, text := range map[string]string{"one column": "a,b\nc\n", "open quote": "a,\"b\n", "stray quote": "a,b\"c\n"} {
		if _, err := parsePairs(strings.NewReader(text)); fault.CodeOf(err) != "pairs.format" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
